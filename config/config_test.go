package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/config"
)

const strong = "0123456789abcdef0123456789abcdef"

// write makes a file in a folder of the test and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func load(t *testing.T, environ ...string) config.Config {
	t.Helper()
	c, err := config.Load(environ, "")
	require.NoError(t, err)
	return c
}

func TestDefaults(t *testing.T) {
	t.Parallel()

	require.Equal(t, config.Config{
		AppEnv: "development", DataDir: ".data",
		HTTP:      config.HTTP{Port: 3000, MaxBody: 1 << 20, ShutdownGrace: 10 * time.Second},
		RateLimit: config.RateLimit{Window: time.Minute},
		Database:  config.Database{Schema: "public", Pooler: "none", Extensions: "auto"},
		Pool: config.Pool{
			Min: 5, Max: max(5, 2*runtime.GOMAXPROCS(0)+1), ConnectTimeout: 5 * time.Second, IdleTimeout: 10 * time.Minute, MaxLifetime: 30 * time.Minute,
			QueryTimeout: 30 * time.Second,
		},
		GraphQL:  config.GraphQL{Introspection: true, Playground: true, PgTimeout: 5 * time.Second},
		Realtime: config.Realtime{Retention: 48 * time.Hour},
		Worker: config.Worker{
			Poll: time.Second, MaxAttempts: 5, BackoffBase: 2 * time.Second, Concurrency: 16, Stale: 10 * time.Minute,
			Heartbeat: 5 * time.Second, Shutdown: 10 * time.Second,
		},
		Webhook:   config.Webhook{Timeout: 15 * time.Second, Concurrency: 256, PerEndpoint: 16, Retention: 7 * 24 * time.Hour},
		Mail:      config.Mail{Port: 587, TLS: "starttls"},
		Embedding: config.Embedding{Model: "text-embedding-3-small", PreviousModel: "text-embedding-3-small"},
		Storage:   config.Storage{Region: "auto", Timeout: 30 * time.Second, MaxUpload: 50 << 20},
		Log:       config.Log{Level: "info", Format: "auto", SlowQuery: 200 * time.Millisecond},
		Tracing:   config.Tracing{Ratio: 1},
	}, load(t))
}

func TestProductionDefaults(t *testing.T) {
	t.Parallel()

	c := load(t, "APP_ENV=production", "JWT_SECRET="+strong, "DATABASE_URL=postgres://h/d")
	require.True(t, c.IsProduction())
	require.Equal(t, config.GraphQL{PgTimeout: 5 * time.Second}, c.GraphQL)
	require.Equal(t, 20, c.Pool.Max, "the database is elsewhere")
	c = load(t, "APP_ENV=production", "JWT_SECRET="+strong, "DATABASE_URL=postgres://h/d", "PLAYGROUND=on")
	require.True(t, c.GraphQL.Playground)
}

func TestValues(t *testing.T) {
	t.Parallel()

	c := load(t,
		"PORT=4000", "HOST=127.0.0.1", "CORS_ORIGIN= https://a.example , http://localhost:5173 ,https://*.b.example",
		"WORKER_BACKOFF_BASE_MS=100", "WORKER_STALE_MINUTES=3", "EVENT_RETENTION_HOURS=2", "EMAIL_LOG_FULL=1",
		"PLAYGROUND=OFF", "DATABASE_URL=host=/run/pg dbname=x", "LOG_LEVEL= fatal ", "PGPOOL_MIN=", "OPS_ADDR=:9090",
		"SMTP_HOST=mail.example", "SMTP_FROM=Team <team@example.com>", "TRACE_RATIO=0.05")
	require.Equal(t, "127.0.0.1:4000", c.HTTP.Addr())
	require.Equal(t, []string{"https://a.example", "http://localhost:5173", "https://*.b.example"}, c.HTTP.Origins)
	require.Equal(t, 100*time.Millisecond, c.Worker.BackoffBase)
	require.Equal(t, 3*time.Minute, c.Worker.Stale)
	require.Equal(t, 2*time.Hour, c.Realtime.Retention)
	require.True(t, c.Mail.LogFull)
	require.False(t, c.GraphQL.Playground)
	require.Equal(t, "host=/run/pg dbname=x", c.Database.URL.Reveal())
	require.Equal(t, "fatal", c.Log.Level)
	require.InDelta(t, 0.05, c.Tracing.Ratio, 1e-9)
	require.Equal(t, 5, c.Pool.Min, "an empty value is the default")
	require.Equal(t, 7, load(t, "PGPOOL_MAX=7").Pool.Max, "what is set wins, wherever the database is")
}

func TestMistakes(t *testing.T) {
	t.Parallel()

	prod := []string{"APP_ENV=production", "DATABASE_URL=postgres://h/d", "JWT_SECRET=" + strong}
	for name, tc := range map[string]struct {
		environ []string
		want    string
	}{
		"a port is a number":            {[]string{"PORT=abc"}, "PORT (in the environment) must be a whole number from 0 to 65535"},
		"a port is in range":            {[]string{"PORT=65536"}, "PORT (in the environment)"},
		"counts are not negative":       {[]string{"SEED_COUNT=-1"}, "SEED_COUNT (in the environment) must be a whole number from 0"},
		"zero attempts":                 {[]string{"WORKER_MAX_ATTEMPTS=0"}, "from 1 to 100 (attempts)"},
		"fractions":                     {[]string{"WORKER_POLL_MS=1.5"}, "WORKER_POLL_MS"},
		"too large for an integer":      {[]string{"MAX_BODY_BYTES=99999999999999999999"}, "MAX_BODY_BYTES"},
		"levels":                        {[]string{"LOG_LEVEL=verbose"}, "LOG_LEVEL (in the environment) must be trace, debug, info, warn, error or fatal"},
		"environments":                  {[]string{"APP_ENV=staging"}, "development or production"},
		"a ratio is a number":           {[]string{"TRACE_RATIO=half"}, "TRACE_RATIO (in the environment) must be a number from 0 to 1"},
		"a ratio is at most 1":          {[]string{"TRACE_RATIO=1.01"}, "TRACE_RATIO"},
		"a ratio is at least 0":         {[]string{"TRACE_RATIO=-0.1"}, "TRACE_RATIO"},
		"NaN":                           {[]string{"TRACE_RATIO=NaN"}, "TRACE_RATIO"},
		"trace collector":               {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"switches":                      {[]string{"PLAYGROUND=maybe"}, "on or off"},
		"TLS modes":                     {[]string{"PG_SSL_MODE=strict"}, "verify-ca or verify-full"},
		"star among origins":            {[]string{"CORS_ORIGIN=*,https://a.example"}, "CORS_ORIGIN"},
		"an origin has no path":         {[]string{"CORS_ORIGIN=https://a.example/"}, "CORS_ORIGIN"},
		"an origin has a scheme":        {[]string{"CORS_ORIGIN=a.example"}, "CORS_ORIGIN"},
		"a network":                     {[]string{"TRUSTED_PROXIES=10.0.0.0/8, ::1, 10.0.0.0/33"}, "TRUSTED_PROXIES"},
		"a star stands for subdomains":  {[]string{"CORS_ORIGIN=https://a.*"}, "CORS_ORIGIN"},
		"listener":                      {[]string{"OPS_ADDR=9090"}, "host:port or :port"},
		"listeners differ":              {[]string{"OPS_ADDR=:3000"}, "OPS_ADDR must differ"},
		"host":                          {[]string{"HOST=http://x"}, "HOST"},
		"dsn":                           {[]string{"DATABASE_URL=mysql://x"}, "DATABASE_URL (in the environment) must be a postgres:// URL"},
		"a dsn that cannot be parsed":   {[]string{"DATABASE_URL=postgres://a:%zz@h/d"}, "DATABASE_URL"},
		"a password with a bare #":      {[]string{"DATABASE_URL=postgres://a:p#w@h/d"}, "DATABASE_URL"},
		"schema":                        {[]string{"DB_SCHEMA=a;drop"}, "DB_SCHEMA"},
		"application name":              {[]string{"DB_APPLICATION_NAME=" + strings.Repeat("x", 64)}, "DB_APPLICATION_NAME"},
		"pool":                          {[]string{"PGPOOL_MIN=30", "DATABASE_URL=postgres://h/d"}, "PGPOOL_MIN must be at most PGPOOL_MAX (20)"},
		"heartbeat":                     {[]string{"WORKER_STALE_MINUTES=1", "WORKER_HEARTBEAT_MS=40000"}, "WORKER_HEARTBEAT_MS must be at most half"},
		"mail without a sender":         {[]string{"SMTP_HOST=mail.example"}, "SMTP_FROM must be set"},
		"mail sender":                   {[]string{"SMTP_FROM=nobody"}, "SMTP_FROM (in the environment) must be a mail address"},
		"mail user without a password":  {[]string{"SMTP_USER=u"}, "must be set together"},
		"embedding":                     {[]string{"EMBEDDING_URL=file:///etc"}, "EMBEDDING_URL"},
		"no database in production":     {[]string{"APP_ENV=production", "JWT_SECRET=" + strong}, "DATABASE_URL must be set in production"},
		"no signing key in production":  {prod[:2], "JWT_SECRET is not set"},
		"known signing key":             {append(prod[:2:2], "JWT_SECRET=insecure-default-change-me"), "JWT_SECRET is the published default"},
		"short signing key":             {append(prod[:2:2], "JWT_SECRET="+strong[1:]), "JWT_SECRET is short"},
		"secret file that is not there": {[]string{"JWT_SECRET_FILE=/nowhere/at/all"}, "JWT_SECRET_FILE must be the path of a file that can be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c, err := config.Load(tc.environ, "")
			require.ErrorContains(t, err, tc.want)
			var list config.InvalidError
			require.ErrorAs(t, err, &list)
			require.Len(t, list, 1, "one mistake, one sentence")
			require.Zero(t, c)
		})
	}
}

func TestMistakesTogether(t *testing.T) {
	t.Parallel()

	dotenv := write(t, ".env", "LOG_LEVEL=loud\nnonsense\nexport WORKER_POLL_MS='7\n")
	_, err := config.Load([]string{"PORT=x", "PGPOOL_MAX=0", "APP_ENV=production"}, dotenv)
	var list config.InvalidError
	require.ErrorAs(t, err, &list)
	text := list.Error()
	for _, want := range []string{
		".env line 2: must be NAME=value", ".env line 3: WORKER_POLL_MS must end with the quote", "PORT (in the environment)",
		"LOG_LEVEL (in .env)", "PGPOOL_MAX", "JWT_SECRET is not set", "DATABASE_URL must be set",
	} {
		require.Contains(t, text, want)
	}
	require.Len(t, list, 7)
}

func TestDotenv(t *testing.T) {
	t.Parallel()

	t.Run("values are read as a shell would, without expansion", func(t *testing.T) {
		t.Parallel()

		dotenv := write(t, ".env", "\uFEFF# a comment\r\n\r\nexport PORT = 4001 # why\r\nDB_USER='a # b'\r\n"+
			`DB_PASSWORD="p\"\n\$x" # end`+"\nDATA_DIR=$HOME/x#y\nSMTP_USER=#nothing\nSEED_COUNT=1\nSEED_COUNT=2\n")
		c, err := config.Load(nil, dotenv)
		require.NoError(t, err)
		require.Equal(t, 4001, c.HTTP.Port)
		require.Equal(t, "a # b", c.Database.User)
		require.Equal(t, "p\"\n\\$x", c.Database.Password.Reveal())
		require.Equal(t, "$HOME/x#y", c.DataDir)
		require.Empty(t, c.Mail.User)
		require.Equal(t, 2, c.Seed.Count)
		require.Empty(t, c.Warnings)
	})
	t.Run("the environment wins, even when empty", func(t *testing.T) {
		t.Parallel()

		dotenv := write(t, ".env", "PORT=4001\nLOG_LEVEL=debug\nDATABASE_URL=postgres://h/d\n")
		c, err := config.Load([]string{"PORT=4002", "DATABASE_URL="}, dotenv)
		require.NoError(t, err)
		require.Equal(t, 4002, c.HTTP.Port)
		require.Equal(t, "debug", c.Log.Level)
		require.Empty(t, c.Database.URL.Reveal())
	})
	t.Run("an unknown name is a warning with a guess", func(t *testing.T) {
		t.Parallel()

		c, err := config.Load(nil, write(t, ".env", "WORKER_POL_MS=5\nJWT_SECRET_FIL=x\nOTHER=1\n"))
		require.NoError(t, err)
		require.Equal(t, []string{
			"JWT_SECRET_FIL in .env is not a variable of this program; is JWT_SECRET_FILE meant?",
			"OTHER in .env is not a variable of this program",
			"WORKER_POL_MS in .env is not a variable of this program; is WORKER_POLL_MS meant?",
		}, c.Warnings)
	})
	t.Run("a missing file is fine, an unreadable one is not", func(t *testing.T) {
		t.Parallel()

		_, err := config.Load(nil, filepath.Join(t.TempDir(), ".env"))
		require.NoError(t, err)
		_, err = config.Load(nil, t.TempDir())
		require.ErrorContains(t, err, "read the .env file")
	})
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()

	t.Run("every secret can come from a file, without its last newline", func(t *testing.T) {
		t.Parallel()

		secrets := map[string]func(config.Config) config.Secret{
			"DATABASE_URL":               func(c config.Config) config.Secret { return c.Database.URL },
			"DB_PASSWORD":                func(c config.Config) config.Secret { return c.Database.Password },
			"EMBEDDING_API_KEY":          func(c config.Config) config.Secret { return c.Embedding.APIKey },
			"EMBEDDING_PREVIOUS_API_KEY": func(c config.Config) config.Secret { return c.Embedding.PreviousAPIKey },
			"JWT_SECRET":                 func(c config.Config) config.Secret { return c.Auth.JWTSecret },
			"PAYLOAD_ENCRYPTION_KEY":     func(c config.Config) config.Secret { return c.Encryption.Key },
			"SMTP_PASSWORD":              func(c config.Config) config.Secret { return c.Mail.Password },
			"STORAGE_SECRET_ACCESS_KEY":  func(c config.Config) config.Secret { return c.Storage.SecretAccessKey },
		}
		environ := []string{"SMTP_USER=u"}
		for name := range secrets {
			environ = append(environ, name+"_FILE="+write(t, name, "postgres://h/"+name+" \r\n"))
		}
		c := load(t, environ...)
		for name, get := range secrets {
			require.Equal(t, "postgres://h/"+name+" ", get(c).Reveal())
		}
		n := 0
		for _, s := range c.Settings() {
			if s.Secret {
				n++
				require.Contains(t, secrets, s.Name)
			}
		}
		require.Len(t, secrets, n)
	})
	t.Run("both forms in one place are a mistake", func(t *testing.T) {
		t.Parallel()

		_, err := config.Load([]string{"JWT_SECRET=" + strong, "JWT_SECRET_FILE=" + write(t, "s", strong)}, "")
		require.ErrorContains(t, err, "JWT_SECRET and JWT_SECRET_FILE are both set")
	})
	t.Run("the environment wins in either form", func(t *testing.T) {
		t.Parallel()

		dotenv := write(t, ".env", "JWT_SECRET="+strong+"\nDB_PASSWORD_FILE=/nowhere\n")
		c, err := config.Load([]string{"JWT_SECRET_FILE=" + write(t, "s", strong+strong), "DB_PASSWORD=x"}, dotenv)
		require.NoError(t, err)
		require.Equal(t, strong+strong, c.Auth.JWTSecret.Reveal())
		require.Equal(t, "x", c.Database.Password.Reveal())
	})
	t.Run("an empty file is a mistake", func(t *testing.T) {
		t.Parallel()

		_, err := config.Load([]string{"JWT_SECRET_FILE=" + write(t, "s", "\n")}, "")
		require.ErrorContains(t, err, "not empty")
	})
}

func TestDevelopmentSecrets(t *testing.T) {
	t.Parallel()

	require.Empty(t, load(t).Auth.JWTSecret)
	for _, secret := range []string{"insecure-default-change-me", "short"} {
		c := load(t, "JWT_SECRET="+secret)
		require.Equal(t, secret, c.Auth.JWTSecret.Reveal())
		require.Len(t, c.Warnings, 1)
		require.Contains(t, c.Warnings[0], "JWT_SECRET")
	}
	require.Empty(t, load(t, "JWT_SECRET="+strong).Warnings)
}

func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()

	const canary = "s3cr3t-canary"
	c := load(t, "DATABASE_URL=postgres://u:"+canary+"@h/d", "DB_PASSWORD="+canary, "JWT_SECRET="+canary, "SMTP_USER=u",
		"SMTP_PASSWORD="+canary, "EMBEDDING_API_KEY="+canary, "EMBEDDING_URL=https://u:"+canary+"@h/v1?key="+canary)
	asJSON, err := json.Marshal(map[string]any{"url": c.Database.URL, "password": c.Database.Password})
	require.NoError(t, err)
	c.Embedding.URL = "" // an address may be logged by its owner; Settings hides what may be secret in it
	shown := string(asJSON) + fmt.Sprintf("%v %+v %#v %s %q %x", c, c, c, c.Auth, c.Auth.JWTSecret, c.Auth.JWTSecret)
	require.NotContains(t, shown, canary)
	require.NotContains(t, shown, fmt.Sprintf("%x", canary))
	require.Contains(t, shown, "[secret]")

	c = load(t, "EMBEDDING_URL=https://u:"+canary+"@h/v1?key="+canary, "JWT_SECRET="+canary)
	require.NotContains(t, fmt.Sprint(c.Settings()), canary)

	// A mistake never shows the value, which may be a secret that was put into the wrong variable.
	var environ []string
	for _, s := range c.Settings() {
		environ = append(environ, s.Name+"="+canary+"\x00", s.Name+"_FILE=/"+canary)
	}
	_, err = config.Load(append(environ, "APP_ENV=production"), write(t, ".env", canary+" "+canary))
	require.Error(t, err)
	require.NotContains(t, err.Error(), canary)
}

func TestAppName(t *testing.T) {
	t.Parallel()

	require.Equal(t, "web-app", load(t).Database.AppName("web-app"))
	require.Equal(t, "mine", load(t, "DB_APPLICATION_NAME=mine").Database.AppName("web-app"))
	require.Empty(t, load(t, "DATABASE_URL=postgres://h/d?application_name=web-jobs").Database.AppName("web-app"))
}

// TestWrittenFiles fails when `go generate ./config` was forgotten.
func TestWrittenFiles(t *testing.T) {
	t.Parallel()

	for name, write := range map[string]func(io.Writer) error{
		"../.env.example":          config.WriteEnvExample,
		"../docs/configuration.md": config.WriteMarkdown,
	} {
		var want bytes.Buffer
		require.NoError(t, write(&want))
		have, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, want.String(), string(have), name)
		for _, s := range (config.Config{}).Settings() {
			require.Contains(t, string(have), s.Name)
		}
	}
}

func TestEnvExampleChangesNothing(t *testing.T) {
	t.Parallel()

	c, err := config.Load(nil, "../.env.example")
	require.NoError(t, err)
	require.Equal(t, load(t), c)
}

func TestSettingsRoundTrip(t *testing.T) {
	t.Parallel()

	c := load(t, "PORT=4000", "WORKER_STALE_MINUTES=3", "CORS_ORIGIN=https://a.example,https://b.example", "PLAYGROUND=off", "TRACE_RATIO=0.25")
	var environ []string
	for _, s := range c.Settings() {
		if !s.Secret {
			environ = append(environ, s.Name+"="+s.Value)
		}
	}
	require.Equal(t, c, load(t, environ...))
}
