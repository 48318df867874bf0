// Package auth turns credentials into the caller's scope: API keys, and tokens of one hour that are made from them. The
// doors use its middleware and handlers.
//
// Answers are remembered for at most 30 seconds, so that a request in the steady state asks the database nothing and a
// revoked key, every token made from it and every socket it opened end within that time in every process; at once where Changed
// is told of it. Expiry is honoured to the instant.
//
// Whatever is wrong with credentials, the caller reads the same sentence. Keys are found by their SHA-256: the time of
// that look-up tells at most something about a hash, from which no key can be found, so it needs no constant-time compare.
package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/tenant"
)

// Limits of what a caller may send; longer credentials are refused before they are hashed.
const (
	MaxKeyBytes   = 512
	MaxTokenBytes = 8 << 10
)

// Keys looks API keys up and records their use; *apikey.Repo on the API's handle is one.
type Keys interface {
	// Authenticate and AuthenticateID are errs.NotFound for a key that is unknown, expired or revoked.
	Authenticate(ctx context.Context, hash string) (apikey.Grant, error)
	AuthenticateID(ctx context.Context, id uuid.UUID) (apikey.Grant, error)
	Touch(ctx context.Context, ids []uuid.UUID, times []time.Time) error
}

// Config is what New needs.
type Config struct {
	Issuer    string           // `iss` of tokens; those of another issuer are refused
	JWTSecret []byte           // signs tokens; all processes share it. Configuration sees to its strength
	Keys      Keys             // where keys are
	Log       zerolog.Logger   // why credentials were refused (debug), failed writes (warn); never a credential
	Now       func() time.Time // default time.Now
}

// Authenticator checks credentials. It is safe for concurrent use.
type Authenticator struct {
	config  Config
	byHash  *lookup[digest]
	byID    *lookup[uuid.UUID]
	tokens  *cache[string, *token]
	touches *touches
	held    held
	recheck chan struct{}
}

// digest is the SHA-256 of a credential.
type digest [sha256.Size]byte

// grant is what a valid key gives, ready to be put into a context.
type grant struct {
	scope   tenant.Scope
	expires time.Time // zero for never
	touched touched
}

// New returns an Authenticator. It is an error when a part is missing.
func New(c Config) (*Authenticator, error) {
	if len(c.JWTSecret) == 0 || c.Keys == nil || c.Issuer == "" {
		return nil, errors.New("auth: JWTSecret, Keys and Issuer must be given")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &Authenticator{
		config: c, tokens: newCache[string, *token](maxEntries), touches: newTouches(),
		held: held{byKey: map[uuid.UUID]map[*hold]struct{}{}}, recheck: make(chan struct{}, 1),
	}
	a.byHash = newLookup(c.Now,
		func(d digest) string { return string(d[:]) },
		func(ctx context.Context, d digest) (apikey.Grant, error) {
			return c.Keys.Authenticate(ctx, hex.EncodeToString(d[:]))
		})
	a.byID = newLookup(c.Now, func(id uuid.UUID) string { return string(id[:]) }, c.Keys.AuthenticateID)
	return a, nil
}

// Authenticate returns who calls and until when that holds (the zero time for ever). When both a key and a token are
// given, both must be valid and of one tenant; then the scope is that of APIKey and the time the earlier one.
//
// It is errs.Unauthenticated, always with the same message, for bad credentials and for none, and what the database
// failed with otherwise. The scope's Scopes are shared: do not change them.
func (a *Authenticator) Authenticate(ctx context.Context, c Credentials) (tenant.Scope, time.Time, error) {
	switch {
	case c.APIKey == "" && c.Bearer == "":
		return a.refuse(ctx, "none given")
	case c.Bearer == "":
		return a.key(ctx, c.APIKey)
	case c.APIKey == "":
		return a.bearer(ctx, c.Bearer)
	}
	s, until, err := a.key(ctx, c.APIKey)
	if err != nil {
		return s, until, err
	}
	other, otherUntil, err := a.bearer(ctx, c.Bearer)
	if err != nil {
		return other, otherUntil, err
	}
	if s.TenantID != other.TenantID {
		return a.refuse(ctx, "key and token of different tenants")
	}
	return s, earlier(until, otherUntil), nil
}

// Current is what the key behind a scope gives by now; the scope itself when that cannot be told.
func (a *Authenticator) Current(ctx context.Context, s tenant.Scope) tenant.Scope {
	if g, err := a.byID.get(ctx, s.KeyID); err == nil {
		return g.scope
	}
	return s
}

// Forget drops what this process remembers of a key, so that its revocation counts here at once.
func (a *Authenticator) Forget(keyID uuid.UUID) {
	a.byID.known.remove(func(g *grant) bool { return g.scope.KeyID == keyID })
	a.byHash.known.remove(func(g *grant) bool { return g.scope.KeyID == keyID })
}

func (a *Authenticator) key(ctx context.Context, key string) (tenant.Scope, time.Time, error) {
	if len(key) > MaxKeyBytes {
		return a.refuse(ctx, "key too long")
	}
	g, err := a.byHash.get(ctx, sha256.Sum256([]byte(key)))
	if err != nil {
		return a.failed(ctx, err, "key unknown, expired or revoked")
	}
	a.touch(g)
	return g.scope, g.expires, nil
}

// bearer takes three parts with dots between them for a token and all else for a key.
func (a *Authenticator) bearer(ctx context.Context, text string) (tenant.Scope, time.Time, error) {
	if strings.Count(text, ".") != 2 {
		return a.key(ctx, text)
	}
	if len(text) > MaxTokenBytes {
		return a.refuse(ctx, "token too long")
	}
	t, err := a.verify(text)
	if err != nil {
		return a.refuse(ctx, "token: "+err.Error())
	}
	g, err := a.byID.get(ctx, t.keyID)
	if err != nil {
		return a.failed(ctx, err, "key of the token unknown, expired or revoked")
	}
	if g.scope.TenantID != t.tenantID {
		return a.refuse(ctx, "token names another tenant than its key")
	}
	a.touch(g)
	s := g.scope
	s.Scopes, s.Token = within(t.scopes, g.scope), true
	return s, earlier(t.expires, g.expires), nil
}

// within returns the scopes that the key has, too: they may have become fewer since the token was made.
func within(scopes []string, key tenant.Scope) []string {
	if slices.Equal(scopes, key.Scopes) {
		return key.Scopes
	}
	var out []string
	for _, scope := range scopes {
		if key.Allows(scope) {
			out = append(out, scope)
		}
	}
	return out
}

func (a *Authenticator) failed(ctx context.Context, err error, reason string) (tenant.Scope, time.Time, error) {
	if errs.Is(err, errs.NotFound) {
		return a.refuse(ctx, reason)
	}
	return tenant.Scope{}, time.Time{}, err
}

// refuse gives the reason to the log only.
func (a *Authenticator) refuse(ctx context.Context, reason string) (tenant.Scope, time.Time, error) {
	a.config.Log.Debug().Str("requestId", tenant.RequestID(ctx)).Str("reason", reason).Msg("credentials refused")
	return tenant.Scope{}, time.Time{}, unauthenticated()
}

func unauthenticated() *errs.Error {
	return errs.New(errs.Unauthenticated, "A valid API key or token is required.")
}

// earlier returns the earlier of two ends; the zero time is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
