package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/storage/storagetest"
)

// uploading is an upload that a test holds in its middle.
type uploading struct {
	form  *multipart.Writer
	part  io.Writer
	body  io.Closer
	ended chan error
}

// beginUpload sends the first bytes of a file and leaves the rest open.
func beginUpload(t *testing.T, c caller, head []byte) *uploading {
	t.Helper()
	r, w := io.Pipe()
	u := &uploading{form: multipart.NewWriter(w), body: w, ended: make(chan error, 1)}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/files", r)
	require.NoError(t, err)
	request.Header.Set("Content-Type", u.form.FormDataContentType())
	request.Header.Set("X-Api-Key", c.key)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			err = response.Body.Close()
		}
		_ = r.CloseWithError(io.ErrClosedPipe) // whoever writes on must not wait
		u.ended <- err
	}()
	u.part, err = u.form.CreateFormFile("file", "half.bin")
	require.NoError(t, err)
	_, err = u.part.Write(head)
	require.NoError(t, err)
	return u
}

// stored are the objects in a folder of files, and their bytes.
func stored(t *testing.T, dir string) (paths []string, size int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		fi, err := e.Info()
		if err == nil {
			paths, size = append(paths, path), size+fi.Size()
		}
		return err
	}))
	return paths, size
}

// cleanFiles runs the clean-up and returns what it removed.
func cleanFiles(t *testing.T, w *world, c caller) map[string]int64 {
	t.Helper()
	job := c.enqueue(t, "cleanup_files", map[string]any{"older_than_hours": 1})
	c.awaitJob(t, job, "DONE")
	var result map[string]int64
	require.NoError(t, json.Unmarshal([]byte(one[string](t, w, `SELECT result::text FROM jobs WHERE id = $1`, job)), &result))
	return result
}

// A server that is killed in the middle of an upload leaves a record that says so and a piece of the object. Nobody can download it, it
// counts against the quota until the clean-up, and the clean-up of another process removes both.
func TestUploadKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(w.dir, "objects")
	env := w.environ("STORAGE_DIR=" + dir)
	first := serveAPI(t, env)
	const sent = 1 << 20
	u := beginUpload(t, w.caller(first), bytes.Repeat([]byte{0xff, 0x00, 0x01, 0x02}, sent/4))
	eventually(t, func() bool { _, size := stored(t, dir); return size >= sent/2 }, "half of the object")
	require.Equal(t, []string{"pending"}, list[string](t, w, `SELECT status FROM files`))
	first.kill()
	require.NoError(t, u.body.Close()) // the client waits for the rest
	require.Error(t, <-u.ended)
	paths, _ := stored(t, dir)
	require.Len(t, paths, 1, "a piece of the object")
	id := one[string](t, w, `SELECT id::text FROM files WHERE status = 'pending'`)

	second := serveAPI(t, env, "--worker")
	c := w.caller(second)
	for path, want := range map[string]int{"/files/" + id: http.StatusOK, "/files/" + id + "/content": http.StatusNotFound} {
		status, text := page(t, second.url+path, "X-Api-Key", w.key)
		require.Equal(t, want, status, text)
		require.NotContains(t, text, "downloadUrl")
	}
	require.Zero(t, cleanFiles(t, w, c)["removed"], "it could still be under way")
	require.Len(t, list[string](t, w, `SELECT id::text FROM files`), 1)

	w.Exec(t, `UPDATE files SET created_at = created_at - interval '2 hours'`)
	then := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(paths[0], then, then))
	result := cleanFiles(t, w, c)
	require.EqualValues(t, 1, result["unfinished"])
	require.Equal(t, result["unfinished"]+result["orphans"], result["removed"])
	paths, _ = stored(t, dir)
	require.Empty(t, paths)
	require.Empty(t, list[string](t, w, `SELECT id::text FROM files`))
	require.Zero(t, one[int64](t, w, `SELECT bytes_used + files_used FROM tenant_storage`))
}

// With a bucket what a killed server leaves are parts, which no list of objects shows and the service keeps for ever.
func TestUploadKilledParts(t *testing.T) {
	t.Parallel()
	bucket := storagetest.Start(t)
	w := newWorld(t)
	env := w.environ(bucket.Environ()...)
	first := serveAPI(t, env)
	u := beginUpload(t, w.caller(first), bytes.Repeat([]byte{0xff, 0x00, 0x01, 0x02}, 12<<18))
	eventually(t, func() bool {
		parts := bucket.Parts(t)
		if len(parts) == 0 {
			return false
		}
		_, size := stored(t, parts[0])
		return size >= 10<<20
	}, "two parts")
	first.kill()
	require.NoError(t, u.body.Close())
	require.Error(t, <-u.ended)

	c := w.caller(serveAPI(t, env, "--worker"))
	require.Zero(t, cleanFiles(t, w, c)["removed"], "it could still be under way")
	parts := bucket.Parts(t)
	require.Len(t, parts, 1)
	w.Exec(t, `UPDATE files SET created_at = created_at - interval '2 hours'`)
	then := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(parts[0], then, then))
	require.Equal(t, map[string]int64{"removed": 2, "unfinished": 1, "missing": 0, "orphans": 0, "parts": 1}, cleanFiles(t, w, c))
	require.Empty(t, bucket.Parts(t))
	require.Zero(t, one[int64](t, w, `SELECT count(*) + (SELECT sum(bytes_used + files_used)::bigint FROM tenant_storage) FROM files`))
}

// A stop lets an upload end.
func TestUploadStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(w.dir, "objects")
	s := serveAPI(t, w.environ("STORAGE_DIR="+dir, "SHUTDOWN_GRACE_MS=60000"))
	u := beginUpload(t, w.caller(s), bytes.Repeat([]byte{0xff, 0x00, 0x01, 0x02}, 1<<18))
	eventually(t, func() bool { _, size := stored(t, dir); return size >= 1<<19 }, "half of the object")
	s.interrupt()
	refused(t, s)
	_, err := u.part.Write([]byte("the end"))
	require.NoError(t, err)
	require.NoError(t, u.form.WriteField("uploaderId", w.scope.UserID.String()))
	require.NoError(t, u.form.Close())
	require.NoError(t, u.body.Close())
	require.NoError(t, <-u.ended)
	require.Zero(t, s.wait(), s.stderr.String())
	require.Equal(t, []string{"ready"}, list[string](t, w, `SELECT status FROM files`))
	_, size := stored(t, dir)
	require.EqualValues(t, 1<<20+len("the end"), size)
}
