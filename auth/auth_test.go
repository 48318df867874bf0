package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/auth"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

const (
	secret = "0123456789abcdef0123456789abcdef"
	issuer = "stackforge-test"
)

// keys are API keys in memory; it counts what it is asked.
type keys struct {
	mu      sync.Mutex
	grants  map[string]apikey.Grant // by hash
	asked   int
	fail    error
	now     func() time.Time
	touched []map[uuid.UUID]time.Time
	wait    chan struct{} // when not nil, look-ups wait for it
}

func (k *keys) find(match func(hash string, g apikey.Grant) bool) (apikey.Grant, error) {
	if k.wait != nil {
		<-k.wait
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if k.fail != nil {
		return apikey.Grant{}, k.fail
	}
	for hash, g := range k.grants {
		if match(hash, g) && (g.ExpiresAt == nil || k.now().Before(*g.ExpiresAt)) {
			return g, nil
		}
	}
	return apikey.Grant{}, errs.New(errs.NotFound, "There is no such key.")
}

func (k *keys) Authenticate(_ context.Context, hash string) (apikey.Grant, error) {
	return k.find(func(h string, _ apikey.Grant) bool { return h == hash })
}

func (k *keys) AuthenticateID(_ context.Context, id uuid.UUID) (apikey.Grant, error) {
	return k.find(func(_ string, g apikey.Grant) bool { return g.KeyID == id })
}

func (k *keys) Touch(_ context.Context, ids []uuid.UUID, times []time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	batch := map[uuid.UUID]time.Time{}
	for i, id := range ids {
		batch[id] = times[i]
	}
	k.touched = append(k.touched, batch)
	return nil
}

// add makes a key for a tenant of its own, which ends at the given time unless that is zero.
func (k *keys) add(plaintext string, ends time.Time, scopes ...string) apikey.Grant {
	g := apikey.Grant{TenantID: uuid.New(), KeyID: uuid.New(), Scopes: scopes}
	if !ends.IsZero() {
		g.ExpiresAt = &ends
	}
	k.put(plaintext, g)
	return g
}

func (k *keys) put(plaintext string, g apikey.Grant) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.grants[apikey.Hash(plaintext)] = g
}

func (k *keys) revoke(plaintext string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.grants, apikey.Hash(plaintext))
}

func (k *keys) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

func (k *keys) writes() []map[uuid.UUID]time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.touched)
}

// clock is a time that moves when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type bundle struct {
	auth  *auth.Authenticator
	clock *clock
	keys  *keys
	log   *bytes.Buffer
}

func setup(tb testing.TB) bundle {
	tb.Helper()

	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b := bundle{clock: c, keys: &keys{grants: map[string]apikey.Grant{}, now: c.now}, log: &bytes.Buffer{}}
	var err error
	b.auth, err = auth.New(auth.Config{
		Issuer: issuer, JWTSecret: []byte(secret), Keys: b.keys, Log: zerolog.New(b.log), Now: c.now,
	})
	require.NoError(tb, err)
	return b
}

func (b bundle) token(tb testing.TB, plaintext string) string {
	tb.Helper()

	s, _, err := b.auth.Authenticate(tb.Context(), auth.Credentials{APIKey: plaintext})
	require.NoError(tb, err)
	text, err := b.auth.IssueToken(s)
	require.NoError(tb, err)
	return text
}

func (b bundle) code(tb testing.TB, c auth.Credentials) errs.Code {
	tb.Helper()

	s, until, err := b.auth.Authenticate(tb.Context(), c)
	if err == nil {
		return ""
	}
	require.Zero(tb, s)
	require.Zero(tb, until)
	return errs.From(err).Code
}

const key = "sk_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func TestAuthenticate(t *testing.T) {
	t.Parallel()

	t.Run("a key counts in either header", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		g := b.keys.add(key, time.Time{}, "jobs:read")
		want := tenant.Scope{TenantID: g.TenantID, KeyID: g.KeyID, Scopes: []string{"jobs:read"}}
		for _, c := range []auth.Credentials{{APIKey: key}, {Bearer: key}, {APIKey: key, Bearer: key}} {
			s, until, err := b.auth.Authenticate(t.Context(), c)
			require.NoError(t, err)
			require.Equal(t, want, s)
			require.Zero(t, until)
		}
		require.Equal(t, 1, b.keys.count(), "the second and third answer come from memory")
	})

	t.Run("a token stands for its key", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		g := b.keys.add(key, time.Time{}, "jobs:read")
		s, until, err := b.auth.Authenticate(t.Context(), auth.Credentials{Bearer: b.token(t, key)})
		require.NoError(t, err)
		require.Equal(t, tenant.Scope{TenantID: g.TenantID, KeyID: g.KeyID, Scopes: []string{"jobs:read"}, Token: true}, s)
		require.Equal(t, b.clock.now().Add(time.Hour), until.UTC())
	})

	t.Run("key and token must be of one tenant", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		g := b.keys.add(key, b.clock.now().Add(time.Minute), "*")
		b.keys.add("another tenant's", time.Time{}, "*")
		sister := apikey.Grant{TenantID: g.TenantID, KeyID: uuid.New(), Scopes: []string{"jobs:read"}}
		b.keys.put("of the same tenant", sister)

		s, until, err := b.auth.Authenticate(t.Context(), auth.Credentials{APIKey: "of the same tenant", Bearer: b.token(t, key)})
		require.NoError(t, err)
		require.Equal(t, sister.KeyID, s.KeyID, "the scope is the key's")
		require.Equal(t, *g.ExpiresAt, until, "the end is the earlier one")
		for name, c := range map[string]auth.Credentials{
			"token of another tenant": {APIKey: key, Bearer: b.token(t, "another tenant's")},
			"key of another tenant":   {APIKey: key, Bearer: "another tenant's"},
			"unknown key":             {APIKey: "nobody's", Bearer: b.token(t, key)},
			"bad token":               {APIKey: key, Bearer: "a.b.c"},
			"unknown bearer":          {APIKey: key, Bearer: "nobody's"},
		} {
			require.Equal(t, errs.Unauthenticated, b.code(t, c), name)
		}
	})

	t.Run("the database's failure is no refusal and is not remembered", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.keys.add(key, time.Time{}, "*")
		b.keys.fail = errs.New(errs.Unavailable, "The database cannot be reached; try again.")
		require.Equal(t, errs.Unavailable, b.code(t, auth.Credentials{APIKey: key}))
		b.keys.fail = nil
		require.Empty(t, b.code(t, auth.Credentials{APIKey: key}))
	})

	t.Run("a caller that gives up does not wait", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.keys.wait = make(chan struct{})
		defer close(b.keys.wait)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := b.auth.Authenticate(ctx, auth.Credentials{APIKey: key})
		require.ErrorIs(t, err, context.Canceled)
	})
}

// sign makes a token of any content with any key.
func sign(tb testing.TB, method jwt.SigningMethod, with any, change func(c jwt.MapClaims)) string {
	tb.Helper()

	c := jwt.MapClaims{
		"iss": issuer, "sub": uuid.Nil.String(), "tenant_id": uuid.Nil.String(), "scopes": []string{"*"},
		"iat": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Unix(), "exp": time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC).Unix(),
	}
	change(c)
	text, err := jwt.NewWithClaims(method, c).SignedString(with)
	require.NoError(tb, err)
	return text
}

func TestBadCredentials(t *testing.T) {
	t.Parallel()

	b := setup(t)
	g := b.keys.add(key, time.Time{}, "*")
	b.keys.add("expired", b.clock.now(), "*")
	long := strings.Repeat("k", auth.MaxKeyBytes)
	b.keys.add(long+"k", time.Time{}, "*")
	good := b.token(t, key)
	part := strings.Split(good, ".")
	mine := func(c jwt.MapClaims) { c["sub"], c["tenant_id"] = g.KeyID.String(), g.TenantID.String() }
	with := func(name string, value any) string {
		return sign(t, jwt.SigningMethodHS256, []byte(secret), func(c jwt.MapClaims) {
			mine(c)
			if c[name] = value; value == nil {
				delete(c, name)
			}
		})
	}
	require.Empty(t, b.code(t, auth.Credentials{Bearer: with("scopes", []string{"*"})}), "the test's own tokens are good")
	payload, err := base64.RawURLEncoding.DecodeString(part[1])
	require.NoError(t, err)
	forged := base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte(g.TenantID.String()), []byte(uuid.NewString()), 1))

	cases := map[string]auth.Credentials{
		"none":                      {},
		"unknown key":               {APIKey: "sk_live_unknown"},
		"unknown bearer key":        {Bearer: "sk_live_unknown"},
		"expired key":               {APIKey: "expired"},
		"SQL text":                  {APIKey: "' OR 1=1; DROP TABLE api_keys; --"},
		"control characters":        {APIKey: "sk_live_\x00\n\xff"},
		"key too long":              {APIKey: long + "k"},
		"bearer key too long":       {Bearer: long + "k"},
		"megabytes":                 {APIKey: strings.Repeat("k", 4<<20)},
		"two dots only":             {Bearer: ".."},
		"malformed token":           {Bearer: "not.a.token"},
		"token in the key's place":  {APIKey: good},
		"token too long":            {Bearer: good + strings.Repeat("A", auth.MaxTokenBytes)},
		"payload changed":           {Bearer: part[0] + "." + forged + "." + part[2]},
		"signature changed":         {Bearer: part[0] + "." + part[1] + "." + strings.Repeat("A", len(part[2]))},
		"signature left out":        {Bearer: part[0] + "." + part[1] + "."},
		"algorithm none":            {Bearer: sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, mine)},
		"algorithm HS512":           {Bearer: sign(t, jwt.SigningMethodHS512, []byte(secret), mine)},
		"another secret":            {Bearer: sign(t, jwt.SigningMethodHS256, []byte("another secret of thirty-two bytes"), mine)},
		"another issuer":            {Bearer: with("iss", "somebody")},
		"no issuer":                 {Bearer: with("iss", nil)},
		"no expiry":                 {Bearer: with("exp", nil)},
		"expired token":             {Bearer: with("exp", b.clock.now().Unix())},
		"not valid yet":             {Bearer: with("nbf", b.clock.now().Add(time.Minute).Unix())},
		"key id is no id":           {Bearer: with("sub", "1; DROP TABLE api_keys")},
		"no key id":                 {Bearer: with("sub", nil)},
		"unknown key id":            {Bearer: with("sub", uuid.NewString())},
		"tenant is no id":           {Bearer: with("tenant_id", "x")},
		"tenant is not of the key":  {Bearer: with("tenant_id", uuid.NewString())},
		"no tenant":                 {Bearer: with("tenant_id", nil)},
		"signed by us, no JSON map": {Bearer: part[0] + "." + base64.RawURLEncoding.EncodeToString([]byte("[]")) + "." + part[2]},
	}
	for name, c := range cases {
		_, _, err := b.auth.Authenticate(t.Context(), c)
		var e *errs.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, *errs.New(errs.Unauthenticated, "A valid API key or token is required."), *e, name)
	}
	require.Empty(t, b.code(t, auth.Credentials{Bearer: good}), "and the good one still is")

	for name, c := range cases {
		for _, sent := range []string{c.APIKey, c.Bearer} {
			if len(sent) > 5 && sent != "expired" {
				require.NotContains(t, b.log.String(), sent, name)
			}
		}
	}
	require.NotContains(t, b.log.String(), secret)
	require.NotContains(t, b.log.String(), key)
}

func TestMemory(t *testing.T) {
	t.Parallel()

	t.Run("a revoked key and its token end within 30 seconds", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.keys.add(key, time.Time{}, "*")
		token := b.token(t, key)
		require.Empty(t, b.code(t, auth.Credentials{Bearer: token}))
		b.keys.revoke(key)
		b.clock.forward(30*time.Second - time.Nanosecond)
		require.Empty(t, b.code(t, auth.Credentials{APIKey: key}), "it is remembered for so long")
		b.clock.forward(time.Nanosecond)
		require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{APIKey: key}))
		require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{Bearer: token}))
	})

	t.Run("a forgotten key ends at once", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		g := b.keys.add(key, time.Time{}, "*")
		token := b.token(t, key)
		require.Empty(t, b.code(t, auth.Credentials{Bearer: token}))
		b.keys.revoke(key)
		b.auth.Forget(g.KeyID)
		require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{APIKey: key}))
		require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{Bearer: token}))
	})

	t.Run("expiry is honoured to the instant, also for what is remembered", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		g := b.keys.add(key, b.clock.now().Add(10*time.Second), "*")
		token := b.token(t, key)
		_, until, err := b.auth.Authenticate(t.Context(), auth.Credentials{Bearer: token})
		require.NoError(t, err)
		require.Equal(t, *g.ExpiresAt, until, "the key ends before the token")
		b.clock.forward(10*time.Second - time.Nanosecond)
		require.Empty(t, b.code(t, auth.Credentials{APIKey: key, Bearer: token}))
		b.clock.forward(time.Nanosecond)
		require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{APIKey: key}))
		require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{Bearer: token}))
	})

	t.Run("a token ends after an hour, also one that is remembered", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.keys.add(key, time.Time{}, "*")
		token := b.token(t, key)
		require.Empty(t, b.code(t, auth.Credentials{Bearer: token}))
		b.clock.forward(time.Hour - time.Nanosecond)
		require.Empty(t, b.code(t, auth.Credentials{Bearer: token}))
		b.clock.forward(time.Nanosecond)
		require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{Bearer: token}))
	})

	t.Run("a key that was unknown is asked for again after 5 seconds", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{APIKey: key}))
		b.keys.add(key, time.Time{}, "*")
		require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{APIKey: key}))
		require.Equal(t, 1, b.keys.count(), "the dead key costs no second query")
		b.clock.forward(5 * time.Second)
		require.Empty(t, b.code(t, auth.Credentials{APIKey: key}))
	})

	t.Run("concurrent misses of one key make one query", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.keys.add(key, time.Time{}, "*")
		b.keys.wait = make(chan struct{})
		const callers = 50
		results := make(chan error, callers)
		for range callers {
			go func() {
				_, _, err := b.auth.Authenticate(t.Context(), auth.Credentials{APIKey: key})
				results <- err
			}()
		}
		close(b.keys.wait)
		for range callers {
			require.NoError(t, <-results)
		}
		require.Equal(t, 1, b.keys.count())
	})

	t.Run("a token gives no more than its key has by now", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		g := b.keys.add(key, time.Time{}, "jobs:read", "jobs:write", "documents:*")
		token := b.token(t, key)
		g.Scopes = []string{"jobs:read", "documents:*", "keys:write"}
		b.keys.put(key, g)
		b.clock.forward(31 * time.Second)
		s, _, err := b.auth.Authenticate(t.Context(), auth.Credentials{Bearer: token})
		require.NoError(t, err)
		require.Equal(t, []string{"jobs:read", "documents:*"}, s.Scopes)
	})
}

func TestIssueToken(t *testing.T) {
	t.Parallel()

	t.Run("it holds what is documented", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.clock.forward(400 * time.Millisecond)
		g := b.keys.add(key, time.Time{}, "jobs:read")
		var c jwt.MapClaims
		parsed, _, err := jwt.NewParser().ParseUnverified(b.token(t, key), &c)
		require.NoError(t, err)
		require.Equal(t, "HS256", parsed.Header["alg"])
		iat := float64(b.clock.now().Unix())
		require.Equal(t, jwt.MapClaims{
			"iss": issuer, "sub": g.KeyID.String(), "tenant_id": g.TenantID.String(), "scopes": []any{"jobs:read"},
			"iat": iat, "exp": iat + 3600,
		}, c)
	})

	t.Run("a token makes no token, and nor does a caller without a key", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.keys.add(key, time.Time{}, "*")
		s, _, err := b.auth.Authenticate(t.Context(), auth.Credentials{Bearer: b.token(t, key)})
		require.NoError(t, err)
		for _, s := range []tenant.Scope{s, {TenantID: uuid.New()}} {
			_, err = b.auth.IssueToken(s)
			require.Equal(t, errs.Unauthenticated, errs.From(err).Code)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()

	ok := auth.Config{Issuer: issuer, JWTSecret: []byte(secret), Keys: &keys{}}
	for name, change := range map[string]func(c *auth.Config){
		"no secret": func(c *auth.Config) { c.JWTSecret = nil },
		"no keys":   func(c *auth.Config) { c.Keys = nil },
		"no issuer": func(c *auth.Config) { c.Issuer = "" },
	} {
		c := ok
		change(&c)
		_, err := auth.New(c)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), secret[:16])
	}
	_, err := auth.New(ok)
	require.NoError(t, err)
}

// A flood of made-up keys leaves a real one working.
func TestFlood(t *testing.T) {
	t.Parallel()

	b := setup(t)
	for i := range 1500 {
		require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{APIKey: strings.Repeat("x", 1+i%500) + string(rune('a'+i/500))}))
	}
	b.keys.add(key, time.Time{}, "*")
	require.Empty(t, b.code(t, auth.Credentials{APIKey: key}))
}
