package httpd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/errs"
	"stackforge/httpd"
	"stackforge/tenant"
)

// limited is an error that knows when to come back.
type limited struct{ error }

func (limited) RetryAfter() time.Duration { return 1500 * time.Millisecond }
func (l limited) Unwrap() error           { return l.error }

func TestWriteError(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		err    error
		want   httpd.Body
		header map[string]string
	}{
		"a field": {
			fmt.Errorf("create: %w", errs.Field("title", "is required")),
			httpd.Body{
				StatusCode: 400, Error: "Bad Request", Message: "is required", Code: "VALIDATION_FAILED",
				Fields: []httpd.Field{{Field: "title", Message: "is required"}},
			},
			nil,
		},
		"several fields": {
			errs.List{errs.Field("title", "is required"), errs.Field("path", "is too long"), errs.New(errs.Validation, "No.")},
			httpd.Body{
				StatusCode: 400, Error: "Bad Request", Message: "title: is required; path: is too long; No.", Code: "VALIDATION_FAILED",
				Fields: []httpd.Field{{Field: "title", Message: "is required"}, {Field: "path", Message: "is too long"}},
			},
			nil,
		},
		"no credential": {
			errs.New(errs.Unauthenticated, "No."),
			httpd.Body{StatusCode: 401, Error: "Unauthorized", Message: "No.", Code: "UNAUTHENTICATED"},
			map[string]string{"Www-Authenticate": `Bearer realm="stackforge"`},
		},
		"too many": {
			errs.New(errs.RateLimited, "Slow down."),
			httpd.Body{StatusCode: 429, Error: "Too Many Requests", Message: "Slow down.", Code: "RATE_LIMITED"},
			map[string]string{"Retry-After": "1"},
		},
		"too many, until": {
			limited{errs.New(errs.RateLimited, "Slow down.")},
			httpd.Body{StatusCode: 429, Error: "Too Many Requests", Message: "Slow down.", Code: "RATE_LIMITED"},
			map[string]string{"Retry-After": "2"},
		},
		"unavailable": {
			errs.New(errs.Unavailable, "Later."),
			httpd.Body{StatusCode: 503, Error: "Service Unavailable", Message: "Later.", Code: "UNAVAILABLE"},
			map[string]string{"Retry-After": ""},
		},
		"too large": {
			&http.MaxBytesError{Limit: 10},
			httpd.Body{StatusCode: 413, Error: "Request Entity Too Large", Message: "The body is longer than 10 bytes.", Code: "PAYLOAD_TOO_LARGE"},
			nil,
		},
		"anything else is ours": {
			errors.New("pq: secret table"),
			httpd.Body{StatusCode: 500, Error: "Internal Server Error", Message: "Something went wrong on our side.", Code: "INTERNAL"},
			map[string]string{"Cache-Control": "no-store"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := httptest.NewRequestWithContext(tenant.WithRequestID(t.Context(), "r1"), "GET", "/", nil)
			w := httptest.NewRecorder()
			httpd.WriteError(w, r, tc.err)
			tc.want.RequestID = "r1"
			require.Equal(t, tc.want, body(t, w))
			require.Equal(t, tc.want.StatusCode, w.Code)
			for k, v := range tc.header {
				require.Equal(t, v, w.Header().Get(k))
			}
		})
	}
}

func TestLimitBody(t *testing.T) {
	t.Parallel()

	mux := http.NewServeMux()
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			httpd.WriteError(w, r, err)
			return
		}
		_, _ = fmt.Fprint(w, n)
	})
	mux.Handle("POST /", httpd.LimitBody(read, 1<<20, time.Minute))
	mux.Handle("POST /hurry", httpd.LimitBody(read, 1<<20, 50*time.Millisecond))
	mux.Handle("GET /", httpd.LimitBody(read, 1, time.Minute))
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read(httptest.NewRecorder(), r)
		select { // longer than the time for the body
		case <-r.Context().Done():
			httpd.WriteError(w, r, r.Context().Err())
		case <-time.After(200 * time.Millisecond):
			w.WriteHeader(http.StatusAccepted)
		}
	})
	mux.Handle("POST /slow", httpd.LimitBody(slow, 1<<20, 50*time.Millisecond))
	srv := httptest.NewServer(setup(t, mux).handler)
	defer srv.Close()
	do := func(method, path string, body io.Reader) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, body)
		require.NoError(t, err)
		res, err := srv.Client().Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(text)
	}
	unsized := func(n int) io.Reader { return io.MultiReader(bytes.NewReader(make([]byte, n))) }

	status, text := do("POST", "/", bytes.NewReader(make([]byte, 60<<10)))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "61440", text)
	status, _ = do("POST", "/", unsized(1<<20))
	require.Equal(t, http.StatusOK, status, "exactly the limit")
	status, text = do("POST", "/", bytes.NewReader(make([]byte, 2<<20)))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Contains(t, text, `"code":"PAYLOAD_TOO_LARGE"`)
	status, text = do("POST", "/", unsized(1<<20+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, status, text)
	status, _ = do("GET", "/", nil)
	require.Equal(t, http.StatusOK, status)
	status, text = do("POST", "/slow", strings.NewReader("x"))
	require.Equal(t, http.StatusAccepted, status, "the deadline is for the body, not for the work: %s", text)

	// half sends the beginning of a request and returns the answer.
	half := func(text string) string {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, text)
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		return string(answer)
	}
	answer := half("POST /hurry HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
	require.Contains(t, answer, "HTTP/1.1 504")
	require.Contains(t, answer, "took too long to arrive")
	answer = half("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\nab")
	require.Contains(t, answer, "HTTP/1.1 413", "without waiting for the body")
}
