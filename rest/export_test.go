package rest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/errs"
	"stackforge/repo/tenancy"
	"stackforge/rest"
	"stackforge/tenant"
)

// exports is an exporter that does what the test says.
type exports func(ctx context.Context, w io.Writer) (tenancy.Trailer, error)

// Export is the function itself.
func (e exports) Export(ctx context.Context, w io.Writer) (tenancy.Trailer, error) { return e(ctx, w) }

// exporting serves exports.
func exporting(t *testing.T, e exports) *httptest.Server {
	t.Helper()
	h := rest.NewExport(e, zerolog.Nop())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(tenant.With(r.Context(), tenant.Scope{TenantID: uuid.Nil})))
	}))
	t.Cleanup(s.Close)
	return s
}

func download(t *testing.T, s *httptest.Server) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	require.NoError(t, err)
	resp, err := s.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

func exportCode(t *testing.T, text string) errs.Code {
	t.Helper()
	var body struct{ Code errs.Code }
	require.NoError(t, json.Unmarshal([]byte(text), &body), text)
	return body.Code
}

func TestExport(t *testing.T) {
	t.Parallel()

	t.Run("the lines are sent as a file", func(t *testing.T) {
		t.Parallel()

		resp, text, err := download(t, exporting(t, func(_ context.Context, w io.Writer) (tenancy.Trailer, error) {
			_, err := io.WriteString(w, "{}\n{}\n")
			return tenancy.Trailer{}, err
		}))
		require.NoError(t, err)
		require.Equal(t, "{}\n{}\n", text)
		require.Equal(t, "application/x-ndjson", resp.Header.Get("Content-Type"))
		require.Contains(t, resp.Header.Get("Content-Disposition"), "attachment")
		require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	})

	t.Run("a failure before the first line is an error like any other", func(t *testing.T) {
		t.Parallel()

		resp, text, err := download(t, exporting(t, func(context.Context, io.Writer) (tenancy.Trailer, error) {
			return tenancy.Trailer{}, errs.New(errs.Unavailable, "Try again.")
		}))
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.Equal(t, errs.Unavailable, exportCode(t, text))
		require.Empty(t, resp.Header.Get("Content-Disposition"))
	})

	t.Run("a failure behind it cuts the answer off", func(t *testing.T) {
		t.Parallel()

		_, _, err := download(t, exporting(t, func(_ context.Context, w io.Writer) (tenancy.Trailer, error) {
			_, _ = io.WriteString(w, strings.Repeat("{}\n", 10_000))
			return tenancy.Trailer{}, errs.New(errs.Unavailable, "Try again.")
		}))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})

	t.Run("two at a time", func(t *testing.T) {
		t.Parallel()

		began, end := make(chan struct{}), make(chan struct{})
		s := exporting(t, func(context.Context, io.Writer) (tenancy.Trailer, error) {
			began <- struct{}{}
			<-end
			return tenancy.Trailer{}, nil
		})
		done := make(chan int, 2)
		for range 2 {
			go func() {
				resp, err := s.Client().Get(s.URL)
				if err == nil {
					_ = resp.Body.Close()
					done <- resp.StatusCode
				}
			}()
			<-began
		}
		resp, text, err := download(t, s)
		require.NoError(t, err)
		require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
		require.Equal(t, errs.RateLimited, exportCode(t, text))
		close(end)
		require.Equal(t, []int{http.StatusOK, http.StatusOK}, []int{<-done, <-done})
	})
}
