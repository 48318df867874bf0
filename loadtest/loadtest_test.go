package loadtest

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fake answers what the tests tell it to; it is about the tool and not about the server, which cli's tests start for real.
func fake(t *testing.T, answer http.HandlerFunc) Options {
	t.Helper()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /graphql", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"data": {"viewer": {"tenant": {"id": "t"}}, "users": [{"id": "u"}]}}`))
	})
	mux.HandleFunc("/", answer)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return Options{URL: s.URL, Key: "k", Duration: time.Second, Connections: 2, Scenarios: []string{"dashboard-analytics"}}
}

func TestRunCounts(t *testing.T) {
	t.Parallel()

	var n, bad, limited atomic.Int64
	o := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) % 4 {
		case 1:
			bad.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"code": "INTERNAL"}`))
		case 2:
			limited.Add(1)
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			_, _ = w.Write([]byte(`{}`))
		}
	})
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	s := r.Scenarios[0]
	require.InDelta(t, n.Load(), s.Requests, 4) // those under way at the end are not counted
	require.InDelta(t, bad.Load(), s.Unexpected, 2)
	require.InDelta(t, bad.Load(), s.ServerErrors, 2)
	require.InDelta(t, limited.Load(), s.Limited, 2)
	require.True(t, r.Limited())
	require.False(t, r.OK())
	require.Contains(t, s.Errors[0].Text, "status 500 INTERNAL")
	var total int64
	for _, x := range s.Seconds {
		total += x.Requests
	}
	require.Equal(t, s.Requests, total)
}

// TestOpenLoop stalls the server once: requests that should have begun meanwhile count their wait.
func TestOpenLoop(t *testing.T) {
	t.Parallel()

	const stall = 400 * time.Millisecond
	var n atomic.Int64
	o := fake(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 10 {
			<-time.After(stall)
		}
	})
	o.Connections, o.Rate = 1, 100
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	s := r.Scenarios[0]
	require.Greater(t, s.Latency.P90, 50.0) // a closed loop would show one slow request of many
	require.Less(t, s.Requests, int64(110))
}

func TestNoServer(t *testing.T) {
	t.Parallel()

	_, err := Run(t.Context(), Options{URL: "http://127.0.0.1:1", Key: "k", Duration: time.Second, Connections: 1})
	require.ErrorContains(t, err, "who the key belongs to")
}

func TestCheck(t *testing.T) {
	t.Parallel()

	good := Options{URL: "http://x", Key: "k", Duration: time.Second, Connections: 1}
	require.NoError(t, good.Check())
	for name, spoil := range map[string]func(*Options){
		"key": func(o *Options) { o.Key = "" }, "duration": func(o *Options) { o.Duration = 0 }, "connections": func(o *Options) { o.Connections = 0 },
		"rate": func(o *Options) { o.Rate = -1 }, "scenario": func(o *Options) { o.Scenarios = []string{"nope"} }, "door": func(o *Options) { o.Doors = []string{"ftp"} },
	} {
		o := good
		spoil(&o)
		require.ErrorContains(t, o.Check(), name)
	}
	require.Len(t, Names(), 10)
}

func TestGraphQLAnswer(t *testing.T) {
	t.Parallel()

	for want, body := range map[int]string{
		200: `{"data": {"document": {"id": "1"}}}`,
		400: `{"data": null, "errors": [{"extensions": {"code": "VALIDATION_FAILED"}}]}`,
		403: `{"errors": [{"extensions": {"code": "FORBIDDEN"}}]}`,
		404: `{"data": {"document": null}}`,
		500: `{"errors": [{"message": "x"}]}`,
	} {
		a, err := graphQLAnswer(answer{status: 200, body: []byte(body)}, call{gone: "document"})
		require.NoError(t, err)
		require.Equal(t, want, a.status, body)
	}
	_, err := graphQLAnswer(answer{body: []byte(`<html>`)}, call{})
	require.Error(t, err)
}

// TestPick is the mix: within two points of the weights.
func TestPick(t *testing.T) {
	t.Parallel()

	u := &user{rng: rand.New(rand.NewPCG(1, 2))}
	got := map[string]int{}
	const n = 20_000
	for range n {
		got[pick(u, weighted[string]{60, "a"}, weighted[string]{30, "b"}, weighted[string]{10, "c"})]++
	}
	require.InDelta(t, 60, got["a"]*100/n, 2)
	require.InDelta(t, 30, got["b"]*100/n, 2)
	require.InDelta(t, 10, got["c"]*100/n, 2)
}

func TestThreshold(t *testing.T) {
	t.Parallel()

	r := &Report{Scenarios: []Result{{Name: "search-mix", Door: REST, Latency: Latency{P99: 80}, PerSecond: 50}, {Name: "job-storm", Door: REST, Latency: Latency{P99: 120}, PerSecond: 500}}}
	parse := func(text string) Threshold {
		x, err := ParseThreshold(text)
		require.NoError(t, err, text)
		return x
	}
	r.Judge([]Threshold{parse("p99<100"), parse("search-mix:rate>100"), parse("unexpected<1")})
	require.Equal(t, []string{"job-storm (rest): p99 is 120, the bound 100", "search-mix (rest): rate is 50, the bound 100"}, r.Missed)
	require.False(t, r.OK())
	r.Judge([]Threshold{parse("p99<121"), parse("job-storm:p99 < 121")})
	require.True(t, r.OK())
	for _, bad := range []string{"p99", "p98<1", "nope:p99<1", "p99<x"} {
		_, err := ParseThreshold(bad)
		require.ErrorContains(t, err, bad)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()

	r := &Report{URL: "http://x/<script>", Started: time.Now(), Scenarios: []Result{{
		Name: "search-mix", Door: REST, Requests: 3, Statuses: map[string]int64{"2xx": 2, "5xx": 1}, Unexpected: 1,
		Seconds: []Second{{Requests: 2, P50: 1, P99: 2}, {Second: 1, Requests: 1, Failed: 1, P50: 1, P99: 40}}, Errors: []Count{{"<b>bad</b>", 1}},
	}}}
	var page, text, js bytes.Buffer
	require.NoError(t, r.WriteHTML(&page))
	require.NotContains(t, page.String(), "<script>")
	require.NotContains(t, page.String(), "<b>bad")
	require.Contains(t, page.String(), "<polyline")
	require.NoError(t, r.WriteText(&text))
	require.Contains(t, text.String(), "search-mix (rest): 1 × <b>bad</b>")
	require.NoError(t, r.WriteJSON(&js))
	var back Report
	require.NoError(t, json.Unmarshal(js.Bytes(), &back))
	require.Equal(t, r.Scenarios[0].Seconds, back.Scenarios[0].Seconds)
	require.NotContains(t, js.String(), "sk_live_")
}
