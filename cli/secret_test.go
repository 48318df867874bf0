package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
)

// What is secret, and what clients store, is in no output: not in the logs, however much is logged, and not in metrics,
// probes and errors.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mail := newMailServer(t)
	mail.release()
	env := w.environ(append(mail.env(),
		"LOG_LEVEL=trace", "SLOW_QUERY_MS=1", "WORKER_BACKOFF_BASE_MS=1",
		"JWT_SECRET=canary-jwt-secret-of-more-than-32-bytes", "DB_PASSWORD=canary-db-password",
	)...)
	s := serveAPI(t, env, "--worker")
	c := w.caller(s)
	var token struct{ IssueToken struct{ Token string } }
	c.get(t, &token, `mutation { issueToken { token } }`, nil)
	jwt := token.IssueToken.Token

	var answers strings.Builder // to requests that were refused, and of probes
	refused := func(query string, variables map[string]any) {
		t.Helper()
		a, err := c.ask(t.Context(), query, variables)
		require.NoError(t, err)
		require.NotEmpty(t, a.codes(), "%s %s", query, a.text)
		fmt.Fprintln(&answers, a.text)
	}
	var made struct {
		CreateDocument struct{ Document struct{ ID string } }
	}
	create := `mutation ($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } } }`
	input := map[string]any{
		"authorId": w.scope.UserID.String(), "title": "canary-title", "body": "canary-body", "externalId": "canary-external",
		"metadata": map[string]any{"canary-meta": "canary-value"},
	}
	c.get(t, &made, create, map[string]any{"input": input})
	refused(create, map[string]any{"input": input}) // the externalId is taken
	input["externalId"], input["language"] = "canary-other", "canary-language"
	refused(create, map[string]any{"input": input})
	refused(`mutation { updateDocument(input: {id: "`+made.CreateDocument.Document.ID+`", body: "canary-inline", expectedVersion: 99}) { document { id } } }`, nil)
	var found struct {
		Search struct{ Nodes []struct{ Score float64 } }
	}
	c.get(t, &found, `query ($q: String!) { searchDocuments(query: $q, first: 5) { nodes { score } } }`, map[string]any{"q": "canary-searched"})

	done := c.enqueue(t, "send_email", map[string]any{"to": "canary-person@example.org", "subject": "canary-subject", "body": "canary-mail"})
	c.awaitJob(t, done, "DONE")
	failed := c.enqueue(t, "canary_type_without_handler", map[string]any{"x": "canary-payload"})
	c.awaitJob(t, failed, "FAILED")
	gone := c.enqueue(t, "generate_embedding", map[string]any{"document_id": "00000000-0000-0000-0000-00000000dead", "note": "canary-note"})
	c.awaitJob(t, gone, "FAILED")
	refused(enqueueJob, map[string]any{"input": map[string]any{"type": "send_email", "payload": map[string]any{"to": 5, "body": "canary-refused"}}})

	// What comes without a good credential, or cannot be read.
	for _, bad := range []caller{{s.url, "canary-bad-key"}, {s.url, jwt + "x"}, {s.url, w.key + "x"}} {
		a, err := bad.ask(t.Context(), `{ documents { id } }`, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, a.status)
		fmt.Fprintln(&answers, a.text)
	}
	for _, header := range [][]string{{"Authorization", "Bearer " + jwt}, {"Authorization", "Bearer " + jwt[:len(jwt)-2]}, {"X-Api-Key", w.key}} {
		_, text := page(t, s.url+"/graphql?query="+url.QueryEscape(`{ documents(filter: {title: {eq: "canary-in-url"}}) { id } }`), header...)
		fmt.Fprintln(&answers, text)
	}
	post(t, &answers, c, `{"query": "{ documents(first: \"canary-body`)
	watch := c.watch(t, "")
	watch.listening(t, c)

	// And while the database does not answer.
	w.Exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'web-%'`)
	for range 5 {
		a, err := c.ask(t.Context(), create, map[string]any{"input": input})
		require.NoError(t, err)
		fmt.Fprintln(&answers, a.text)
	}
	for _, path := range []string{"/health", "/ready", "/metrics"} {
		for _, accept := range []string{"application/json", "text/plain"} {
			_, text := page(t, s.url+path, "Accept", accept)
			fmt.Fprintln(&answers, text)
		}
	}
	s.stop()
	logs := s.stdout.String() + s.stderr.String()
	require.Contains(t, logs, `"queryName":"document.Create"`, "all is logged")

	signature := jwt[strings.LastIndexByte(jwt, '.')+1:]
	for _, secret := range []string{w.key, jwt, signature, "canary-jwt-secret", "canary-db-password"} {
		require.Empty(t, lines(logs, secret), "logs")
		require.Empty(t, lines(answers.String(), secret), "answers")
	}
	require.Empty(t, lines(logs, "canary"), "what clients send is not logged")
	require.Empty(t, lines(answers.String(), "canary"), "answers do not repeat what was sent")
	require.Len(t, mail.delivered(), 1)
}

// lines returns those with a word in them. The name of a job type is no secret.
func lines(text, word string) []string {
	var out []string
	for line := range strings.Lines(strings.ReplaceAll(text, "canary_type_without_handler", "")) {
		if strings.Contains(line, word) {
			out = append(out, line)
		}
	}
	return out
}

// post sends a body as it is.
func post(t *testing.T, answers io.Writer, c caller, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/graphql", bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", c.key)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	fmt.Fprintln(answers, string(text))
}

// The keys of the seed are shown once, on stderr, and kept nowhere.
func TestSeedKeysAreKeptNowhere(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	w := &world{DB: d, dir: t.TempDir()}
	s := serve(t, w.environ("LOG_LEVEL=trace"), "--seed", "--worker")
	shown := s.stderr.String()
	keys := keyPattern.FindAllString(shown, -1)
	require.Len(t, keys, 3)
	title(t, caller{url: s.url, key: keys[0]}, "00000000-0000-0000-0000-000000000101")
	s.stop()
	for _, key := range keys {
		require.Equal(t, 1, strings.Count(s.stderr.String(), key))
		require.Zero(t, one[int](t, w, `SELECT count(*)::int FROM api_keys k WHERE k::text LIKE '%' || $1 || '%'`, key))
	}
}
