package httpd_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/errs"
	"stackforge/httpd"
)

// from is a request of an address.
func from(t testing.TB, peer string, forwarded ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = peer
	r.Header["X-Forwarded-For"] = forwarded
	return r
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	l := httpd.NewLimiter(httpd.LimitConfig{Max: 100, Window: time.Minute, Now: func() time.Time { return now }})
	key := uuid.New()
	r := from(t, "192.0.2.1:1")
	for range 100 {
		require.True(t, l.AdmitKey(httptest.NewRecorder(), r, key, 0))
	}
	now = now.Add(59 * time.Second)
	w := httptest.NewRecorder()
	require.False(t, l.AdmitKey(w, r, key, 0), "the 101st")
	require.Equal(t, http.StatusTooManyRequests, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.EqualValues(t, 1, l.Refused())
	q, limited := l.Left(key, 0)
	require.True(t, limited)
	require.Equal(t, httpd.Quota{Limit: 100, Remaining: 0, Reset: time.Second}, q)
	now = now.Add(time.Second)
	w = httptest.NewRecorder()
	require.True(t, l.AdmitKey(w, r, key, 0), "after the window")
	require.Equal(t, "99", w.Header().Get("RateLimit-Remaining"))
	require.True(t, l.AdmitKey(httptest.NewRecorder(), r, uuid.New(), 0), "another key")

	off := httpd.NewLimiter(httpd.LimitConfig{Window: time.Minute})
	w = httptest.NewRecorder()
	for range 1000 {
		require.True(t, off.AdmitKey(w, r, key, 0))
		require.True(t, off.AdmitAddress(w, r))
	}
	require.Empty(t, w.Header())
	_, limited = off.Left(key, 0)
	require.False(t, limited)
}

// Operations within a socket draw on the bucket of their key's requests.
func TestLimiterOperations(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	l := httpd.NewLimiter(httpd.LimitConfig{Max: 3, Window: time.Minute, Now: func() time.Time { return now }})
	key := uuid.New()
	require.True(t, l.AdmitKey(httptest.NewRecorder(), from(t, "192.0.2.1:1"), key, 0))
	require.NoError(t, l.CountKey(key, 0))
	require.NoError(t, l.CountKey(key, 0))
	err := l.CountKey(key, 0)
	require.Equal(t, &errs.Error{Code: errs.RateLimited, Message: "More than 3 requests in 1m0s; try again in 60 s."}, err)
	require.EqualValues(t, 1, l.Refused())
	require.False(t, l.AdmitKey(httptest.NewRecorder(), from(t, "192.0.2.1:1"), key, 0))
	require.NoError(t, l.CountKey(key, 9), "a larger limit of its own")
	now = now.Add(time.Minute)
	require.NoError(t, l.CountKey(key, 0), "after the window")
	require.NoError(t, httpd.NewLimiter(httpd.LimitConfig{Window: time.Minute}).CountKey(key, 0), "no limit")
}

// A key with a limit of its own counts by the minute, whatever the others' window is, and also where the others are not limited.
func TestLimiterOwnLimit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	key, r := uuid.New(), from(t, "192.0.2.1:1")
	for name, c := range map[string]httpd.LimitConfig{"a longer window": {Max: 100, Window: time.Hour}, "no limit": {Window: time.Second}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := now
			c.Now = func() time.Time { return now }
			l := httpd.NewLimiter(c)
			l.AdmitKey(httptest.NewRecorder(), r, key, 0)
			admitted := 0
			for range 5 {
				if l.AdmitKey(httptest.NewRecorder(), r, key, 3) {
					admitted++
				}
			}
			require.Equal(t, 3, admitted, "what counted before was another window's")
			w := httptest.NewRecorder()
			require.False(t, l.AdmitKey(w, r, key, 3))
			require.Equal(t, "60", w.Header().Get("Retry-After"))
			require.Contains(t, w.Body.String(), "More than 3 requests in 1m0s")
			q, limited := l.Left(key, 3)
			require.True(t, limited)
			require.Equal(t, httpd.Quota{Limit: 3, Remaining: 0, Reset: time.Minute}, q)
			require.True(t, l.AdmitKey(httptest.NewRecorder(), r, uuid.New(), 3), "another key")
			require.True(t, l.AdmitKey(httptest.NewRecorder(), r, key, 7), "the limit was raised: 6 of 7 are used")
			require.False(t, l.AdmitKey(httptest.NewRecorder(), r, key, 7))
			now = now.Add(time.Minute)
			require.True(t, l.AdmitKey(httptest.NewRecorder(), r, key, 3), "after the minute")
		})
	}
}

func TestLimiterAddress(t *testing.T) {
	t.Parallel()
	l := httpd.NewLimiter(httpd.LimitConfig{Max: 1, Window: time.Minute, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	for name, x := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"a peer":                      {"192.0.2.1:5", nil, "192.0.2.1"},
		"a peer may say what it will": {"192.0.2.1:5", []string{"203.0.113.9"}, "192.0.2.1"},
		"a proxy":                     {"10.1.2.3:5", []string{"203.0.113.9"}, "203.0.113.9"},
		"proxies":                     {"10.1.2.3:5", []string{"6.6.6.6, 203.0.113.9", "10.9.9.9"}, "203.0.113.9"},
		"only proxies":                {"10.1.2.3:5", []string{"10.1.1.1"}, "10.1.1.1"},
		"no address":                  {"10.1.2.3:5", []string{"203.0.113.9, unknown"}, "10.1.2.3"},
		"nothing said":                {"10.1.2.3:5", nil, "10.1.2.3"},
		"IPv4 in IPv6":                {"[::ffff:10.1.2.3]:5", []string{"203.0.113.9"}, "203.0.113.9"},
		"IPv6":                        {"[::1]:5", []string{"2001:db8::1"}, "2001:db8::1"},
	} {
		require.Equal(t, x.want, l.Address(from(t, x.peer, x.forwarded...)).String(), name)
	}
	require.True(t, l.AdmitAddress(httptest.NewRecorder(), from(t, "[2001:db8::1]:1")))
	require.False(t, l.AdmitAddress(httptest.NewRecorder(), from(t, "[2001:db8::2]:1")), "one network of 64 bits")
	require.True(t, l.AdmitAddress(httptest.NewRecorder(), from(t, "[2001:db8:0:1::1]:1")))
}

func TestLimiterCounts(t *testing.T) {
	t.Parallel()
	l := httpd.NewLimiter(httpd.LimitConfig{Max: 500, Window: time.Hour})
	key := uuid.New()
	var admitted atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if l.AdmitKey(httptest.NewRecorder(), from(t, "192.0.2.1:1"), key, 0) {
					admitted.Add(1)
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 500, admitted.Load(), "neither one more nor one less")
}

// TestLimiterMemory asks that callers without end take no memory without end, and that they do not touch the count of a key.
func TestLimiterMemory(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it counts a million callers")
	}
	l := httpd.NewLimiter(httpd.LimitConfig{Max: 1, Window: time.Hour})
	key := uuid.New()
	require.True(t, l.AdmitKey(httptest.NewRecorder(), from(t, "192.0.2.1:1"), key, 0))
	r, w := from(t, ""), httptest.NewRecorder()
	peer := func(i int) string {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(1 + i>>24), byte(i >> 16), byte(i >> 8), byte(i)}), 1).String()
	}
	for i := range 1_000_000 {
		r.RemoteAddr = peer(i)
		l.AdmitAddress(w, r)
	}
	require.False(t, l.AdmitKey(httptest.NewRecorder(), from(t, "192.0.2.1:1"), key, 0))
	runtime.KeepAlive(l)
	require.LessOrEqual(t, l.Callers(), 2*32*4096)
}

func BenchmarkLimiter(b *testing.B) {
	l := httpd.NewLimiter(httpd.LimitConfig{Max: 1 << 30, Window: time.Hour})
	r := from(b, "192.0.2.1:1")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		key, w := uuid.New(), httptest.NewRecorder()
		for pb.Next() {
			l.AdmitKey(w, r, key, 0)
		}
	})
}
