// Package apikey makes, lists, changes, revokes and looks up API keys. A key's plaintext is returned once, by Create or Rotate; the
// database holds its SHA-256, which no role of the product may read. A plain hash is enough because a key has 256 random bits.
package apikey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/tenant"
)

// The form of a key: sk_live_ and 32 random bytes in base64url, 51 characters. Its first 12 are kept to be shown.
const (
	marker      = "sk_live_"
	randomBytes = 32
	prefixChars = 12
)

// ChangedChannel is notified when keys were revoked or changed.
const ChangedChannel = "api_keys_changed"

// maxList bounds List.
const maxList = 100

// Key is what may be shown of an API key.
type Key struct {
	ID         uuid.UUID
	TenantID   uuid.UUID
	Prefix     string // the first 12 characters of the plaintext
	Name       string
	Scopes     []string
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil for never
	RevokedAt  *time.Time // nil unless it was revoked
	LastUsedAt *time.Time // nil until it is used; to the second

	PreviousEndsAt *time.Time // until when the secret before the last rotation goes on; nil when there is none
}

// columns are those of Key.
const columns = `
		       id,
		       tenant_id,
		       key_prefix AS prefix,
		       name,
		       scopes,
		       created_at,
		       expires_at,
		       revoked_at,
		       last_used_at,
		       CASE WHEN previous_ends_at > now() THEN previous_ends_at END AS previous_ends_at`

// Grant is what a valid key gives its holder.
type Grant struct {
	TenantID  uuid.UUID
	KeyID     uuid.UUID
	Scopes    []string
	ExpiresAt *time.Time // nil for never

	RequestsPerMinute int // that the tenant's operator has set for each key; 0 for none
}

// Repo reads and changes API keys.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// Hash returns what the database knows of a plaintext: its SHA-256 in hex.
func Hash(plaintext string) string {
	sum := sha256.Sum256([]byte(plaintext))
	return hex.EncodeToString(sum[:])
}

// Authenticate returns what the key with this hash gives, whatever its tenant. It is errs.NotFound when there is no such
// key, or it has expired or was revoked.
func (r *Repo) Authenticate(ctx context.Context, hash string) (Grant, error) {
	return db.Get[Grant](ctx, db.Read(r.db), "key", `
		-- name: apikey.Authenticate
		SELECT tenant_id,
		       key_id,
		       scopes,
		       expires_at,
		       key_request_rate(key_id) AS requests_per_minute
		FROM authenticate_key(@hash)`,
		pgx.NamedArgs{"hash": hash})
}

// AuthenticateID is Authenticate for a key that is named by its id, as a token does.
func (r *Repo) AuthenticateID(ctx context.Context, id uuid.UUID) (Grant, error) {
	return db.Get[Grant](ctx, db.Read(r.db), "key", `
		-- name: apikey.AuthenticateID
		SELECT tenant_id,
		       key_id,
		       scopes,
		       expires_at,
		       key_request_rate(key_id) AS requests_per_minute
		FROM authenticate_key_id(@id)`,
		pgx.NamedArgs{"id": id})
}

// Create makes a key for the caller's tenant and returns it with its plaintext, which cannot be had again. Without scopes
// it may do what the caller may, except what operators may; it is errs.Forbidden to give more, or an operator's scope, and errs.Validation for a name, scope or expiry that
// cannot be.
func (r *Repo) Create(ctx context.Context, name string, scopes []string, expiresAt *time.Time) (Key, string, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Key{}, "", err
	}
	if len(scopes) == 0 {
		scopes = s.Grantable()
	}
	for _, scope := range scopes {
		if !s.Allows(scope) {
			return Key{}, "", errs.New(errs.Forbidden, "A key cannot give permissions that its maker lacks.")
		}
	}
	plaintext := newPlaintext()
	k, err := db.Get[Key](ctx, r.db, "key", `
		-- name: apikey.Create
		WITH made AS MATERIALIZED (
		    SELECT create_api_key(@tenant, @name, @prefix, @hash, @scopes, @expires) AS id)
		SELECT id,
		       @tenant::uuid AS tenant_id,
		       @prefix::text AS prefix,
		       @name::text AS name,
		       @scopes::text[] AS scopes,
		       now() AS created_at,
		       @expires::timestamptz AS expires_at
		FROM made`,
		pgx.NamedArgs{
			"tenant": s.TenantID, "name": name, "prefix": plaintext[:prefixChars], "hash": Hash(plaintext),
			"scopes": scopes, "expires": expiresAt,
		})
	if err != nil {
		return Key{}, "", err
	}
	return k, plaintext, nil
}

// List returns the newest 100 keys of the caller's tenant, revoked and expired ones too.
func (r *Repo) List(ctx context.Context) ([]Key, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[Key](ctx, db.Read(r.db), `
		-- name: apikey.List
		SELECT`+columns+`
		FROM api_keys
		WHERE tenant_id = @tenant
		ORDER BY created_at DESC, id DESC
		LIMIT @limit`,
		pgx.NamedArgs{"tenant": s.TenantID, "limit": maxList})
}

// Count returns how many keys the caller's tenant has, revoked and expired ones too.
func (r *Repo) Count(ctx context.Context) (int, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	return db.Get[int](ctx, db.Read(r.db), "count", `
		-- name: apikey.Count
		SELECT count(*)
		FROM api_keys
		WHERE tenant_id = @tenant`,
		pgx.NamedArgs{"tenant": s.TenantID})
}

// Get returns one key. It is errs.NotFound when the caller's tenant has none with this id.
func (r *Repo) Get(ctx context.Context, id uuid.UUID) (Key, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Key{}, err
	}
	return db.Get[Key](ctx, db.Read(r.db), "key", `
		-- name: apikey.Get
		SELECT`+columns+`
		FROM api_keys
		WHERE tenant_id = @tenant AND id = @id`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id})
}

// Page returns a page of keys, newest first, revoked and expired ones too. It is errs.Validation, naming the argument, for a
// page that cannot be.
//
// Index: ix_api_keys_created.
func (r *Repo) Page(ctx context.Context, p query.Page) ([]Key, query.Info, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, query.Info{}, err
	}
	w := query.NewWhere(s.TenantID)
	return query.Fetch(w, p, newest(), func(win query.Window) ([]Key, error) {
		return db.List[Key](ctx, db.Read(r.db), `
			-- name: apikey.Page
			SELECT`+columns+`
			FROM api_keys
			WHERE `+query.And("tenant_id = $1", win.Where)+`
			`+win.OrderBy, w.Args()...)
	})
}

// Cursor returns the place of a key in Page, for Page.After.
func Cursor(k Key) string {
	return newest().Cursor(k.CreatedAt.UTC().Format(time.RFC3339Nano), k.ID.String())
}

func newest() query.Order {
	return query.Order{Name: "apiKeys", Column: "created_at", Type: "timestamptz", ID: "id", IDType: "uuid", Desc: true}
}

// Revoke ends a key. It is errs.NotFound when the caller's tenant has none with this id and errs.Conflict, naming force, for the
// last one with all permissions unless force is set; revoking twice is no error.
func (r *Repo) Revoke(ctx context.Context, id uuid.UUID, force bool) error {
	s, err := tenant.From(ctx)
	if err != nil {
		return err
	}
	found, err := db.Get[bool](ctx, r.db, "key", `
		-- name: apikey.Revoke
		SELECT revoke_api_key(@tenant, @id, @force)`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id, "force": force})
	if err != nil {
		return err
	}
	if !found {
		return errs.New(errs.NotFound, "There is no such key.")
	}
	return nil
}

// Rotate gives a key a new secret and returns it with its plaintext, which cannot be had again. The old secret goes on for the
// overlap, at most 30 days; the one before it ends. It is errs.NotFound when the caller's tenant has no such key, errs.Conflict
// when it has ended, errs.Forbidden when it may do more than the caller, and errs.Validation, naming overlapSeconds.
func (r *Repo) Rotate(ctx context.Context, id uuid.UUID, overlap time.Duration) (Key, string, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Key{}, "", err
	}
	plaintext := newPlaintext()
	if _, err := db.Exec(ctx, r.db, `
		-- name: apikey.Rotate
		SELECT rotate_api_key(@tenant, @id, @prefix, @hash, @overlap, @allowed)`,
		pgx.NamedArgs{
			"tenant": s.TenantID, "id": id, "prefix": plaintext[:prefixChars], "hash": Hash(plaintext), "overlap": overlap, "allowed": s.Scopes,
		}); err != nil {
		return Key{}, "", err
	}
	k, err := r.Get(ctx, id)
	return k, plaintext, err
}

// Change is what Update changes; what is not there stays.
type Change struct {
	Name      *string
	Scopes    []string   // nil stays
	Expires   bool       // ExpiresAt counts
	ExpiresAt *time.Time // nil for never
	Force     bool       // takes permissions also from the last key that has all
}

// Update changes a key. It is errs.NotFound when the caller's tenant has no such key; errs.Conflict when it has ended, or when it
// is the last with all permissions and would lose some; errs.Forbidden, naming scopes, when it has or would get more than the
// caller; and errs.Validation.
func (r *Repo) Update(ctx context.Context, id uuid.UUID, c Change) (Key, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Key{}, err
	}
	input := map[string]any{"force": c.Force}
	if c.Name != nil {
		input["name"] = *c.Name
	}
	if c.Scopes != nil {
		input["scopes"] = c.Scopes
	}
	if c.Expires {
		input["expiresAt"] = c.ExpiresAt
	}
	text, err := json.Marshal(input)
	if err != nil {
		return Key{}, errs.From(err)
	}
	if _, err := db.Exec(ctx, r.db, `
		-- name: apikey.Update
		SELECT update_api_key(@tenant, @id, @input::jsonb, @allowed)`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id, "input": string(text), "allowed": s.Scopes}); err != nil {
		return Key{}, err
	}
	return r.Get(ctx, id)
}

// Touch records when keys, of whatever tenants, were last used. ids and times belong together by position.
func (r *Repo) Touch(ctx context.Context, ids []uuid.UUID, times []time.Time) error {
	_, err := db.Exec(ctx, r.db, `
		-- name: apikey.Touch
		SELECT touch_api_keys(@ids::uuid[], @times::timestamptz[])`,
		pgx.NamedArgs{"ids": ids, "times": times})
	return err
}

func newPlaintext() string {
	b := make([]byte, randomBytes)
	_, _ = rand.Read(b) // cannot fail: it ends the process instead
	return marker + base64.RawURLEncoding.EncodeToString(b)
}
