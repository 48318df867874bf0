package playground

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// get asks the handler; header lines are given as name, value, name, value.
func get(t *testing.T, h http.Handler, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	content, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	return string(content)
}

// assetPath returns the address, as the page has it, of the asset with that extension.
func assetPath(t *testing.T, h http.Handler, extension string) string {
	t.Helper()
	page := body(t, get(t, h, "/playground"))
	match := regexp.MustCompile(`(?:href|src)="([^"]+\.` + extension + `)"`).FindStringSubmatch(page)
	require.NotNil(t, match, page)
	return match[1]
}

func TestServe(t *testing.T) {
	t.Parallel()
	h := New(Options{})

	t.Run("the page is at its path, below it and at the root", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/playground", "/playground/", "/"} {
			r := get(t, h, path)
			require.Equal(t, http.StatusOK, r.StatusCode, path)
			require.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"))
			require.Equal(t, "no-cache", r.Header.Get("Cache-Control"))
			require.Contains(t, body(t, r), `data-endpoint="/graphql"`)
		}
	})

	t.Run("what the page names is there, with its type, for ever", func(t *testing.T) {
		t.Parallel()
		for extension, want := range map[string]string{
			"css": "text/css; charset=utf-8",
			"js":  "text/javascript; charset=utf-8",
			"svg": "image/svg+xml",
		} {
			r := get(t, h, assetPath(t, h, extension))
			require.Equal(t, http.StatusOK, r.StatusCode)
			require.Equal(t, want, r.Header.Get("Content-Type"))
			require.Equal(t, "public, max-age=31536000, immutable", r.Header.Get("Cache-Control"))
		}
		licences := get(t, h, assetPath(t, h, "txt"))
		require.Equal(t, "no-cache", licences.Header.Get("Cache-Control"), "its name has no hash")
		require.Contains(t, body(t, licences), "graphiql 4.")
	})

	t.Run("the fonts of the style sheet are there", func(t *testing.T) {
		t.Parallel()
		css := body(t, get(t, h, assetPath(t, h, "css")))
		fonts := regexp.MustCompile(`url\("?\./([^")]+\.woff2)`).FindAllStringSubmatch(css, -1)
		require.Len(t, fonts, 3)
		for _, font := range fonts {
			r := get(t, h, "/playground/assets/"+font[1], "Accept-Encoding", "gzip")
			require.Equal(t, http.StatusOK, r.StatusCode)
			require.Equal(t, "font/woff2", r.Header.Get("Content-Type"))
			require.Empty(t, r.Header.Get("Content-Encoding"), "woff2 is compressed already")
		}
	})

	t.Run("another path or method is refused", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{
			"/playground/assets/", "/playground/assets/manifest.json", "/playground/assets/../playground.go",
			"/playground/index.html", "/other",
		} {
			require.Equal(t, http.StatusNotFound, get(t, h, path).StatusCode, path)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/playground", nil))
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	})

	t.Run("HEAD has the headers and no body", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/playground", nil))
		require.Equal(t, http.StatusOK, w.Code)
		require.NotEmpty(t, w.Header().Get("ETag"))
		require.Zero(t, w.Body.Len())
	})
}

func TestCompression(t *testing.T) {
	t.Parallel()
	h := New(Options{})
	path := assetPath(t, h, "js")
	plain := body(t, get(t, h, path))

	t.Run("gzip has the same content in less than half the bytes", func(t *testing.T) {
		t.Parallel()
		r := get(t, h, path, "Accept-Encoding", "br, gzip;q=0.8")
		require.Equal(t, "gzip", r.Header.Get("Content-Encoding"))
		require.Equal(t, "Accept-Encoding", r.Header.Get("Vary"))
		packed := body(t, r)
		require.Less(t, len(packed), len(plain)/2)
		reader, err := gzip.NewReader(strings.NewReader(packed))
		require.NoError(t, err)
		unpacked, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.True(t, plain == string(unpacked), "the contents differ") //nolint:testifylint // a diff of a megabyte helps nobody
	})

	t.Run("a client without gzip gets plain bytes", func(t *testing.T) {
		t.Parallel()
		for _, accept := range []string{"", "br", "gzip;q=0", "gzip; q=0.0, *", "identity"} {
			r := get(t, h, path, "Accept-Encoding", accept)
			require.Empty(t, r.Header.Get("Content-Encoding"), accept)
			require.Equal(t, "Accept-Encoding", r.Header.Get("Vary"))
			require.Len(t, body(t, r), len(plain))
		}
	})

	t.Run("a star means gzip too", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "gzip", get(t, h, path, "Accept-Encoding", "*").Header.Get("Content-Encoding"))
	})
}

func TestETag(t *testing.T) {
	t.Parallel()
	h := New(Options{})

	t.Run("what the client has is not sent again", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/playground", assetPath(t, h, "js")} {
			for _, encoding := range []string{"", "gzip"} {
				etag := get(t, h, path, "Accept-Encoding", encoding).Header.Get("ETag")
				require.NotEmpty(t, etag)
				r := get(t, h, path, "Accept-Encoding", encoding, "If-None-Match", etag)
				require.Equal(t, http.StatusNotModified, r.StatusCode)
				require.Empty(t, body(t, r))
				require.NotEmpty(t, r.Header.Get("Content-Security-Policy"))
			}
		}
	})

	t.Run("plain and compressed bytes are not taken for each other", func(t *testing.T) {
		t.Parallel()
		plain := get(t, h, "/playground").Header.Get("ETag")
		packed := get(t, h, "/playground", "Accept-Encoding", "gzip").Header.Get("ETag")
		require.NotEqual(t, plain, packed)
	})

	t.Run("another title is another page", func(t *testing.T) {
		t.Parallel()
		other := New(Options{Title: "Other"})
		require.NotEqual(t, get(t, h, "/playground").Header.Get("ETag"), get(t, other, "/playground").Header.Get("ETag"))
	})
}

func TestSecurity(t *testing.T) {
	t.Parallel()

	t.Run("nothing may come from another host, and no inline script runs", func(t *testing.T) {
		t.Parallel()
		h := New(Options{})
		for _, path := range []string{"/playground", assetPath(t, h, "js")} {
			header := get(t, h, path).Header
			policy := map[string]string{}
			for directive := range strings.SplitSeq(header.Get("Content-Security-Policy"), "; ") {
				name, value, _ := strings.Cut(directive, " ")
				policy[name] = value
			}
			require.Equal(t, map[string]string{
				"default-src":     "'none'",
				"script-src":      "'self'",
				"style-src":       "'self' 'unsafe-inline'",
				"font-src":        "'self'",
				"img-src":         "'self' data:",
				"connect-src":     "'self' ws: wss:",
				"base-uri":        "'none'",
				"form-action":     "'none'",
				"frame-ancestors": "'none'",
			}, policy)
			require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
			require.Equal(t, "DENY", header.Get("X-Frame-Options"))
			require.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
		}
	})

	t.Run("options cannot leave their place in the page", func(t *testing.T) {
		t.Parallel()
		const attack = `"><script>alert(1)</script>`
		page := body(t, get(t, New(Options{Title: attack, Endpoint: attack, SubscriptionEndpoint: attack}), "/playground"))
		require.NotContains(t, page, "<script>")
		require.Equal(t, 1, strings.Count(page, "<script"), "only our own script, which has a src")
	})

	t.Run("options reach the page", func(t *testing.T) {
		t.Parallel()
		h := New(Options{Title: "Ada & Co", Path: "/ide/", Endpoint: "/query", SubscriptionEndpoint: "wss://live.example.com/graphql"})
		page := body(t, get(t, h, "/ide"))
		require.Contains(t, page, `<title>Ada &amp; Co playground</title>`)
		require.Contains(t, page, `data-endpoint="/query"`)
		require.Contains(t, page, `data-subscription-endpoint="wss://live.example.com/graphql"`)
		require.Contains(t, page, `src="/ide/assets/`)
	})
}
