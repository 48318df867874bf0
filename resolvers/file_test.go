package resolvers_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/repo/file"
)

// file uploads a small file.
func (c caller) file(name string) file.File {
	c.d.t.Helper()

	f, err := c.d.files.Upload(c.ctx(), app.UploadParams{
		Filename: name, ContentType: "text/plain", Most: -1, Body: strings.NewReader("bytes of " + name),
		Uploader: func() (uuid.UUID, error) { return c.scope.UserID, nil },
	})
	require.NoError(c.d.t, err)
	return f
}

// textAt is at for a text.
func textAt(t testing.TB, v any, path ...any) string {
	t.Helper()

	s, ok := at(t, v, path...).(string)
	require.True(t, ok)
	return s
}

// send puts the bytes to where createUpload says, as the server's PUT route does.
func (c caller) put(upload any, body string) {
	t := c.d.t
	t.Helper()

	u, err := url.Parse(textAt(t, upload, "url"))
	require.NoError(t, err)
	require.Equal(t, "PUT", at(t, upload, "method"))
	id := uuid.MustParse(textAt(t, upload, "file", "id"))
	require.Equal(t, "http://files.test/files/"+id.String()+"/content", "http://"+u.Host+u.Path)
	signed, err := c.d.files.Verify("PUT", id, u.Query())
	require.NoError(t, err)
	require.NoError(t, c.d.files.Receive(t.Context(), signed, bytes.NewBufferString(body)))
}

const createUpload = `mutation ($in: CreateUploadInput!) { createUpload(input: $in) { file { id status filename sizeBytes uploadExpiresAt } url method headers expiresAt } }`

const completeUpload = `mutation ($id: ID!) { completeUpload(input: {id: $id}) { file { id status sizeBytes checksum contentType completedAt uploadExpiresAt } } }`

func TestFiles(t *testing.T) {
	t.Parallel()

	t.Run("an upload goes to storage and is complete when its bytes are what was told", func(t *testing.T) {
		t.Parallel()

		c := open(t).tenant()
		const body = "\x89PNG\r\n\x1a\n and more"
		sum := sha256.Sum256([]byte(body))
		in := vars{"filename": "../a/picture.gif", "contentType": "image/gif", "sizeBytes": len(body), "checksum": hex.EncodeToString(sum[:]), "uploaderId": c.scope.UserID}
		up := at(t, c.get(createUpload, vars{"in": in}), "createUpload")
		require.Equal(t, "picture.gif", at(t, up, "file", "filename"))
		require.Equal(t, "PENDING", at(t, up, "file", "status"))
		id := vars{"id": at(t, up, "file", "id")}
		require.Equal(t, []string{"CONFLICT"}, c.ask(completeUpload, id).codes(), "nothing was sent")

		c.put(up, strings.Repeat("x", len(body)))
		wrong := c.ask(completeUpload, id)
		require.Equal(t, []string{"VALIDATION_FAILED"}, wrong.codes(), wrong.raw)
		require.Equal(t, []string{"checksum"}, wrong.fields())

		c.put(up, body)
		for range 2 { // the second changes nothing
			f := at(t, c.get(completeUpload, id), "completeUpload", "file")
			require.Equal(t, "READY", at(t, f, "status"))
			require.Equal(t, "image/png", at(t, f, "contentType"), "the bytes have the last word")
			require.Equal(t, hex.EncodeToString(sum[:]), at(t, f, "checksum"))
		}
		// What is sent to the URL afterwards is not the file.
		c.put(up, strings.Repeat("y", len(body)))
		_, r, err := c.d.files.Content(c.ctx(), uuid.MustParse(textAt(t, up, "file", "id")))
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, body, string(text))

		f := at(t, c.get(`query ($id: ID!) { file(id: $id) { uploader { id } downloadUrl expiresAt publicUrl } storageUsage { bytes files bytesLimit } }`, id), "file")
		require.Equal(t, c.scope.UserID.String(), at(t, f, "uploader", "id"))
		require.Contains(t, at(t, f, "downloadUrl"), "http://files.test/files/")
		require.Nil(t, at(t, f, "publicUrl"))

		c.get(`mutation ($id: ID!) { deleteFile(input: {id: $id}) { id } }`, id)
		require.Nil(t, at(t, c.get(`query ($id: ID!) { file(id: $id) { id } }`, id), "file"))
		require.Equal(t, []string{"NOT_FOUND"}, c.ask(`mutation ($id: ID!) { deleteFile(input: {id: $id}) { id } }`, id).codes())
		require.InDelta(t, 0, at(t, c.get(`{ storageUsage { bytes } }`, nil), "storageUsage", "bytes"), 0)
	})

	t.Run("bad input names its field", func(t *testing.T) {
		t.Parallel()

		c := open(t).tenant()
		good := vars{"filename": "a", "sizeBytes": 1, "uploaderId": c.scope.UserID}
		for field, v := range map[string]any{
			"sizeBytes": -1, "checksum": "abc", "uploaderId": uuid.NewString(),
		} {
			in := vars{"filename": good["filename"], "sizeBytes": good["sizeBytes"], "uploaderId": good["uploaderId"]}
			in[field] = v
			a := c.ask(createUpload, vars{"in": in})
			require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), a.raw)
			require.Equal(t, []string{field}, a.fields())
		}
		in := vars{"filename": "a", "sizeBytes": 1<<20 + 1, "uploaderId": c.scope.UserID}
		require.Equal(t, []string{"PAYLOAD_TOO_LARGE"}, c.ask(createUpload, vars{"in": in}).codes())
		f := c.file("a.txt")
		a := c.ask(`query ($id: ID!) { file(id: $id) { downloadUrl(expiresIn: 604801) } }`, vars{"id": f.ID})
		require.Equal(t, []string{"expiresIn"}, a.fields(), a.raw)
	})

	t.Run("lists page, filter and count", func(t *testing.T) {
		t.Parallel()

		c := open(t).tenant()
		for _, name := range []string{"a.txt", "b.txt", "c.csv"} {
			c.file(name)
		}
		const q = `query ($f: FileFilter, $n: Int, $after: String) { filesConnection(first: $n, after: $after, filter: $f) { nodes { filename } totalCount pageInfo { endCursor hasNextPage } } }`
		page := at(t, c.get(q, vars{"n": 2}), "filesConnection")
		require.Equal(t, []string{"c.csv", "b.txt"}, texts(t, at(t, page, "nodes"), "filename"))
		rest := at(t, c.get(q, vars{"n": 2, "after": at(t, page, "pageInfo", "endCursor")}), "filesConnection")
		require.Equal(t, []string{"a.txt"}, texts(t, at(t, rest, "nodes"), "filename"))
		require.InDelta(t, 3, at(t, rest, "totalCount"), 0)
		for want, f := range map[string]any{
			"c.csv": vars{"filename": vars{"startsWith": "c"}}, "b.txt": vars{"filename": vars{"eq": "b.txt"}, "status": vars{"in": []string{"READY"}}},
		} {
			require.Equal(t, []string{want}, texts(t, at(t, c.get(q, vars{"f": f}), "filesConnection", "nodes"), "filename"))
		}
		require.Empty(t, at(t, c.get(q, vars{"f": vars{"status": vars{"eq": "PENDING"}}}), "filesConnection", "nodes"))
	})

	t.Run("a server without storage says so, and its lists work", func(t *testing.T) {
		t.Parallel()

		d := open(t)
		c := d.tenant()
		f := c.file("a.txt")
		d.files.Store = nil
		require.Equal(t, []string{"NOT_IMPLEMENTED"}, c.ask(createUpload, vars{"in": vars{"filename": "a", "sizeBytes": 1, "uploaderId": c.scope.UserID}}).codes())
		require.Equal(t, []string{"NOT_IMPLEMENTED"}, c.ask(completeUpload, vars{"id": f.ID}).codes())
		a := c.ask(`{ filesConnection { nodes { filename downloadUrl } } }`, nil)
		require.Equal(t, []string{"NOT_IMPLEMENTED"}, a.codes())
		require.Contains(t, a.raw, "STORAGE_ENDPOINT")
		require.Contains(t, a.raw, "a.txt")
	})
}
