package auth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/auth"
	"stackforge/errs"
	"stackforge/tenant"
)

func TestFromRequest(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		headers []string
		want    auth.Credentials
	}{
		"none":                       {nil, auth.Credentials{}},
		"key":                        {[]string{"x-api-key", "k"}, auth.Credentials{APIKey: "k"}},
		"bearer":                     {[]string{"Authorization", "Bearer k"}, auth.Credentials{Bearer: "k"}},
		"scheme in any case":         {[]string{"authorization", "bEARER  k "}, auth.Credentials{Bearer: "k"}},
		"both":                       {[]string{"X-API-Key", "a", "Authorization", "Bearer b"}, auth.Credentials{APIKey: "a", Bearer: "b"}},
		"another scheme is not ours": {[]string{"Authorization", "Basic dTpw"}, auth.Credentials{}},
		"no scheme":                  {[]string{"Authorization", "sk_live_x"}, auth.Credentials{}},
		"empty":                      {[]string{"x-api-key", "", "Authorization", "Bearer "}, auth.Credentials{}},
		"two keys do not hide one":   {[]string{"x-api-key", "a", "x-api-key", "b"}, auth.Credentials{APIKey: "a,b"}},
		"one key twice":              {[]string{"x-api-key", "a", "x-api-key", "a"}, auth.Credentials{APIKey: "a"}},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for i := 0; i < len(c.headers); i += 2 {
			r.Header.Add(c.headers[i], c.headers[i+1])
		}
		require.Equal(t, c.want, auth.FromRequest(r), name)
	}
}

func TestFromInit(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		payload string
		want    auth.Credentials
	}{
		"none":                  {`{}`, auth.Credentials{}},
		"null":                  {`null`, auth.Credentials{}},
		"apiKey":                {`{"apiKey": "k"}`, auth.Credentials{APIKey: "k"}},
		"x-api-key in any case": {`{"X-Api-Key": "k"}`, auth.Credentials{APIKey: "k"}},
		"authorization":         {`{"Authorization": "Bearer k"}`, auth.Credentials{Bearer: "k"}},
		"within headers":        {`{"headers": {"AUTHORIZATION": "bearer b", "x-api-key": "a"}}`, auth.Credentials{APIKey: "a", Bearer: "b"}},
		"the same twice":        {`{"apiKey": "k", "headers": {"x-api-key": "k"}}`, auth.Credentials{APIKey: "k"}},
		"nested too deep":       {`{"headers": {"headers": {"x-api-key": "k"}}}`, auth.Credentials{}},
		"not text":              {`{"apiKey": 1, "authorization": ["Bearer k"], "headers": "x-api-key"}`, auth.Credentials{}},
	} {
		var payload map[string]any
		require.NoError(t, json.Unmarshal([]byte(c.payload), &payload))
		require.Equal(t, c.want, auth.FromInit(payload), name)
	}

	two := auth.FromInit(map[string]any{"apiKey": "a", "x-api-key": "b"})
	require.Contains(t, []string{"a,b", "b,a"}, two.APIKey, "different values are no credential")
}

func answer(w http.ResponseWriter, _ *http.Request, err error) {
	w.WriteHeader(errs.Status(errs.From(err).Code))
}

func TestMiddleware(t *testing.T) {
	t.Parallel()

	b := setup(t)
	g := b.keys.add(key, time.Time{}, "*")
	var seen tenant.Scope
	h := b.auth.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var err error
		seen, err = tenant.From(r.Context())
		require.NoError(t, err)
	}), answer)

	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Zero(t, seen, "the handler was not called")

	w = httptest.NewRecorder()
	r.Header.Set("x-api-key", key)
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, g.TenantID, seen.TenantID)
}

func TestTokenHandler(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.keys.add(key, time.Time{}, "*")
	h := b.auth.TokenHandler(answer)
	post := func(name, value string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/auth/token", nil)
		r.Header.Set(name, value)
		h.ServeHTTP(w, r)
		return w
	}

	var got struct {
		Token     string `json:"token"`
		ExpiresIn int    `json:"expiresIn"`
	}
	for name, value := range map[string]string{"x-api-key": key, "Authorization": "Bearer " + key} {
		w := post(name, value)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		require.Equal(t, 3600, got.ExpiresIn)
		require.Len(t, strings.Split(got.Token, "."), 3)
		require.Empty(t, b.code(t, auth.Credentials{Bearer: got.Token}))
	}
	require.Equal(t, http.StatusUnauthorized, post("Authorization", "Bearer "+got.Token).Code, "a token makes no token")
	require.Equal(t, http.StatusUnauthorized, post("x-api-key", "unknown").Code)
	require.Equal(t, http.StatusUnauthorized, post("x-api-key", "").Code)
}

func BenchmarkAuthenticate(b *testing.B) {
	s := setup(b)
	s.keys.add(key, time.Time{}, "*")
	for name, c := range map[string]auth.Credentials{"key": {APIKey: key}, "token": {Bearer: s.token(b, key)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := s.auth.Authenticate(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"-parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, _, err := s.auth.Authenticate(b.Context(), c); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	if asked := s.keys.count(); asked > 2 {
		b.Fatalf("the hot path asked %d times", asked)
	}
}
