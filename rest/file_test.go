package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/storage"
	"stackforge/storage/storagetest"
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
