package rest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/repo/file"
	"stackforge/storage"
	"stackforge/storage/storagetest"
	"stackforge/tenant"
)

// maxFile is the limit of files in these tests.
const maxFile = 256 << 10

// shelf is a door with a folder for files.
type shelf struct {
	*door
	dir string
}

func openShelf(t *testing.T) shelf {
	t.Helper()
	dir := t.TempDir()
	store, err := storage.OpenDir(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return shelf{open(t, options{store: store}), dir}
}

// objects are the names of all that is in the folder.
func (s shelf) objects(t *testing.T) []string {
	t.Helper()
	out := []string{}
	require.NoError(t, fs.WalkDir(os.DirFS(s.dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			out = append(out, path)
		}
		return err
	}))
	return out
}

// nothing requires that no row, no object and no used byte is left.
func (s shelf) nothing(t *testing.T) {
	t.Helper()
	require.Empty(t, s.objects(t))
	var rows, used int
	require.NoError(t, s.Connect(t).QueryRow(t.Context(),
		`SELECT (SELECT count(*) FROM files)::int, (SELECT coalesce(sum(bytes_used + files_used), 0) FROM tenant_storage)::int`).Scan(&rows, &used))
	require.Zero(t, rows, "rows")
	require.Zero(t, used, "used bytes and files")
}

// part is a part of a form; disposition stands for name and filename.
type part struct{ disposition, contentType, body string }

func filePart(name, contentType, body string) part {
	return part{fmt.Sprintf(`form-data; name="file"; filename=%q`, name), contentType, body}
}

func uploaderPart(id string) part { return part{disposition: `form-data; name="uploaderId"`, body: id} }

// encode returns a form and its type.
func encode(t *testing.T, parts ...part) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{"Content-Disposition": {p.disposition}}
		if p.contentType != "" {
			h.Set("Content-Type", p.contentType)
		}
		part, err := w.CreatePart(h)
		require.NoError(t, err)
		_, err = io.WriteString(part, p.body)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return w.FormDataContentType(), b.String()
}

// upload sends a form.
func (c caller) upload(parts ...part) answer {
	c.t.Helper()
	t, ok := c.t.(*testing.T)
	require.True(c.t, ok)
	contentType, body := encode(t, parts...)
	return c.do(http.MethodPost, "/files", body, "Content-Type", contentType)
}

// uploaded uploads a file and returns its id.
func (c caller) uploaded(name, body string) string {
	c.t.Helper()
	a := c.upload(filePart(name, "", body), uploaderPart(c.scope.UserID.String()))
	require.Equal(c.t, http.StatusCreated, a.status, a.text)
	return text(c.t, a.body["id"])
}

// link is the download URL of a file, without the server.
func (c caller) link(id string) string {
	c.t.Helper()
	u := text(c.t, c.ok(http.StatusOK, http.MethodGet, "/files/"+id, "")["downloadUrl"])
	require.True(c.t, strings.HasPrefix(u, c.d.url+"/files/"+id+"/content?"), u)
	return strings.TrimPrefix(u, c.d.url)
}

// random is text that looks like no type of file.
func random(n int) string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.UintN(256))
	}
	return string(b)
}

func TestFileUpload(t *testing.T) {
	t.Parallel()

	t.Run("the record has what the bytes say, and the object what was sent", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		c := s.tenant(t)
		body := random(200 << 10)
		for _, parts := range [][]part{
			{filePart("data.bin", "application/x-thing", body), uploaderPart(c.scope.UserID.String())},
			{uploaderPart(c.scope.UserID.String()), filePart("data.bin", "application/x-thing", body)},
		} {
			a := c.upload(parts...)
			require.Equal(t, http.StatusCreated, a.status, a.text)
			id := text(t, a.body["id"])
			require.Equal(t, "/files/"+id, a.header.Get("Location"))
			sum := sha256.Sum256([]byte(body))
			want := vars{
				"id": id, "filename": "data.bin", "contentType": "application/x-thing", "sizeBytes": float64(len(body)), "status": "ready",
				"checksum": hex.EncodeToString(sum[:]), "uploaderId": c.scope.UserID.String(), "createdAt": a.body["createdAt"],
			}
			require.Equal(t, want, a.body)
			created, err := time.Parse(time.RFC3339Nano, text(t, a.body["createdAt"]))
			require.NoError(t, err)
			object, err := os.ReadFile(filepath.Join(s.dir, "tenants", c.scope.TenantID.String(), created.UTC().Format("2006/01"), id))
			require.NoError(t, err)
			require.Equal(t, sum, sha256.Sum256(object))
		}
		require.Len(t, s.objects(t), 2, "nothing else is there")
	})

	t.Run("what is wrong with the form is told, and nothing is stored", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		c, other := s.tenant(t), s.tenant(t)
		own := uploaderPart(c.scope.UserID.String())
		for name, test := range map[string]struct {
			field string
			parts []part
		}{
			"no file":                {"file", []part{own}},
			"no part":                {"file", nil},
			"no uploader":            {"uploaderId", []part{filePart("a.txt", "", "text")}},
			"no uuid":                {"uploaderId", []part{filePart("a.txt", "", "text"), uploaderPart("me")}},
			"a long id":              {"uploaderId", []part{filePart("a.txt", "", "text"), uploaderPart(strings.Repeat("1", 10_000))}},
			"of another tenant":      {"uploaderId", []part{filePart("a.txt", "", "text"), uploaderPart(other.scope.UserID.String())}},
			"of another, told first": {"uploaderId", []part{uploaderPart(other.scope.UserID.String()), filePart("a.txt", "", "text")}},
			"of nobody":              {"uploaderId", []part{filePart("a.txt", "", "text"), uploaderPart(uuid.NewString())}},
			"two files":              {"file", []part{filePart("a.txt", "", "text"), filePart("b.txt", "", "text"), own}},
		} {
			a := c.upload(test.parts...)
			require.Equal(t, http.StatusBadRequest, a.status, "%s: %s", name, a.text)
			require.Equal(t, []string{test.field}, a.fields(), "%s: %s", name, a.text)
			s.nothing(t)
		}
		contentType, body := encode(t, filePart("a.txt", "", strings.Repeat("text", 1000)), own)
		for name, wrong := range map[string][2]string{
			"no form":        {"application/json", `{"file": "text"}`},
			"no boundary":    {"multipart/form-data", body},
			"other boundary": {"multipart/form-data; boundary=other", body},
			"cut in a file":  {contentType, body[:2000]},
			"cut at its end": {contentType, body[:len(body)-10]},
		} {
			a := c.do(http.MethodPost, "/files", wrong[1], "Content-Type", wrong[0])
			require.Equal(t, http.StatusBadRequest, a.status, "%s: %s", name, a.text)
			s.nothing(t)
		}
	})

	t.Run("a file above the limit is 413 and leaves nothing", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		c := s.tenant(t)
		own := uploaderPart(c.scope.UserID.String())
		c.uploaded("fits.bin", random(maxFile))
		c.ok(http.StatusNoContent, http.MethodDelete, "/files/"+c.ids()[0], "")
		s.nothing(t)
		for _, n := range []int{maxFile + 1, maxFile + 100<<10} {
			a := c.upload(filePart("large.bin", "", random(n)), own)
			require.Equal(t, http.StatusRequestEntityTooLarge, a.status, a.text)
			require.Equal(t, "PAYLOAD_TOO_LARGE", a.body["code"])
			s.nothing(t)
		}

		contentType, body := encode(t, own, filePart("large.bin", "", random(maxFile+1)))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/files", io.MultiReader(strings.NewReader(body))) // its length is not told
		require.NoError(t, err)
		require.EqualValues(t, 0, r.ContentLength)
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("X-Api-Key", c.key)
		response, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
		s.nothing(t)
	})

	t.Run("a file above the quota is 413 and leaves nothing", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		c := s.tenant(t)
		s.Exec(t, `SELECT set_tenant_storage_limits($1, 1000, 2)`, c.scope.TenantID)
		own := uploaderPart(c.scope.UserID.String())
		a := c.upload(filePart("large.bin", "", random(1001)), own)
		require.Equal(t, http.StatusRequestEntityTooLarge, a.status, a.text)
		s.nothing(t)
		c.uploaded("fits.bin", random(1000))
		a = c.upload(filePart("more.bin", "", "1"), own)
		require.Equal(t, http.StatusRequestEntityTooLarge, a.status, a.text)
		c.uploaded("empty.bin", "")
		a = c.upload(filePart("third.bin", "", ""), own)
		require.Equal(t, http.StatusRequestEntityTooLarge, a.status, a.text)
		require.Len(t, s.objects(t), 2)
	})

	t.Run("permission is needed", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		c := s.tenant(t)
		id := c.uploaded("a.txt", "text")
		reader, writer, nobody := s.caller(t, c.scope, "files:read"), s.caller(t, c.scope, "files:write"), caller{t: t, d: s.door}
		a := reader.upload(filePart("a.txt", "", "text"), uploaderPart(c.scope.UserID.String()))
		require.Equal(t, http.StatusForbidden, a.status, a.text)
		reader.fails(http.StatusForbidden, "FORBIDDEN", http.MethodDelete, "/files/"+id, "")
		for _, path := range []string{"/files/" + id, "/files/" + id + "/content"} {
			writer.fails(http.StatusForbidden, "FORBIDDEN", http.MethodGet, path, "")
			nobody.fails(http.StatusUnauthorized, "UNAUTHENTICATED", http.MethodGet, path, "")
		}
	})

	t.Run("without storage it is 501, and the rest works", func(t *testing.T) {
		t.Parallel()
		d := open(t, options{})
		c := d.tenant(t)
		contentType, body := encode(t, filePart("a.txt", "", "text"), uploaderPart(c.scope.UserID.String()))
		id := uuid.NewString()
		for _, r := range [][]string{
			{http.MethodPost, "/files", body, "Content-Type", contentType},
			{http.MethodGet, "/files/" + id, ""},
			{http.MethodGet, "/files/" + id + "/content", ""},
			{http.MethodDelete, "/files/" + id, ""},
		} {
			a := c.send(r[0], r[1], r[2], r[3:]...)
			require.Equal(t, http.StatusNotImplemented, a.status, a.text)
			require.Equal(t, "NOT_IMPLEMENTED", a.body["code"])
			require.Contains(t, a.text, "STORAGE_DIR")
		}
		c.document(nil)
	})
}

// ids are those of the tenant's files.
func (c caller) ids() []string {
	c.t.Helper()
	list, err := file.New(c.d.API).Keyed(tenant.With(c.t.Context(), c.scope), "", 100)
	require.NoError(c.t, err)
	out := []string{}
	for _, f := range list {
		out = append(out, f.ID.String())
	}
	return out
}

// send is do for answers that may be of the server's own fault.
func (c caller) send(method, path, body string, pairs ...string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.d.url+path, strings.NewReader(body))
	require.NoError(c.t, err)
	r.Header.Set("X-Api-Key", c.key)
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(c.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	if len(text) > 0 {
		require.NoError(c.t, json.Unmarshal(text, &a.body), a.text)
	}
	return a
}

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

func TestFileDelete(t *testing.T) {
	t.Parallel()

	t.Run("row and object go", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		c := s.tenant(t)
		id := c.uploaded("a.txt", "text")
		link := c.link(id)
		a := c.do(http.MethodDelete, "/files/"+id, "")
		require.Equal(t, http.StatusNoContent, a.status, a.text)
		require.Empty(t, a.text)
		s.nothing(t)
		c.fails(http.StatusNotFound, "NOT_FOUND", http.MethodDelete, "/files/"+id, "")
		c.fails(http.StatusNotFound, "NOT_FOUND", http.MethodGet, "/files/"+id, "")
		caller{t: t, d: s.door}.fails(http.StatusNotFound, "NOT_FOUND", http.MethodGet, link, "")
	})

	t.Run("while the storage is away it is 502 and the row stays, for another try", func(t *testing.T) {
		t.Parallel()
		server := storagetest.Start(t)
		d := open(t, options{store: server.Open(t)})
		c := d.tenant(t)
		id := c.uploaded("a.txt", "text")
		server.Kill()
		for range 2 {
			a := c.send(http.MethodDelete, "/files/"+id, "")
			require.Equal(t, http.StatusBadGateway, a.status, a.text)
			require.Equal(t, "UNAVAILABLE", a.body["code"])
			require.NotContains(t, a.text, server.Endpoint)
		}
		require.Equal(t, "deleting", c.ok(http.StatusOK, http.MethodGet, "/files/"+id, "")["status"])
		c.fails(http.StatusNotFound, "NOT_FOUND", http.MethodGet, "/files/"+id+"/content", "")
		contentType, body := encode(t, filePart("b.txt", "", "text"), uploaderPart(c.scope.UserID.String()))
		a := c.send(http.MethodPost, "/files", body, "Content-Type", contentType)
		require.Equal(t, http.StatusBadGateway, a.status, a.text)

		server.Run(t)
		require.Equal(t, http.StatusNoContent, c.do(http.MethodDelete, "/files/"+id, "").status)
		c.fails(http.StatusNotFound, "NOT_FOUND", http.MethodGet, "/files/"+id, "")
	})
}

// Bytes of a direct upload go to a signed URL of the server, when files are in a folder.
func TestFileReceive(t *testing.T) {
	t.Parallel()
	s := openShelf(t)
	c := s.tenant(t)
	ctx := tenant.With(t.Context(), c.scope)
	store, err := storage.OpenDir(s.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	files := app.NewFiles(s.API, app.FilesConfig{Store: store, MaxBytes: maxFile, Secret: []byte("of the test"), BaseURL: func() string { return "" }})
	up, err := files.Begin(ctx, app.BeginParams{Filename: "a.bin", ContentType: "application/x-thing", SizeBytes: 5, UploaderID: c.scope.UserID})
	require.NoError(t, err)
	nobody := caller{t: t, d: s.door}

	a := nobody.do(http.MethodPut, up.Link.URL, "four")
	require.Equal(t, http.StatusBadRequest, a.status, a.text)
	require.Equal(t, []string{"sizeBytes"}, a.fields())
	a = nobody.do(http.MethodPut, up.Link.URL, "too many")
	require.Equal(t, http.StatusRequestEntityTooLarge, a.status, a.text)
	require.Empty(t, s.objects(t))
	a = nobody.do(http.MethodPut, strings.Replace(up.Link.URL, "size=5", "size=8", 1), "too many")
	require.Equal(t, http.StatusForbidden, a.status, a.text)
	a = nobody.do(http.MethodGet, up.Link.URL, "")
	require.Equal(t, http.StatusForbidden, a.status, a.text)
	c.fails(http.StatusNotFound, "NOT_FOUND", http.MethodGet, "/files/"+up.File.ID.String()+"/content", "")

	require.Equal(t, http.StatusNoContent, nobody.do(http.MethodPut, up.Link.URL, "bytes").status)
	done, err := files.Finish(ctx, up.File.ID)
	require.NoError(t, err)
	require.Equal(t, file.Ready, done.Status)
	require.Equal(t, "bytes", c.do(http.MethodGet, "/files/"+up.File.ID.String()+"/content", "").text)
	require.Equal(t, http.StatusNoContent, nobody.do(http.MethodPut, up.Link.URL, "other").status, "the URL still works")
	require.Equal(t, "bytes", c.do(http.MethodGet, "/files/"+up.File.ID.String()+"/content", "").text, "and changes nothing")
}
