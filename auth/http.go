package auth

import (
	"encoding/json"
	"net/http"

	"stackforge/tenant"
)

// OnError answers a request that failed, in the form of its door; it sets WWW-Authenticate where the status is 401.
type OnError func(w http.ResponseWriter, r *http.Request, err error)

// Middleware puts the caller's scope into the request's context, or answers by onError and calls nobody.
func (a *Authenticator) Middleware(next http.Handler, onError OnError) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _, err := a.Authenticate(r.Context(), FromRequest(r))
		if err != nil {
			onError(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(tenant.With(r.Context(), s)))
	})
}

// TokenHandler answers POST /auth/token with a token for the API key in the request: {"token": "…", "expiresIn": 3600}.
// It authenticates by itself, so it stands outside of Middleware. A token alone is errs.Unauthenticated.
func (a *Authenticator) TokenHandler(onError OnError) http.Handler {
	type answer struct {
		Token     string `json:"token"`
		ExpiresIn int    `json:"expiresIn"` // seconds
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _, err := a.Authenticate(r.Context(), FromRequest(r))
		if err != nil {
			onError(w, r, err)
			return
		}
		token, err := a.IssueToken(s)
		if err != nil {
			onError(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store") // it is a credential
		_ = json.NewEncoder(w).Encode(answer{Token: token, ExpiresIn: int(TokenLifetime.Seconds())})
	})
}
