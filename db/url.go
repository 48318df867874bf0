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
	q := u.Query()
	q.Set("sslmode", mode)
	u.RawQuery = q.Encode()
	return u.String()
}
