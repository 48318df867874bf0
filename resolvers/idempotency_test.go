package resolvers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"stackforge/graph"
)

// keyed is ask with a header Idempotency-Key.
func (c caller) keyed(key, query string, v vars) answer {
	t := c.d.t
	t.Helper()

	body, err := json.Marshal(map[string]any{"query": query, "variables": v})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.d.url, strings.NewReader(string(body)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Caller", c.d.name(c.scope))
	req.Header.Set("Idempotency-Key", key)
	return do(t, req)
}

const makeUser = `mutation ($e: String!) { createUser(input: {email: $e}) { user { id email } } }`

// What a mutation tells others goes out once it is committed, under a key too, on the channels that it is about and no others.
func TestNudgesOfIdempotentMutations(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	jobs := `mutation { a: enqueueJob(input: {type: "send_email", payload: {to: "a@example.org"}}) { job { id } }
		b: enqueueJob(input: {type: "send_email", payload: {to: "b@example.org"}}) { job { id } } }`
	for i, m := range []struct {
		query    string
		channels []string // patterns
	}{
		{jobs, []string{"jobs_ready", "jobs_ready"}},
		{`mutation { sendMessages(input: {queue: "q", messages: [{payload: 1}]}) { sent } }`, []string{"messages_0[0-7]"}},
		{`mutation { setWebhook(input: {url: "https://example.org/"}) { webhook { url } } }`, []string{"webhooks_ready"}},
		{`mutation { createUser(input: {email: "a@example.org"}) { user { id } } }`, nil},
	} {
		for _, replayed := range []bool{false, true} {
			a := c.keyed(fmt.Sprintf("mutation-%d", i), m.query, nil)
			require.Empty(t, a.Errors, a.raw)
			got := d.nudged.take()
			if replayed {
				require.Empty(t, got)
				continue
			}
			require.Len(t, got, len(m.channels), "%s: %s", m.query, got)
			for i, pattern := range m.channels {
				require.Regexp(t, "^"+pattern+"$", got[i])
			}
		}
	}
	a := c.keyed("undone", `mutation { a: enqueueJob(input: {type: "send_email", payload: {to: "a@example.org"}}) { job { id } } retryJob(input: {id: "999999"}) { job { id } } }`, nil)
	require.Equal(t, []string{"NOT_FOUND"}, a.codes())
	require.Empty(t, d.nudged.take(), "nobody is told of what was undone")
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	users := func(email string) int { return d.count(`SELECT count(*)::int FROM app_users WHERE email = $1`, email) }
	byDirective := func(directive, e string) string {
		return fmt.Sprintf(`mutation %s { createUser(input: {email: %q}) { user { id email } } }`, directive, e)
	}

	// Header, directive on the operation, on the field, with a variable: each twice.
	for i, twice := range []func(email string) (answer, answer){
		func(e string) (answer, answer) {
			return c.keyed("header", makeUser, vars{"e": e}), c.keyed("header", makeUser, vars{"e": e})
		},
		func(e string) (answer, answer) {
			q := byDirective(`@idempotent(key: "operation")`, e)
			return c.ask(q, nil), c.ask(q, nil)
		},
		func(e string) (answer, answer) {
			q := fmt.Sprintf(`mutation { createUser(input: {email: %q}) @idempotent(key: "field") { user { id email } } }`, e)
			return c.ask(q, nil), c.ask(q, nil)
		},
		func(e string) (answer, answer) {
			q := `mutation ($e: String!, $k: String!) @idempotent(key: $k) { createUser(input: {email: $e}) { user { id email } } }`
			v := vars{"e": e, "k": "variable"}
			return c.ask(q, v), c.ask(q, v)
		},
		func(e string) (answer, answer) {
			q := byDirective(`@idempotent(key: "both")`, e)
			return c.keyed("both", q, nil), c.keyed("both", q, nil)
		},
	} {
		email := fmt.Sprintf("user-%d@example.org", i)
		first, second := twice(email)
		require.Empty(t, first.Errors, first.raw)
		require.Equal(t, first.raw, second.raw)
		require.Equal(t, 1, users(email))
	}

	// The key of another request, and of another tenant.
	a := c.keyed("header", makeUser, vars{"e": "other@example.org"})
	require.Equal(t, []string{"CONFLICT"}, a.codes())
	require.Equal(t, []string{"idempotencyKey"}, a.fields())
	require.Zero(t, users("other@example.org"))
	require.Empty(t, d.tenant().keyed("header", makeUser, vars{"e": "other@example.org"}).Errors)
	require.Equal(t, 1, users("other@example.org"))

	// Keys that are none, and too many.
	for _, key := range []string{"", "a b", strings.Repeat("k", 256)} {
		a := c.keyed(key, makeUser, vars{"e": "bad@example.org"})
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), key)
		require.Equal(t, []string{"idempotencyKey"}, a.fields())
	}
	for _, bad := range []answer{
		c.keyed("one", byDirective(`@idempotent(key: "two")`, "bad@example.org"), nil),
		c.ask(`mutation { a: createUser(input: {email: "bad@example.org"}) @idempotent(key: "x") { user { id } } b: createUser(input: {email: "bad2@example.org"}) { user { id } } }`, nil),
	} {
		require.Equal(t, []string{"VALIDATION_FAILED"}, bad.codes(), bad.raw)
		require.Equal(t, []string{"idempotencyKey"}, bad.fields())
	}
	require.Zero(t, users("bad@example.org"))

	// A query ignores it.
	require.Equal(t, c.keyed("query", `{ viewer { keyId } }`, nil).raw, c.keyed("header", `{ viewer { keyId } }`, nil).raw)
	require.Zero(t, d.count(`SELECT count(*)::int FROM core.idempotency_keys WHERE key IN ('query', '', 'one', 'two', 'x')`))
}

func TestIdempotentOperationIsOneTransaction(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	const both = `mutation ($e: String!) { a: createUser(input: {email: "first@example.org"}) { user { id } } b: createUser(input: {email: $e}) { user { id } } }`
	a := c.keyed("k", both, vars{"e": "no address"})
	require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes())
	require.Nil(t, a.Data, "nothing of it is in effect")
	require.Zero(t, d.count(`SELECT count(*)::int FROM app_users WHERE email = 'first@example.org'`))
	a = c.keyed("k", both, vars{"e": "second@example.org"})
	require.Empty(t, a.Errors, "the key was left free: %s", a.raw)
	require.Equal(t, 2, d.count(`SELECT count(*)::int FROM app_users WHERE email IN ('first@example.org', 'second@example.org')`))
	require.Equal(t, a.raw, c.keyed("k", both, vars{"e": "second@example.org"}).raw)

	// Bulk, with what is skipped in the answer, and relations read in the same transaction.
	const bulk = `mutation ($in: CreateDocumentsInput!) { createDocuments(input: $in) { created results { index errors { field } document { id author { email } } } } }`
	in := vars{"in": vars{"onError": "SKIP", "documents": []vars{
		{"authorId": c.scope.UserID, "title": "one", "body": "x"}, {"authorId": c.scope.UserID, "title": "", "body": "x"},
	}}}
	a = c.keyed("bulk", bulk, in)
	require.Empty(t, a.Errors, a.raw)
	require.Equal(t, a.raw, c.keyed("bulk", bulk, in).raw)
	require.Equal(t, 1, d.count(`SELECT count(*)::int FROM documents`))
}

func TestIdempotentTwins(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	const enqueue = `mutation ($in: EnqueueJobInput!) { enqueueJob(input: $in) { job { id } duplicate } }`
	answers := make([]answer, 8)
	var wg sync.WaitGroup
	c.d.name(c.scope)
	for i := range answers {
		wg.Go(func() { answers[i] = c.keyed("twins", enqueue, vars{"in": vars{"type": "test_job"}}) })
	}
	wg.Wait()
	for _, a := range answers {
		require.Equal(t, answers[0].raw, a.raw)
		require.Empty(t, a.Errors)
	}
	require.Equal(t, 1, d.count(`SELECT count(*)::int FROM jobs`))
}

func TestIdempotencyKeepsNoSecret(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	a := c.keyed("k", createKey, vars{"in": vars{"name": "one"}})
	require.Empty(t, a.Errors)
	require.Contains(t, createKey, "plaintext")
	again := c.keyed("k", createKey, vars{"in": vars{"name": "one"}})
	require.Equal(t, []string{"CONFLICT"}, again.codes())
	require.Equal(t, 1, d.count(`SELECT count(*)::int FROM api_keys WHERE name = 'one'`), "it was done once")
	require.Equal(t, 1, d.count(`SELECT count(*)::int FROM core.idempotency_keys WHERE key = 'k' AND response IS NULL`))

	// Without the secret in the answer there is nothing against keeping it; a fragment hides none.
	const plain = `mutation { createApiKey(input: {name: "two"}) { apiKey { id } } }`
	a, again = c.keyed("plain", plain, nil), c.keyed("plain", plain, nil)
	require.Empty(t, a.Errors)
	require.Equal(t, a.raw, again.raw)
	const hidden = `mutation { createApiKey(input: {name: "three"}) { ...F } } fragment F on CreateApiKeyPayload { ... on CreateApiKeyPayload { plaintext } }`
	require.Empty(t, c.keyed("hidden", hidden, nil).Errors)
	require.Equal(t, []string{"CONFLICT"}, c.keyed("hidden", hidden, nil).codes())
}

// A repetition by a key of fewer permissions reads nothing that it may not.
func TestIdempotencyAndPermissions(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	require.Empty(t, c.keyed("k", makeUser, vars{"e": "a@example.org"}).Errors)
	a := c.with("documents:read").keyed("k", makeUser, vars{"e": "a@example.org"})
	require.Equal(t, []string{"CONFLICT"}, a.codes())
	a = c.with("documents:read").keyed("other", makeUser, vars{"e": "b@example.org"})
	require.Equal(t, []string{"FORBIDDEN"}, a.codes())
}

// Without a key a mutation costs the database what it did: one statement and no transaction of several.
func TestNoIdempotencyKeyCostsNothing(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	d.statements.take()
	c.get(makeUser, vars{"e": "a@example.org"})
	require.Equal(t, []string{"user.Create"}, d.statements.take())
	require.Empty(t, c.keyed("k", makeUser, vars{"e": "b@example.org"}).Errors)
	require.Equal(t, []string{"idempotency.Claim", "user.Create", "idempotency.Keep"}, d.statements.take())
}

// Every field that is shown once is marked, so that no answer with it is kept.
func TestSecretsAreMarked(t *testing.T) {
	t.Parallel()

	shownOnce := regexp.MustCompile(`(?i)^(secret|plaintext|token|password)$`)
	found := 0
	for _, def := range graph.NewExecutableSchema(graph.Config{}).Schema().Types {
		for _, f := range def.Fields {
			if def.Kind != ast.Object || !strings.HasSuffix(def.Name, "Payload") || !shownOnce.MatchString(f.Name) {
				continue
			}
			found++
			require.NotNil(t, f.Directives.ForName("secret"), "%s.%s lacks @secret", def.Name, f.Name)
		}
	}
	require.GreaterOrEqual(t, found, 4)
}
