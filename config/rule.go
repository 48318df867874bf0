package config

import (
	"runtime"
	"strings"
)

// knownSecret is the text that older set-ups fall back to; everybody knows it.
const knownSecret = "insecure-default-change-me"

// minSecret is the least length of a signing key in production, in bytes: the size of SHA-256's output.
const minSecret = 32

// manyConnections is the most connections to a database on a machine of its own.
const manyConnections = 20

// poolMax is the default of PGPOOL_MAX. The embedded database has the processor of this process: a statement that waits for its
// turn in the pool slows down none that runs, and two for each core keep the cores busy while one waits for the disk.
func poolMax(c *Config) int {
	if c.Database.URL != "" {
		return manyConnections
	}
	return max(5, 2*runtime.GOMAXPROCS(0)+1)
}

// relations gives fields the defaults that depend on others, and checks what concerns several fields.
func (l *loader) relations(c *Config) {
	if c.Pool.Max == 0 {
		c.Pool.Max = poolMax(c)
	}
	if c.Pool.Min > c.Pool.Max && !l.named("PGPOOL_") {
		l.fail("PGPOOL_MIN must be at most PGPOOL_MAX (%d)", c.Pool.Max)
	}
	if c.Worker.Heartbeat*2 > c.Worker.Stale && !l.named("WORKER_") {
		l.fail("WORKER_HEARTBEAT_MS must be at most half of WORKER_STALE_MINUTES, or workers that live are taken for dead")
	}
	if c.Mail.Host != "" && c.Mail.From == "" {
		l.fail("SMTP_FROM must be set when SMTP_HOST is")
	}
	if (c.Mail.User == "") != (c.Mail.Password == "") && !l.named("SMTP_PASSWORD") {
		l.fail("SMTP_USER and SMTP_PASSWORD must be set together")
	}
	if c.HTTP.OpsAddr != "" && c.HTTP.OpsAddr == c.HTTP.Addr() && c.HTTP.Port != 0 {
		l.fail("OPS_ADDR must differ from the address of HOST and PORT")
	}
	if c.IsProduction() && c.Database.URL == "" && !l.named("DATABASE_URL") {
		l.fail("DATABASE_URL must be set in production, to a postgres:// URL or a key=value connection string")
	}
	missing := c.Storage.missing()
	switch given := len(c.Storage.needed()) - len(missing); {
	case given > 0 && c.Storage.Dir != "":
		l.fail("STORAGE_DIR must not be set together with STORAGE_ENDPOINT, its key and bucket")
	case given > 0 && len(missing) > 0 && !l.named("STORAGE_"):
		c.Warnings = append(c.Warnings, "files are off: "+strings.Join(missing, ", ")+" must be set, too")
	}
	if c.IsProduction() && c.Mail.LogFull {
		c.Warnings = append(c.Warnings, "EMAIL_LOG_FULL is on: the log holds addresses and text of mail")
	}
}

// secrets checks the signing key: strong in production, and a warning otherwise.
func (l *loader) secrets(c *Config) {
	secret := c.Auth.JWTSecret.Reveal()
	var problem string
	switch {
	case l.named("JWT_SECRET"):
		return
	case secret == "" && c.IsProduction():
		problem = "is not set"
	case secret == knownSecret:
		problem = "is the published default"
	case secret != "" && len(secret) < minSecret:
		problem = "is short"
	default:
		return
	}
	if c.IsProduction() {
		l.fail("JWT_SECRET %s: in production it must be a random text of at least %d bytes", problem, minSecret)
		return
	}
	c.Warnings = append(c.Warnings, "JWT_SECRET "+problem+": anybody who guesses it can forge tokens; production refuses it")
}

// named reports whether a mistake about the variable, or one whose name starts so, is already known.
func (l *loader) named(name string) bool {
	for _, text := range l.invalid {
		if strings.HasPrefix(text, name) {
			return true
		}
	}
	return false
}

// AppName is the application_name to connect with: the variable; "" when the URL has one, which then holds; else fallback.
func (d Database) AppName(fallback string) string {
	switch {
	case d.ApplicationName != "":
		return d.ApplicationName
	case strings.Contains(d.URL.Reveal(), "application_name="):
		return ""
	default:
		return fallback
	}
}
