// Package idempotency does what a caller asks for under a key once, however often it asks. The key and the effect are one
// transaction: a crash or an error leaves neither.
package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// MaxResponse is the longest answer that is kept, in bytes; after a longer one a repetition is a conflict.
const MaxResponse = 1 << 20

// Repo keeps the keys.
type Repo struct{ db *db.DB }

// New returns a Repo. What Once runs must use the same database.
func New(d *db.DB) *Repo { return &Repo{db: d} }

// Valid reports whether a text can be a key: 1 to 255 visible ASCII characters.
func Valid(key string) bool {
	for _, c := range []byte(key) {
		if c < '!' || c > '~' {
			return false
		}
	}
	return len(key) >= 1 && len(key) <= 255
}

// Hash is what two requests under one key must have in common: the caller's permissions, and what makes up the request.
func Hash(ctx context.Context, parts ...[]byte) []byte {
	h := sha256.New()
	write := func(part []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		_, _ = h.Write(n[:])
		_, _ = h.Write(part)
	}
	if s := tenant.Lookup(ctx); s != nil {
		for _, scope := range slices.Sorted(slices.Values(s.Scopes)) {
			write([]byte(scope))
		}
	}
	write(nil)
	for _, p := range parts {
		write(p)
	}
	return h.Sum(nil)
}

// Once runs fn in one transaction with the key of the context's tenant, unless the key was used within 7 days; then it
// returns what fn returned then and replayed is true. All that fn does through this Repo's database with its context is in
// the transaction. An error of fn undoes it, leaves the key free, and is returned; fn runs at most once.
//
// fn returns the answer to keep. Without one (it has a secret in it), or with one that is longer than MaxResponse, a
// repetition is errs.Conflict. So it is with another hash, and when the first request is still under way after 10 s: until
// then Once waits for it. A key that is not Valid is errs.Validation.
func (r *Repo) Once(ctx context.Context, key string, hash []byte, fn func(ctx context.Context) ([]byte, error)) (response []byte, replayed bool, err error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, false, err
	}
	if !Valid(key) {
		return nil, false, errs.Field("idempotencyKey", "An idempotency key is 1 to 255 visible ASCII characters.")
	}
	type claim struct {
		IsNew    bool   `db:"is_new"`
		Response []byte `db:"response"`
	}
	err = r.db.Together(ctx, func(ctx context.Context) error {
		c, err := db.Get[claim](ctx, r.db, "key", `
			-- name: idempotency.Claim
			SELECT is_new, response
			FROM claim_idempotency_key(@tenant, @key, @hash)`,
			pgx.NamedArgs{"tenant": s.TenantID, "key": key, "hash": hash})
		if err != nil {
			return err
		}
		if !c.IsNew {
			response, replayed = c.Response, true
			return nil
		}
		if response, err = fn(ctx); err != nil || len(response) == 0 || len(response) > MaxResponse {
			return err
		}
		_, err = db.Exec(ctx, r.db, `
			-- name: idempotency.Keep
			SELECT keep_idempotency_response(@tenant, @key, @response)`,
			pgx.NamedArgs{"tenant": s.TenantID, "key": key, "response": response})
		return err
	})
	if err == nil && replayed && response == nil {
		err = &errs.Error{Code: errs.Conflict, Field: "idempotencyKey", Message: "This was done before, and its answer was not kept."}
	}
	return response, replayed, err
}
