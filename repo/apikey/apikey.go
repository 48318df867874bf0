// Package apikey makes, lists, revokes and looks up API keys. A key's plaintext is returned once, by Create; the database
// holds its SHA-256, which no role of the product may read. A plain hash is enough because a key has 256 random bits.
package apikey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// The form of a key: sk_live_ and 32 random bytes in base64url, 51 characters. Its first 12 are kept to be shown.
const (
	marker      = "sk_live_"
	randomBytes = 32
	prefixChars = 12
)

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
}

// Grant is what a valid key gives its holder.
type Grant struct {
	TenantID  uuid.UUID
	KeyID     uuid.UUID
	Scopes    []string
	ExpiresAt *time.Time // nil for never
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
		       expires_at
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
		       expires_at
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
		SELECT id,
		       tenant_id,
		       key_prefix AS prefix,
		       name,
		       scopes,
		       created_at,
		       expires_at,
		       revoked_at,
		       last_used_at
		FROM api_keys
		WHERE tenant_id = @tenant
		ORDER BY created_at DESC, id DESC
		LIMIT @limit`,
		pgx.NamedArgs{"tenant": s.TenantID, "limit": maxList})
}

// Revoke ends a key. It is errs.NotFound when the caller's tenant has none with this id; revoking twice is no error.
func (r *Repo) Revoke(ctx context.Context, id uuid.UUID) error {
	s, err := tenant.From(ctx)
	if err != nil {
		return err
	}
	found, err := db.Get[bool](ctx, r.db, "key", `
		-- name: apikey.Revoke
		SELECT revoke_api_key(@tenant, @id)`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id})
	if err != nil {
		return err
	}
	if !found {
		return errs.New(errs.NotFound, "There is no such key.")
	}
	return nil
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
