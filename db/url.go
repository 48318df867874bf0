package db

import (
	"net/url"
	"strings"
)

// withSSLMode returns the DSN with another sslmode, in URL or key=value form.
func withSSLMode(dsn, mode string) string {
	if !strings.Contains(dsn, "://") {
		return dsn + " sslmode=" + mode
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return dsn
	}
	// The other parameters are kept as they were written: url.Values would turn a blank into a plus sign, which libpq and
	// pgx take for one.
	kept := []string{"sslmode=" + url.QueryEscape(mode)}
	for p := range strings.SplitSeq(u.RawQuery, "&") {
		if p != "" && !strings.HasPrefix(p, "sslmode=") {
			kept = append(kept, p)
		}
	}
	u.RawQuery = strings.Join(kept, "&")
	return u.String()
}
