// Package config reads the settings of the program from the environment, an optional .env file, and files that hold
// secrets. Each field of Config carries its variable, default, limits and one sentence; .env.example and
// docs/configuration.md are written from them.
package config

import (
	"net"
	"strconv"
	"time"
)

//go:generate go run ./gen ..

// Values of Config.AppEnv.
const (
	Development = "development"
	Production  = "production"
)

// Config is every setting. It is read once, at the start, and not changed after that.
//
// Tags: env names the variable; default is used when it is empty or not set, production instead of it when APP_ENV is
// production; min, max, enum and check are its limits; unit is what a number counts; shown describes a default that has
// no fixed value; help is the sentence of the documentation.
type Config struct {
	AppEnv  string `env:"APP_ENV" default:"development" enum:"development|production" help:"What the process is for. Production refuses weak secrets and hides the playground and introspection."`
	DataDir string `env:"DATA_DIR" default:".data" help:"Folder of the embedded database and of the secrets that development makes; relative to the working directory."`

	HTTP      HTTP      `group:"HTTP server"`
	RateLimit RateLimit `group:"Rate limit"`
	Database  Database  `group:"Database"`
	Pool      Pool      `group:"Connection pool"`
	Auth      Auth      `group:"Authentication"`

	Encryption Encryption `group:"Encryption of job payloads"`

	GraphQL   GraphQL   `group:"GraphQL"`
	Realtime  Realtime  `group:"Realtime"`
	Worker    Worker    `group:"Worker"`
	Retention Retention `group:"Retention"`
	Webhook   Webhook   `group:"Webhooks"`
	Mail      Mail      `group:"Mail"`
	Embedding Embedding `group:"Embeddings"`
	Storage   Storage   `group:"Files"`
	Seed      Seed      `group:"Seed data"`
	Log       Log       `group:"Logs"`
	Tracing   Tracing   `group:"Tracing"`

	// Warnings are sentences for the log about settings that are allowed but doubtful. They contain no values.
	Warnings []string
}

// HTTP is where the API listens and what it accepts.
type HTTP struct {
	Host          string        `env:"HOST" check:"host" shown:"all interfaces" help:"Address the API listens on."`
	Port          int           `env:"PORT" default:"3000" min:"0" max:"65535" help:"TCP port of the API; 0 takes a free one."`
	OpsAddr       string        `env:"OPS_ADDR" check:"addr" shown:"none" help:"Second listener, such as 127.0.0.1:9090 or :9090. With it, /health, /ready and /metrics are served there only."`
	Origins       []string      `env:"CORS_ORIGIN" check:"origins" shown:"CORS is off" help:"Origins whose pages may call the API, for CORS and for WebSocket upgrades, separated by commas. A star may stand for subdomains (https://*.example.com); a star alone allows every origin, without credentials."`
	MaxBody       int64         `env:"MAX_BODY_BYTES" default:"1048576" min:"1024" max:"1073741824" unit:"bytes" help:"Largest JSON body; more is answered 413."`
	ShutdownGrace time.Duration `env:"SHUTDOWN_GRACE_MS" default:"10000" min:"0" max:"3600000" unit:"ms" help:"How long running requests may take to end after SIGTERM or SIGINT."`
}

// Addr is the address of the API's listener.
func (h HTTP) Addr() string { return net.JoinHostPort(h.Host, strconv.Itoa(h.Port)) }

// RateLimit is how many requests a caller may send. REST and GraphQL count together, probes do not. A process counts on its own.
type RateLimit struct {
	Max     int           `env:"RATE_LIMIT_MAX" default:"0" production:"100" min:"0" max:"100000000" unit:"requests" help:"Requests of an API key (without one, of an address) within RATE_LIMIT_WINDOW_MS; more are answered 429. 0 is no limit."`
	Window  time.Duration `env:"RATE_LIMIT_WINDOW_MS" default:"60000" min:"100" max:"86400000" unit:"ms" help:"Length of the window in which requests are counted."`
	Proxies []string      `env:"TRUSTED_PROXIES" check:"prefixes" shown:"none" help:"Addresses or networks (10.0.0.0/8) of proxies whose X-Forwarded-For says where a request comes from, separated by commas."`
}

// Database is how the database is reached.
type Database struct {
	URL             Secret `env:"DATABASE_URL" check:"dsn" shown:"in development the embedded database; required in production" help:"PostgreSQL connection string, as postgres://user:password@host:5432/name or in key=value form."`
	User            string `env:"DB_USER" shown:"that of the URL" help:"Login role; overrides the one in DATABASE_URL."`
	Password        Secret `env:"DB_PASSWORD" shown:"that of the URL" help:"Password; overrides the one in DATABASE_URL."`
	Schema          string `env:"DB_SCHEMA" default:"public" check:"ident" help:"Schema of the tables (search_path)."`
	SSLMode         string `env:"PG_SSL_MODE" enum:"disable|allow|prefer|require|verify-ca|verify-full" shown:"that of the URL, else prefer" help:"TLS to the server, in libpq's terms; overrides sslmode in DATABASE_URL. Use at least require over a network."`
	ApplicationName string `env:"DB_APPLICATION_NAME" check:"appname" shown:"that of the URL, else web-app (API), web-jobs (worker), task-runner (commands), daemon (maintenance)" help:"Name of the connections in pg_stat_activity."`
	Pooler          string `env:"PG_POOLER" default:"none" enum:"none|transaction" help:"Set to transaction when a transaction-mode pooler such as PgBouncer stands in front of the server: nothing is prepared or kept in a session, and live updates poll instead of LISTEN."`
	Extensions      string `env:"PG_EXTENSIONS" default:"auto" enum:"auto|contrib" help:"Extensions that migrate creates: all that the server offers and the product can use, or only those that come with every PostgreSQL."`
	Bin             string `env:"PG_BIN" shown:"the newest one found" help:"Folder of PostgreSQL's programs (initdb, postgres) for the embedded database."`
}

// Pool bounds the connections of one process.
type Pool struct {
	Min            int           `env:"PGPOOL_MIN" default:"5" min:"0" max:"10000" unit:"connections" help:"Connections kept open."`
	Max            int           `env:"PGPOOL_MAX" shown:"20; with the embedded database two for each processor core and one more, at least 5" min:"1" max:"10000" unit:"connections" help:"Most connections at one time."`
	ConnectTimeout time.Duration `env:"PG_CONNECT_TIMEOUT_MS" default:"5000" min:"1" max:"600000" unit:"ms" help:"Time a new connection may take."`
	IdleTimeout    time.Duration `env:"PG_IDLE_TIMEOUT_MS" default:"600000" min:"1000" max:"86400000" unit:"ms" help:"A connection above PGPOOL_MIN is closed after this time without work."`
	MaxLifetime    time.Duration `env:"PG_MAX_LIFETIME_MS" default:"1800000" min:"1000" max:"604800000" unit:"ms" help:"A connection is replaced after this time, a tenth more or less."`
	QueryTimeout   time.Duration `env:"PG_QUERY_TIMEOUT_MS" default:"30000" min:"1" max:"3600000" unit:"ms" help:"Longest time of a statement; then it is cancelled and answered TIMEOUT."`
}

// Auth is how callers prove who they are.
type Auth struct {
	// JWTSecret is empty only in development: then the caller makes a random one and keeps it in DataDir.
	JWTSecret Secret `env:"JWT_SECRET" shown:"in development a random one, kept in DATA_DIR; required in production" help:"Key that signs access tokens (HS256). Production wants at least 32 bytes; openssl rand -base64 48 makes a good one."`
}

// Encryption is what encrypts the payloads of jobs.
type Encryption struct {
	// Key is empty in production when payloads cannot be encrypted, and in development when the caller keeps a key in DataDir.
	Key Secret `env:"PAYLOAD_ENCRYPTION_KEY" shown:"in development a random one, kept in DATA_DIR; without one in production payloads cannot be encrypted" help:"Keys of encrypted job payloads: base64 of 32 random bytes (openssl rand -base64 32) or a keyset of stackforge key make-payload. Whoever loses them loses the payloads. From a file they can be rotated, and the processes follow it."`
	KMS string `env:"PAYLOAD_ENCRYPTION_KMS" shown:"none: the keyset is in the clear" help:"Key that the keyset of PAYLOAD_ENCRYPTION_KEY is encrypted with, as a URI: file:///path of a file with base64 of 32 random bytes, or aws-kms://arn:aws:kms:<region>:<account>:key/<id> at AWS's key service."`

	KeyFile string // the file of PAYLOAD_ENCRYPTION_KEY_FILE, when Key came from it
}

// GraphQL is what the GraphQL endpoint shows.
type GraphQL struct {
	Introspection bool          `env:"GRAPHQL_INTROSPECTION" default:"on" production:"off" help:"Whether clients may read the schema from the endpoint."`
	Playground    bool          `env:"PLAYGROUND" default:"on" production:"off" help:"Whether /playground and / serve the GraphiQL page."`
	PgTimeout     time.Duration `env:"GRAPHQL_PG_TIMEOUT_MS" default:"5000" min:"10" max:"600000" unit:"ms" help:"How long an operation that is passed on to pg_graphql may take; more is answered TIMEOUT."`
}

// Realtime is about live updates.
type Realtime struct {
	Retention time.Duration `env:"EVENT_RETENTION_HOURS" default:"48" min:"1" max:"8760" unit:"hours" help:"How long events are kept, that is, how long a subscriber may be away and still resume without a gap."`
}

// Worker is how background jobs run.
type Worker struct {
	Poll        time.Duration `env:"WORKER_POLL_MS" default:"1000" min:"10" max:"3600000" unit:"ms" help:"How often an idle worker looks for jobs when no notification wakes it."`
	MaxAttempts int           `env:"WORKER_MAX_ATTEMPTS" default:"5" min:"1" max:"100" unit:"attempts" help:"Attempts of a job in all; after the last one it has failed for good."`
	BackoffBase time.Duration `env:"WORKER_BACKOFF_BASE_MS" default:"2000" min:"1" max:"3600000" unit:"ms" help:"Wait after the first failed attempt; it doubles with each further one, plus up to 10 % jitter, up to one hour."`
	Concurrency int           `env:"WORKER_CONCURRENCY" default:"16" min:"1" max:"1000" unit:"jobs" help:"Jobs that one worker process runs at the same time."`
	Stale       time.Duration `env:"WORKER_STALE_MINUTES" default:"10" min:"1" max:"1440" unit:"minutes" help:"A running job whose worker has been silent for this time is given to another one."`
	Heartbeat   time.Duration `env:"WORKER_HEARTBEAT_MS" default:"5000" min:"100" max:"600000" unit:"ms" help:"How often a worker says that it lives."`
	Shutdown    time.Duration `env:"WORKER_SHUTDOWN_MS" default:"10000" min:"0" max:"3600000" unit:"ms" help:"How long running jobs may take to end after SIGTERM or SIGINT; the rest go back to the queue."`
}

// Retention is how long things are kept beside what core.partition_config says in the database.
type Retention struct {
	ArchiveDays int `env:"JOBS_ARCHIVE_RETENTION" default:"0" min:"0" max:"36500" unit:"days" help:"How long months of the archive of done jobs are kept; 0 keeps them for ever. A retention of jobs_archive in core.partition_config goes before it."`
}

// Archive is the time that jobs stay in the archive, 0 for ever.
func (r Retention) Archive() time.Duration { return time.Duration(r.ArchiveDays) * 24 * time.Hour }

// Webhook is how events are sent to the endpoints of tenants.
type Webhook struct {
	AllowPrivate bool          `env:"WEBHOOK_ALLOW_PRIVATE" default:"off" help:"Whether endpoints may be in private networks and on any port. For development only: it lets every tenant reach what this machine can reach."`
	Timeout      time.Duration `env:"WEBHOOK_TIMEOUT_MS" default:"15000" min:"100" max:"120000" unit:"ms" help:"How long a receiver may take to answer."`
	Concurrency  int           `env:"WEBHOOK_CONCURRENCY" default:"256" min:"1" max:"10000" unit:"requests" help:"Requests that one worker process sends at the same time."`
	PerEndpoint  int           `env:"WEBHOOK_ENDPOINT_CONCURRENCY" default:"16" min:"1" max:"1000" unit:"requests" help:"Requests under way to one endpoint, over all processes."`
	Retention    time.Duration `env:"WEBHOOK_RETENTION_DAYS" default:"7" min:"1" max:"365" unit:"days" help:"How long events and the log of their deliveries are kept after the last attempt."`
}

// Mail is how mail leaves. Without a host, mail is only logged.
type Mail struct {
	Host     string `env:"SMTP_HOST" check:"host" shown:"none: mail is logged, not sent" help:"Mail server."`
	Port     int    `env:"SMTP_PORT" default:"587" min:"1" max:"65535" help:"TCP port of the mail server."`
	User     string `env:"SMTP_USER" shown:"none" help:"Account on the mail server."`
	Password Secret `env:"SMTP_PASSWORD" shown:"none" help:"Password of SMTP_USER."`
	From     string `env:"SMTP_FROM" check:"email" shown:"none; required with SMTP_HOST" help:"Sender, as address or as Name <address>."`
	TLS      string `env:"SMTP_TLS" default:"starttls" enum:"none|starttls|tls" help:"Encryption: STARTTLS on a plain connection, TLS from the first byte (usual on port 465), or none."`
	LogFull  bool   `env:"EMAIL_LOG_FULL" default:"off" help:"Whether the log of mail shows full addresses and text instead of masked ones."`
}

// Embedding is the service that turns text into vectors. Without a URL this program makes them by hashing words. While vectors of a
// former model are being made anew, queries need that model, too.
type Embedding struct {
	URL            string `env:"EMBEDDING_URL" check:"url" shown:"none: vectors are made by hashing words" help:"Endpoint that answers OpenAI's embeddings request, such as https://host/v1/embeddings."`
	APIKey         Secret `env:"EMBEDDING_API_KEY" shown:"none" help:"Key that is sent to EMBEDDING_URL as a bearer token."`
	Model          string `env:"EMBEDDING_MODEL" default:"text-embedding-3-small" help:"Model to ask for; its vectors must have 1536 dimensions."`
	PreviousURL    string `env:"EMBEDDING_PREVIOUS_URL" check:"url" shown:"none" help:"Endpoint of the model before this one, asked for vectors of queries only, as long as documents have vectors of EMBEDDING_PREVIOUS_MODEL. Not needed for vectors that were made without a service."`
	PreviousAPIKey Secret `env:"EMBEDDING_PREVIOUS_API_KEY" shown:"none" help:"Key that is sent to EMBEDDING_PREVIOUS_URL as a bearer token."`
	PreviousModel  string `env:"EMBEDDING_PREVIOUS_MODEL" default:"text-embedding-3-small" help:"Model to ask EMBEDDING_PREVIOUS_URL for."`
}

// Storage is where the bytes of files are: in a bucket of a service that speaks the S3 protocol, or in a folder.
type Storage struct {
	Endpoint        string        `env:"STORAGE_ENDPOINT" check:"url" shown:"none; without DATABASE_URL files are in DATA_DIR/files" help:"URL of a service that speaks the S3 protocol (S3, R2, GCS, and others). It and the key, the secret and the bucket are set together; without them the routes of files answer 501."`
	AccessKeyID     string        `env:"STORAGE_ACCESS_KEY_ID" shown:"none" help:"Key of the account at STORAGE_ENDPOINT."`
	SecretAccessKey Secret        `env:"STORAGE_SECRET_ACCESS_KEY" shown:"none" help:"Secret of STORAGE_ACCESS_KEY_ID."`
	Bucket          string        `env:"STORAGE_BUCKET" shown:"none" help:"Bucket of all tenants; it must exist."`
	Region          string        `env:"STORAGE_REGION" default:"auto" help:"Region of the bucket; auto where the service has none."`
	PublicURL       string        `env:"STORAGE_PUBLIC_URL" check:"url" shown:"none" help:"Base URL at which everybody may read the objects of the bucket; files then have a publicUrl, too. Only for a bucket that is public."`
	Dir             string        `env:"STORAGE_DIR" shown:"none; without DATABASE_URL DATA_DIR/files" help:"Folder for files, instead of a bucket. Several servers must share it."`
	Timeout         time.Duration `env:"STORAGE_TIMEOUT_MS" default:"30000" min:"100" max:"600000" unit:"ms" help:"A request to the service is given up when it has been silent for so long."`
	MaxUpload       int64         `env:"MAX_UPLOAD_BYTES" default:"52428800" min:"1" max:"5368709120" unit:"bytes" help:"Largest file; more is answered 413."`
	BaseURL         string        `env:"PUBLIC_URL" check:"url" shown:"http://localhost and the port" help:"URL at which clients reach this server, for the links to files in a folder."`
}

// HasBucket reports whether everything that a bucket needs is set.
func (s Storage) HasBucket() bool { return len(s.missing()) == 0 }

// IsEmpty reports whether nothing says where files are.
func (s Storage) IsEmpty() bool { return len(s.missing()) == len(s.needed()) && s.Dir == "" }

// needed are the variables of a bucket.
func (s Storage) needed() [][2]string {
	return [][2]string{
		{"STORAGE_ENDPOINT", s.Endpoint},
		{"STORAGE_ACCESS_KEY_ID", s.AccessKeyID},
		{"STORAGE_SECRET_ACCESS_KEY", s.SecretAccessKey.Reveal()},
		{"STORAGE_BUCKET", s.Bucket},
	}
}

// missing are those that are not set.
func (s Storage) missing() []string {
	var out []string
	for _, v := range s.needed() {
		if v[1] == "" {
			out = append(out, v[0])
		}
	}
	return out
}

// Seed is what the seed command makes.
type Seed struct {
	Count int `env:"SEED_COUNT" default:"0" min:"0" max:"1000000" unit:"records" help:"Random records of each kind for each tenant, beside the fixed ones."`
}

// Log is what the program writes about itself.
type Log struct {
	Level     string        `env:"LOG_LEVEL" default:"info" enum:"trace|debug|info|warn|error|fatal" help:"Least level that is written."`
	Format    string        `env:"LOG_FORMAT" default:"auto" enum:"auto|json|console" help:"One JSON object a line, or text for people; auto is text on a terminal and JSON elsewhere."`
	SlowQuery time.Duration `env:"SLOW_QUERY_MS" default:"200" min:"1" max:"3600000" unit:"ms" help:"A statement that takes at least this long is logged as a warning and counted as slow."`
}

// Tracing is where traces go. Without an endpoint there are none, and they cost nothing.
type Tracing struct {
	Endpoint string  `env:"OTEL_EXPORTER_OTLP_ENDPOINT" check:"url" shown:"none: no traces" help:"Base URL of an OpenTelemetry collector that takes OTLP over HTTP, such as http://localhost:4318; traces go to /v1/traces below it."`
	Ratio    float64 `env:"TRACE_RATIO" default:"1" min:"0" max:"1" help:"Part of the requests and jobs that is traced. A request whose traceparent header says whether its trace is recorded is not counted: it follows that."`
}

// IsProduction reports whether APP_ENV is production.
func (c Config) IsProduction() bool { return c.AppEnv == Production }
