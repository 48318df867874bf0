package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"stackforge/db/dbtest"
	"stackforge/playground/playgroundtest"
)

// Every operation of the playground's examples does on a seeded server what its text says, in the order of the tabs.
func TestExamples(t *testing.T) {
	t.Parallel()

	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer receiver.Close()
	d := dbtest.New(t)
	w := &world{DB: d, dir: t.TempDir()}
	s := serve(t, w.environ("STORAGE_DIR="+t.TempDir(), "WEBHOOK_ALLOW_PRIVATE=1"), "--seed", "--worker")
	v := visitor{t: t, caller: caller{url: s.url, key: shownKey(t, s.stderr.String())}, got: map[string]json.RawMessage{}, hook: receiver.URL}
	for _, e := range playgroundtest.Examples(t, "../playground/web/examples.js") {
		document, err := parser.ParseQuery(&ast.Source{Input: e.Query})
		require.NoError(t, err)
		for i, operation := range document.Operations {
			written := e.Variables
			if i > 0 {
				written = ""
			}
			v.run(e.Query, operation, written)
		}
	}
	v.check()
}

// visitor runs the examples one after the other, and fills in what a person would take from the answers before.
type visitor struct {
	t *testing.T
	caller
	got  map[string]json.RawMessage // the answers by operation
	hook string
}

func (v visitor) run(document string, operation *ast.OperationDefinition, written string) {
	v.t.Helper()

	variables := map[string]any{}
	if written != "" {
		require.NoError(v.t, json.Unmarshal([]byte(written), &variables))
	}
	v.fill(document, operation.Name, variables)
	if operation.Operation == ast.Subscription {
		if operation.Name == "Messages" { // TestPlayground sees WatchJobs
			v.subscribe(document, operation.Name)
		}
		return
	}
	a, err := v.askNamed(v.t.Context(), document, operation.Name, variables)
	require.NoError(v.t, err)
	if operation.Name == "PgGraphQL" && len(a.codes()) > 0 { // the extension is not in the tests' databases
		require.Equal(v.t, []string{"NOT_IMPLEMENTED"}, a.codes())
		return
	}
	require.Empty(v.t, a.codes(), "%s: %s", operation.Name, a.text)
	v.got[operation.Name] = a.Data
}

// fill sets the variables that stand for something of the visitor's own.
func (v visitor) fill(document, operation string, variables map[string]any) {
	v.t.Helper()

	switch operation {
	case "CreateDocument":
		a, err := v.askNamed(v.t.Context(), document, "Authors", nil)
		require.NoError(v.t, err)
		v.got["Authors"] = a.Data
		set(v.t, variables, "input", "authorId", v.text("Authors", "users", "0", "id"))
	case "DecryptJobPayload":
		variables["id"] = v.text("EnqueueEncryptedJob", "enqueueJob", "job", "id")
	case "SetWebhook":
		set(v.t, variables, "webhook", "url", v.hook)
	case "ArchiveMessages", "MessageQueues":
		require.NotEmpty(v.t, v.text("ReadMessages", "readMessages", "messages", "0", "payload", "to"))
	case "BeginUpload":
		variables["uploader"] = v.text("Authors", "users", "0", "id")
	case "CompleteUpload", "DeleteFile":
		if operation == "CompleteUpload" {
			v.put()
		}
		variables["id"] = v.text("BeginUpload", "createUpload", "file", "id")
	case "RotateKey":
		variables["id"] = v.text("Tenant", "apiKeysConnection", "nodes", "0", "id")
	case "DeleteUser":
		variables["id"], variables["to"] = v.text("Authors", "users", "0", "id"), v.text("Authors", "users", "1", "id")
	}
}

// set changes a field of an input.
func set(t *testing.T, variables map[string]any, input, field, value string) {
	t.Helper()

	fields, is := variables[input].(map[string]any)
	require.True(t, is, "the example has no input %s", input)
	fields[field] = value
}

// text is a value of an answer.
func (v visitor) text(operation string, path ...string) string {
	v.t.Helper()

	at := v.got[operation]
	for _, key := range path {
		if strings.TrimLeft(key, "0123456789") == "" {
			var list []json.RawMessage
			require.NoError(v.t, json.Unmarshal(at, &list), "%s of %s", path, v.got[operation])
			require.NotEmpty(v.t, list, "%s of %s", path, v.got[operation])
			at = list[key[0]-'0']
			continue
		}
		var object map[string]json.RawMessage
		require.NoError(v.t, json.Unmarshal(at, &object), "%s of %s", path, v.got[operation])
		at = object[key]
	}
	var text string
	require.NoError(v.t, json.Unmarshal(at, &text), "%s of %s", path, v.got[operation])
	return text
}

// put sends the bytes of the upload that has begun.
func (v visitor) put() {
	v.t.Helper()

	to, err := url.Parse(v.text("BeginUpload", "createUpload", "url"))
	require.NoError(v.t, err)
	r, err := http.NewRequestWithContext(v.t.Context(), v.text("BeginUpload", "createUpload", "method"), v.url+to.RequestURI(), strings.NewReader("hello"))
	require.NoError(v.t, err)
	r.Header.Set("Content-Type", "text/plain")
	response, err := http.DefaultClient.Do(r)
	require.NoError(v.t, err)
	require.NoError(v.t, response.Body.Close())
	require.Less(v.t, response.StatusCode, 300)
}

// subscribe waits for the first thing that a subscription sends, which a message that was sent before is.
func (v visitor) subscribe(document, operation string) {
	v.t.Helper()

	ctx := v.t.Context()
	_, err := v.askNamed(ctx, document, "SendMessage", nil)
	require.NoError(v.t, err)
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(v.url, "http")+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	require.NoError(v.t, err)
	defer func() { _ = conn.CloseNow() }()
	begin, err := json.Marshal(map[string]string{"apiKey": v.key})
	require.NoError(v.t, err)
	subscribe, err := json.Marshal(map[string]any{"query": document, "operationName": operation})
	require.NoError(v.t, err)
	require.NoError(v.t, wsjson.Write(ctx, conn, frame{Type: "connection_init", Payload: begin}))
	require.NoError(v.t, wsjson.Write(ctx, conn, frame{ID: "1", Type: "subscribe", Payload: subscribe}))
	for {
		var f frame
		require.NoError(v.t, wsjson.Read(ctx, conn, &f))
		require.NotEqual(v.t, "error", f.Type, "%s", f.Payload)
		if f.Type == "next" {
			require.Contains(v.t, string(f.Payload), "ada@example.com")
			return
		}
	}
}

// check looks at the answers whose content the texts promise.
func (v visitor) check() {
	v.t.Helper()

	require.Equal(v.t, "PostgreSQL tuning guide", v.text("Search", "searchDocuments", "edges", "0", "node", "document", "title"))
	require.Equal(v.t, "Smyth, cardiology: chest pain at rest", v.text("SearchFuzzy", "searchDocuments", "nodes", "0", "document", "title"))
	require.NotEmpty(v.t, v.text("SearchNear", "searchDocuments", "nodes", "0", "document", "title"))
	require.Equal(v.t, "In confidence", v.text("DecryptJobPayload", "decryptJobPayload", "payload", "subject"))
	require.Equal(v.t, "DELIVERED", v.text("TestWebhook", "testWebhook", "delivery", "status"))
	require.NotEmpty(v.t, v.text("WebhookLog", "webhookHealth", "0", "name"))
	require.Equal(v.t, "notifications", v.text("MessageQueues", "messageQueues", "nodes", "0", "name"))
	require.Equal(v.t, "READY", v.text("CompleteUpload", "completeUpload", "file", "status"))
	require.Contains(v.t, v.text("RotateKey", "rotateApiKey", "plaintext"), "sk_live_")
}
