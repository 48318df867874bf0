package playground

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"

	"stackforge/playground/playgroundtest"
)

// These tests look at what the page itself does with a key: what it shows, keeps and sends. The endpoint behind it
// refuses every request, and its socket acknowledges every key and stays silent. The page against the real server is
// playgroundtest.Tour, in the tests of the whole program.

const (
	refusal      = `{"errors":[{"message":"Refused.","extensions":{"code":"UNAUTHENTICATED"}}],"data":null}`
	recvPatience = 20 * time.Second
)

// doorman records what it is told before it says no.
type doorman struct {
	server *httptest.Server
	keys   chan string // x-api-key of each POST
	frames chan frame  // each text frame of each socket
}

type frame struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

func newDoorman(t *testing.T) *doorman {
	t.Helper()
	d := &doorman{keys: make(chan string, 100), frames: make(chan frame, 100)}
	mux := http.NewServeMux()
	page := New(Options{})
	mux.Handle("/playground", page)
	mux.Handle("/playground/", page)
	mux.HandleFunc("POST /graphql", func(w http.ResponseWriter, r *http.Request) {
		d.keys <- r.Header.Get("x-api-key")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(refusal))
	})
	mux.HandleFunc("GET /graphql", d.socket)
	d.server = httptest.NewServer(mux)
	t.Cleanup(d.server.Close)
	return d
}

func (d *doorman) socket(w http.ResponseWriter, r *http.Request) {
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		return
	}
	defer func() { _ = socket.CloseNow() }()
	for {
		var f frame
		if err := wsjson.Read(r.Context(), socket, &f); err != nil {
			return
		}
		d.frames <- f
		if f.Type != "connection_init" {
			continue
		}
		if strings.Contains(string(f.Payload), "sf_refused") {
			// What gqlgen sends for a refused connection_init unless it is told another code.
			_ = socket.Close(websocket.StatusNormalClosure, "terminated")
			return
		}
		if err := wsjson.Write(r.Context(), socket, frame{Type: "connection_ack"}); err != nil {
			return
		}
	}
}

// key waits until a request with that key comes.
func (d *doorman) key(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(recvPatience)
	for {
		select {
		case got := <-d.keys:
			if got == want {
				return
			}
		case <-deadline:
			require.Fail(t, "no request with the key", want)
		}
	}
}

// frame waits for the next frame over any socket.
func (d *doorman) frame(t *testing.T) frame {
	t.Helper()
	select {
	case f := <-d.frames:
		return f
	case <-time.After(recvPatience):
		require.Fail(t, "no frame came")
		return frame{}
	}
}

func (d *doorman) open(t *testing.T, browser *playgroundtest.Browser, path string) *playgroundtest.Page {
	t.Helper()
	p := browser.Open(t, d.server.URL, 1400, 900)
	p.Visit(path)
	return p
}

const (
	stored    = `localStorage.getItem("stackforge:apiKey") ?? "none"`
	storedTab = `sessionStorage.getItem("stackforge:apiKey") ?? "none"`
)

// waitStored waits because the page stores the key a moment after it has it.
func waitStored(p *playgroundtest.Page, expression, want string) {
	p.WaitFor(expression, func() string { return p.Eval(expression) }, func(text string) bool { return text == want })
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := playgroundtest.Start(t)

	t.Run("the first visit shows how to get a key, and the examples", func(t *testing.T) {
		t.Parallel()
		testFirstVisit(t, browser)
	})

	t.Run("the key is kept as long as wanted", func(t *testing.T) {
		t.Parallel()
		testKeyIsKept(t, browser)
	})

	t.Run("the key of a link is taken and removed from the address", func(t *testing.T) {
		t.Parallel()
		testKeyOfFragment(t, browser)
	})

	t.Run("a new key reconnects the socket and subscribes again", func(t *testing.T) {
		t.Parallel()
		testReconnect(t, browser)
	})

	t.Run("a key that the socket refuses ends with a sentence", func(t *testing.T) {
		t.Parallel()
		testRefusedSocket(t, browser)
	})
}

func testFirstVisit(t *testing.T, browser *playgroundtest.Browser) {
	t.Helper()
	d := newDoorman(t)
	p := d.open(t, browser, "/playground?key=sf_from_query")

	p.WaitText("#api-key-status", "Key missing")
	require.Contains(t, p.Text(".hint"), "stackforge key create --tenant <tenant> --name <name>")
	d.key(t, "")
	require.Equal(t, "none", p.Eval(stored), "a key in the query string is not taken")

	require.Equal(t, "Documents,Search,CreateDocument,LookAtTheDashboard,EnqueueJob,EnqueueEncryptedJob,WatchJobs,SetWebhook,TestWebhook,WebhookLog,SendMessage,Files,Tenant,PgGraphQL",
		p.Eval(`[...document.querySelectorAll(".graphiql-tab-button")].map((tab) => tab.innerText).join()`))
	p.OpenTab("CreateDocument")
	p.WaitText(".graphiql-editor-tool", "Hello from the playground")

	require.Equal(t, "password", p.Eval(`document.querySelector("#api-key").type`))
	require.Equal(t, "API key", p.Eval(`document.querySelector("#api-key").labels[0].innerText`))
	require.Equal(t, "api-key-status", p.Eval(`document.querySelector("#api-key").getAttribute("aria-describedby")`))
	require.NotContains(t, p.Response(), "stack")
	p.NoProblems()
}

func testKeyIsKept(t *testing.T, browser *playgroundtest.Browser) {
	t.Helper()
	d := newDoorman(t)
	p := d.open(t, browser, "/playground")

	p.TypeKey("sf_typed")
	d.key(t, "sf_typed")
	p.WaitText("#api-key-status", "Key not accepted")
	waitStored(p, stored, "sf_typed")

	p.Visit("/playground")
	d.key(t, "sf_typed")
	require.Equal(t, "sf_typed", p.Eval(`document.querySelector("#api-key").value`))

	p.Do(chromedp.Click(".bar-remember input", chromedp.ByQuery))
	waitStored(p, stored, "none")
	waitStored(p, storedTab, "sf_typed")
	p.Visit("/playground")
	d.key(t, "sf_typed")
	require.Equal(t, "false", p.Eval(`document.querySelector(".bar-remember input").checked`))

	p.Do(chromedp.Click(".bar-show", chromedp.ByQuery))
	require.Equal(t, "text", p.Eval(`document.querySelector("#api-key").type`))

	p.Do(chromedp.Click(".bar-forget", chromedp.ByQuery))
	d.key(t, "")
	waitStored(p, storedTab, "none")
	p.WaitText("#api-key-status", "Key missing")
	p.NoProblems()
}

func testKeyOfFragment(t *testing.T, browser *playgroundtest.Browser) {
	t.Helper()
	d := newDoorman(t)
	p := d.open(t, browser, "/playground#key=sf_link%2B1")

	d.key(t, "sf_link+1")
	waitStored(p, stored, "sf_link+1")
	require.Equal(t, d.server.URL+"/playground", p.Eval("location.href"), "it is gone from the address bar")

	p.Eval(`location.hash = "#key=sf_second"`)
	d.key(t, "sf_second")
	waitStored(p, stored, "sf_second")
	require.Equal(t, d.server.URL+"/playground", p.Eval("location.href"))
	p.NoProblems()
}

func testReconnect(t *testing.T, browser *playgroundtest.Browser) {
	t.Helper()
	d := newDoorman(t)
	p := d.open(t, browser, "/playground#key=sf_first")
	p.OpenTab("WatchJobs")
	p.Execute()
	requireSubscribed(t, d, "sf_first")
	p.TypeKey("sf_next")
	requireSubscribed(t, d, "sf_next")
	p.Execute()
	require.Equal(t, "complete", d.frame(t).Type, "the button stops it")
	p.NoProblems()
}

func testRefusedSocket(t *testing.T, browser *playgroundtest.Browser) {
	t.Helper()
	d := newDoorman(t)
	p := d.open(t, browser, "/playground#key=sf_refused")
	p.OpenTab("WatchJobs")
	p.Execute()
	p.WaitText(".graphiql-response", "does not accept this API key")
	require.NotContains(t, p.Response(), "stack")
	p.WaitText("#api-key-status", "Key not accepted")
}

func requireSubscribed(t *testing.T, d *doorman, key string) {
	t.Helper()
	init := d.frame(t)
	require.Equal(t, "connection_init", init.Type)
	require.JSONEq(t, `{"apiKey":"`+key+`"}`, string(init.Payload))
	subscribe := d.frame(t)
	require.Equal(t, "subscribe", subscribe.Type)
	require.Contains(t, string(subscribe.Payload), "jobUpdates")
}
