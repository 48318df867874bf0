package cli_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A worker that is killed between sending an event and recording that it was taken sends it again, through another worker and
// under the same id: when its lease is over.
func TestWebhookKilled(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	env := w.environ("WEBHOOK_ALLOW_PRIVATE=1")
	c := w.caller(serveAPI(t, env))
	var mu sync.Mutex
	var ids []string
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		mu.Lock()
		ids = append(ids, req.Header.Get("webhook-id"))
		first := len(ids) == 1
		mu.Unlock()
		arrived <- struct{}{}
		if first {
			<-release
		}
	}))
	t.Cleanup(r.Close)
	var data struct {
		SetWebhook struct{ Secret string }
	}
	c.get(t, &data, `mutation ($u: String!) { setWebhook(input: {url: $u}) { secret } }`, map[string]any{"u": r.URL})
	require.NotEmpty(t, data.SetWebhook.Secret)

	first := startWorker(t, env)
	c.enqueue(t, "send_email", mailTo("one"))
	<-arrived
	first.kill()
	close(release)
	require.Equal(t, []string{"pending"}, list[string](t, w, `SELECT status FROM webhook_deliveries`))

	startWorker(t, env)
	w.Exec(t, `UPDATE webhook_deliveries SET next_attempt_at = now(); UPDATE webhook_lanes SET due_at = now()`)
	<-arrived
	eventually(t, func() bool {
		return one[string](t, w, `SELECT status FROM webhook_deliveries`) == "delivered"
	}, "the delivery is recorded")
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{ids[0], ids[0]}, ids)
	require.Equal(t, 1, one[int](t, w, `SELECT count(*)::int FROM core.outbox WHERE dispatched_at IS NOT NULL`))
}

// Without the setting no endpoint may be on this machine.
func TestWebhookAddresses(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	c := w.caller(serveAPI(t, w.environ()))
	a, err := c.ask(t.Context(), `mutation { setWebhook(input: {url: "http://127.0.0.1:3000/"}) { secret } }`, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes())
	require.Contains(t, a.text, `"field":"url"`)
}
