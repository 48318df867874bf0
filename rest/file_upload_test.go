package rest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
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
	"stackforge/tenant"
)

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
