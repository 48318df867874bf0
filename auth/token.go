package auth

import (
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/tenant"
)

// TokenLifetime is how long a token holds, unless its key ends before.
const TokenLifetime = time.Hour

// claims are the content of a token: sub is the id of the key it was made from.
type claims struct {
	TenantID uuid.UUID `json:"tenant_id"`
	Scopes   []string  `json:"scopes"`
	jwt.RegisteredClaims
}

// token is a token whose signature and form were found good.
type token struct {
	keyID    uuid.UUID
	tenantID uuid.UUID
	scopes   []string
	expires  time.Time
}

// Reasons for the log. The parser's own errors may quote what the caller sent.
var (
	errExpired = errors.New("expired")
	errInvalid = errors.New("malformed, of another issuer, or not signed by us")
)

// IssueToken returns a token that holds for TokenLifetime and gives what the scope gives. It is errs.Unauthenticated
// unless the scope is that of an API key itself: a token makes no token, or it could live for ever.
func (a *Authenticator) IssueToken(s tenant.Scope) (string, error) {
	if s.Token || s.KeyID == uuid.Nil {
		return "", errs.New(errs.Unauthenticated, "A token is made from an API key; send the key itself.")
	}
	now := a.config.Now().Truncate(time.Second)
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		TenantID: s.TenantID,
		Scopes:   s.Scopes,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    a.config.Issuer,
			Subject:   s.KeyID.String(),
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(TokenLifetime)),
		},
	})
	text, err := t.SignedString(a.config.JWTSecret)
	if err != nil {
		return "", errs.Wrap(errs.Internal, err, "The token could not be made.")
	}
	return text, nil
}

// verify checks signature, form, issuer and expiry. A signature that was good stays good, so it is remembered until the
// token expires; whether the key behind it still holds is asked each time. Only tokens that we made are remembered, by
// their whole text: hashing it again would cost more than all the rest.
func (a *Authenticator) verify(text string) (*token, error) {
	now := a.config.Now()
	if t, ok := a.tokens.get(text, now); ok {
		return t, nil
	}
	var c claims
	_, err := jwt.NewParser(
		// The algorithm is ours to say, not the token's: "none" and keys used as another kind of key end here.
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(a.config.Issuer),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	).ParseWithClaims(text, &c, func(*jwt.Token) (any, error) { return a.config.JWTSecret, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, errExpired
	case err != nil:
		return nil, errInvalid
	}
	id, err := uuid.Parse(c.Subject)
	if err != nil {
		return nil, errInvalid
	}
	t := &token{keyID: id, tenantID: c.TenantID, scopes: c.Scopes, expires: c.ExpiresAt.Time}
	a.tokens.put(strings.Clone(text), t, t.expires)
	return t, nil
}
