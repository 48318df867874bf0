package rest_test

import (
	"crypto/sha256"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/storage"
	"stackforge/tenant"
)

// Names are what a client says: neither a path nor a header is made of them.
func TestFileNames(t *testing.T) {
	t.Parallel()
	s := openShelf(t)
	c := s.tenant(t)
	for disposition, want := range map[string]string{
		`filename="../../../etc/passwd"`:                             "passwd",
		`filename="..\\..\\windows\\win.ini"`:                        "win.ini",
		`filename="/absolute/path.txt"`:                              "path.txt",
		`filename=".."`:                                              "file",
		`filename="..."`:                                             "file",
		`filename=" "`:                                               "file",
		`filename="name. . ."`:                                       "name",
		`filename*=UTF-8''nul%00byte.txt`:                            "nulbyte.txt",
		`filename*=UTF-8''line%0D%0ASet-Cookie%3A%20a%3Db.txt`:       "lineSet-Cookie: a=b.txt",
		`filename*=UTF-8''photo%E2%80%AEgnp.exe`:                     "photognp.exe", // text that runs from right to left hides the end
		`filename*=UTF-8''zero%E2%80%8Bwidth.txt`:                    "zerowidth.txt",
		`filename*=UTF-8''..%2F..%2Fup.txt`:                          "up.txt",
		`filename*=UTF-8''not%FFutf8.txt`:                            "not_utf8.txt",
		`filename*=UTF-8''na%C3%AFve%20%22quoted%22%20%E2%82%AC.txt`: `naïve "quoted" €.txt`,
		`filename="` + strings.Repeat("a", 300) + `.tar"`:            strings.Repeat("a", 251) + ".tar",
		`filename="` + strings.Repeat("é", 300) + `.txt"`:            strings.Repeat("é", 125) + ".txt",
		`filename="x.` + strings.Repeat("e", 300) + `"`:              "x." + strings.Repeat("e", 253),
	} {
		a := c.upload(part{`form-data; name="file"; ` + disposition, "text/plain", "text"}, uploaderPart(c.scope.UserID.String()))
		require.Equal(t, http.StatusCreated, a.status, "%q: %s", disposition, a.text)
		require.Equal(t, want, a.body["filename"], disposition)

		id := text(t, a.body["id"])
		got := c.do(http.MethodGet, "/files/"+id+"/content", "")
		require.Equal(t, http.StatusOK, got.status, got.text)
		require.Empty(t, got.header.Values("Set-Cookie"))
		kind, params, err := mime.ParseMediaType(regularDisposition(got.header.Get("Content-Disposition")))
		require.NoError(t, err, got.header.Get("Content-Disposition"))
		require.Equal(t, "attachment", kind)
		require.Equal(t, want, params["filename"])
	}
	for _, name := range s.objects(t) {
		parts := strings.Split(name, "/")
		require.Len(t, parts, 5, name)
		require.Equal(t, []string{"tenants", c.scope.TenantID.String()}, parts[:2])
		require.NoError(t, uuid.Validate(parts[4]), "a key has nothing of the name: %s", name)
	}
	require.Len(t, s.objects(t), 17)
}

// regularDisposition leaves out the name for old clients: the parser of the tests wants one.
func regularDisposition(s string) string {
	_, rest, _ := strings.Cut(s, "; filename*=")
	return "attachment; filename*=" + rest
}

func TestFileDownload(t *testing.T) {
	t.Parallel()
	s := openShelf(t)
	c := s.tenant(t)
	body := random(100_000)
	id := c.uploaded("data.bin", body)

	t.Run("the link gives the bytes to whoever has it", func(t *testing.T) {
		t.Parallel()
		before := time.Now()
		a := c.ok(http.StatusOK, http.MethodGet, "/files/"+id, "")
		expires, err := time.Parse(time.RFC3339Nano, text(t, a["expiresAt"]))
		require.NoError(t, err)
		require.WithinRange(t, expires, before.Add(app.LinkLifetime-2*time.Second), time.Now().Add(app.LinkLifetime))
		require.NotContains(t, a, "publicUrl")
		got := caller{t: t, d: s.door}.do(http.MethodGet, c.link(id), "")
		require.Equal(t, http.StatusOK, got.status, got.text)
		require.Equal(t, sha256.Sum256([]byte(body)), sha256.Sum256([]byte(got.text)))
		require.Equal(t, "application/octet-stream", got.header.Get("Content-Type"))
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.Contains(t, got.header.Get("Content-Security-Policy"), "sandbox")
		require.Equal(t, "bytes", got.header.Get("Accept-Ranges"))
		head := caller{t: t, d: s.door}.do(http.MethodHead, c.link(id), "")
		require.Equal(t, http.StatusOK, head.status)
		require.Equal(t, "100000", head.header.Get("Content-Length"))
		require.Empty(t, head.text)
	})

	t.Run("parts of it, and none when the client has it", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{c.link(id), "/files/" + id + "/content"} {
			a := c.do(http.MethodGet, path, "", "Range", "bytes=1000-1999")
			require.Equal(t, http.StatusPartialContent, a.status)
			require.Equal(t, "bytes 1000-1999/100000", a.header.Get("Content-Range"))
			require.Equal(t, body[1000:2000], a.text)
			etag := a.header.Get("Etag")

			a = c.do(http.MethodGet, path, "", "Range", "bytes=-5", "If-Range", etag)
			require.Equal(t, http.StatusPartialContent, a.status)
			require.Equal(t, body[len(body)-5:], a.text)
			a = c.do(http.MethodGet, path, "", "Range", "bytes=-5", "If-Range", `"other"`)
			require.Equal(t, http.StatusOK, a.status)
			require.Len(t, a.text, len(body))

			a = c.do(http.MethodGet, path, "", "If-None-Match", etag)
			require.Equal(t, http.StatusNotModified, a.status)
			require.Empty(t, a.text)
			a = c.fails(http.StatusRequestedRangeNotSatisfiable, "RANGE_NOT_SATISFIABLE", http.MethodGet, path, "", "Range", "bytes=200000-")
			require.Equal(t, "bytes */100000", a.header.Get("Content-Range"))
			c.fails(http.StatusPreconditionFailed, "PRECONDITION_FAILED", http.MethodGet, path, "", "If-Match", `"other"`)
		}
	})

	t.Run("a URL that was changed gives nothing", func(t *testing.T) {
		t.Parallel()
		nobody := caller{t: t, d: s.door}
		other := c.uploaded("other.bin", "other")
		link := c.link(id)
		path, query, _ := strings.Cut(link, "?")
		q, err := url.ParseQuery(query)
		require.NoError(t, err)
		changed := func(name, value string) string {
			n := maps.Clone(q)
			n.Set(name, value)
			return path + "?" + n.Encode()
		}
		signature := q.Get("signature")
		flipped := "A" + signature[1:]
		if signature[0] == 'A' {
			flipped = "B" + signature[1:]
		}
		for name, u := range map[string]string{
			"signature": changed("signature", flipped), "none": changed("signature", ""), "part of it": changed("signature", signature[:20]),
			"longer life": changed("expires", "99999999999"), "no time": changed("expires", "soon"),
			"other tenant": changed("tenant", uuid.NewString()), "no tenant": changed("tenant", "x"),
			"other file": strings.Replace(link, id, other, 1),
		} {
			a := nobody.do(http.MethodGet, u, "")
			require.Equal(t, http.StatusForbidden, a.status, "%s: %s", name, a.text)
			require.Equal(t, "FORBIDDEN", a.body["code"])
		}
		a := nobody.do(http.MethodPut, link, "bytes")
		require.Equal(t, http.StatusForbidden, a.status, "a link is no right to write: %s", a.text)
		require.Equal(t, http.StatusOK, nobody.do(http.MethodGet, link, "").status)
	})

	t.Run("a URL expires", func(t *testing.T) {
		t.Parallel()
		ctx := tenant.With(t.Context(), c.scope)
		store, err := storage.OpenDir(s.dir)
		require.NoError(t, err)
		defer store.Close()
		files := app.NewFiles(s.API, app.FilesConfig{Store: store, Secret: []byte("of the test"), BaseURL: func() string { return "" }})
		rec, err := files.Get(ctx, uuid.MustParse(id))
		require.NoError(t, err)
		link, err := files.Link(ctx, rec, 2*time.Second)
		require.NoError(t, err)
		nobody := caller{t: t, d: s.door}
		require.Eventually(t, func() bool {
			a := nobody.do(http.MethodGet, link.URL, "")
			return a.status == http.StatusForbidden && strings.Contains(a.text, "expired")
		}, time.Minute, 50*time.Millisecond)
		require.False(t, time.Now().Before(link.ExpiresAt))
	})

	t.Run("for other tenants there is no such file", func(t *testing.T) {
		t.Parallel()
		other := s.tenant(t)
		for _, id := range []string{id, uuid.NewString()} {
			other.fails(http.StatusNotFound, "NOT_FOUND", http.MethodGet, "/files/"+id, "")
			other.fails(http.StatusNotFound, "NOT_FOUND", http.MethodGet, "/files/"+id+"/content", "")
			other.fails(http.StatusNotFound, "NOT_FOUND", http.MethodDelete, "/files/"+id, "")
		}
		other.fails(http.StatusBadRequest, "VALIDATION_FAILED", http.MethodGet, "/files/one", "")
		require.Equal(t, http.StatusOK, c.do(http.MethodGet, "/files/"+id, "").status, "it is still there")
	})

	t.Run("what a browser would run is only bytes", func(t *testing.T) {
		t.Parallel()
		for name, body := range map[string]string{
			"page.png": "<!DOCTYPE html><script>alert(1)</script>", "picture.png": `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`,
			"program.png": "\x7fELF and more", "script.png": "#!/bin/sh\nrm",
		} {
			a := c.upload(filePart(name, "image/png", body), uploaderPart(c.scope.UserID.String()))
			require.Equal(t, http.StatusCreated, a.status, a.text)
			require.NotEqual(t, "image/png", a.body["contentType"], name)
			got := c.do(http.MethodGet, "/files/"+text(t, a.body["id"])+"/content", "")
			require.Equal(t, "application/octet-stream", got.header.Get("Content-Type"), name)
			require.True(t, strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment"), name)
			require.Equal(t, body, got.text)
		}
	})
}
