package storage_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/errs"
	"stackforge/storage"
	"stackforge/storage/storagetest"
)

// Every kind of store passes the same tests.
func TestStore(t *testing.T) {
	t.Parallel()

	t.Run("folder", func(t *testing.T) {
		t.Parallel()

		store, err := storage.OpenDir(filepath.Join(t.TempDir(), "new", "files"))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		suite(t, store)
		require.Empty(t, store.PublicURL("a"))
	})
	t.Run("bucket", func(t *testing.T) {
		t.Parallel()

		s := storagetest.Start(t)
		s.PublicURL = "https://cdn.example/files/"
		store := s.Open(t)
		suite(t, store)
		require.Equal(t, "https://cdn.example/files/a/b", store.PublicURL("a/b"))
	})
}

func content(t *testing.T, n int) []byte {
	t.Helper()

	b := make([]byte, n)
	_, err := rand.Read(b)
	require.NoError(t, err)
	return b
}

func read(t *testing.T, s *storage.Store, key string, size int) []byte {
	t.Helper()

	r, err := s.Open(t.Context(), key, int64(size))
	require.NoError(t, err)
	out, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return out
}

func keys(t *testing.T, s *storage.Store, prefix string) []string {
	t.Helper()

	out := []string{}
	for o, err := range s.List(t.Context(), prefix) {
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), o.Modified, time.Hour)
		out = append(out, o.Key)
	}
	return out
}

func suite(t *testing.T, s *storage.Store) {
	t.Helper()

	ctx := t.Context()
	kind := storage.Object{ContentType: "text/plain", ContentDisposition: "attachment"}
	require.NoError(t, s.Check(ctx))
	// A bucket gets what is large in parts: three of them, and two that are full.
	for name, body := range map[string][]byte{"t/1/large": content(t, 11<<20), "t/1/whole": content(t, 10<<20), "t/1/empty": {}, "t/2/small": []byte("small")} {
		require.NoError(t, s.Write(ctx, name, kind, bytes.NewReader(body)), name)
		require.True(t, bytes.Equal(body, read(t, s, name, len(body))), name)
		info, err := s.Stat(ctx, name)
		require.NoError(t, err)
		require.Equal(t, int64(len(body)), info.Size)
	}
	require.Equal(t, []string{"t/1/empty", "t/1/large", "t/1/whole"}, keys(t, s, "t/1/"))
	require.Empty(t, keys(t, s, "nothing/"))

	// From any place.
	r, err := s.Open(ctx, "t/2/small", 5)
	require.NoError(t, err)
	for at, want := range map[int64]string{3: "ll", 0: "small", 5: ""} {
		_, err := r.Seek(at, io.SeekStart)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	require.NoError(t, r.Close())

	require.NoError(t, s.Copy(ctx, "t/3/copy", "t/2/small"))
	require.Equal(t, "small", string(read(t, s, "t/3/copy", 5)))

	// A body that breaks leaves nothing, and its own error.
	broken := errors.New("broken")
	err = s.Write(ctx, "t/4/broken", kind, io.MultiReader(bytes.NewReader(content(t, 6<<20)), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	require.False(t, storage.Failed(err))
	_, err = s.Stat(ctx, "t/4/broken")
	require.Equal(t, errs.NotFound, errs.From(err).Code)
	require.Empty(t, keys(t, s, "t/4/"))
	n, err := s.AbortUploads(ctx, "", time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Zero(t, n, "no part is left")

	for range 2 { // what is not there is deleted, too
		require.NoError(t, s.Delete(ctx, "t/1/large"))
	}
	_, err = s.Open(ctx, "t/1/large", 1)
	require.Equal(t, errs.NotFound, errs.From(err).Code)
	require.Equal(t, []string{"t/1/empty", "t/1/whole"}, keys(t, s, "t/1/"))
}

func TestSigned(t *testing.T) {
	t.Parallel()

	server := storagetest.Start(t)
	s := server.Open(t)
	server.Kill() // nobody is asked to sign
	put, headers, err := s.SignPut(t.Context(), "incoming/a", 5, time.Minute)
	require.NoError(t, err)
	require.Empty(t, headers)
	empty, headers, err := s.SignPut(t.Context(), "incoming/empty", 0, time.Minute)
	require.NoError(t, err)
	get, err := s.SignGet(t.Context(), "incoming/a", storage.Object{ContentType: "text/csv", ContentDisposition: `attachment; filename="a b.csv"`}, time.Minute)
	require.NoError(t, err)
	server.Run(t)
	send := func(method, url, body string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		require.NoError(t, err)
		if url == empty {
			for name, value := range headers {
				req.Header.Set(name, value)
			}
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	require.GreaterOrEqual(t, send(http.MethodPut, put, "other length").StatusCode, 400, "another length was not signed")
	require.Equal(t, http.StatusOK, send(http.MethodPut, put, "12345").StatusCode)
	require.GreaterOrEqual(t, send(http.MethodPut, empty, "not empty").StatusCode, 400, "nor was any other than nothing")
	require.Equal(t, http.StatusOK, send(http.MethodPut, empty, "").StatusCode)
	headers = nil
	require.GreaterOrEqual(t, send(http.MethodPut, empty, "not empty").StatusCode, 400, "nor without the sum")
	res := send(http.MethodGet, get, "")
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "12345", string(text))
	require.Equal(t, "text/csv", res.Header.Get("Content-Type"))
	require.Equal(t, `attachment; filename="a b.csv"`, res.Header.Get("Content-Disposition"))
	require.Equal(t, http.StatusForbidden, send(http.MethodGet, strings.Replace(get, "incoming", "tenants", 1), "").StatusCode, "the signature is for one object")
}

// A store that is away, or silent, is UNAVAILABLE within its timeout.
func TestFailures(t *testing.T) {
	t.Parallel()

	server := storagetest.Start(t)
	s := server.Open(t)
	require.NoError(t, s.Write(t.Context(), "a", storage.Object{ContentType: "text/plain"}, strings.NewReader("abc")))
	all := func() map[string]error {
		_, stat := s.Stat(t.Context(), "a")
		var list error
		for _, err := range s.List(t.Context(), "") {
			list = err
		}
		_, open := s.Open(t.Context(), "a", 3)
		return map[string]error{
			"write": s.Write(t.Context(), "b", storage.Object{ContentType: "text/plain"}, bytes.NewReader(content(t, 6<<20))), "stat": stat, "list": list, "open": open,
			"copy": s.Copy(t.Context(), "c", "a"), "delete": s.Delete(t.Context(), "a"), "check": s.Check(t.Context()),
		}
	}
	refused := func() {
		for what, err := range all() {
			require.Equal(t, errs.Unavailable, errs.From(err).Code, "%s: %v", what, err)
			require.True(t, storage.Failed(err), what)
			require.NotContains(t, errs.From(err).Message, "127.0.0.1", "addresses are for the log")
		}
	}
	server.Hang(t)
	refused()
	server.Wake(t)
	require.Equal(t, "abc", string(read(t, s, "a", 3)))
	server.Kill()
	refused()
	server.Run(t)
	require.Equal(t, "abc", string(read(t, s, "a", 3)))
}

// The folder is a wall.
func TestFolderEscapes(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600))
	s, err := storage.OpenDir(filepath.Join(dir, "files"))
	require.NoError(t, err)
	for _, key := range []string{"../secret", "a/../../secret", "/etc/passwd"} {
		_, err := s.Open(t.Context(), key, 1)
		require.Error(t, err, key)
		_ = s.Write(t.Context(), key, storage.Object{ContentType: "text/plain"}, strings.NewReader("y")) // it may be stored, under another name within
	}
	text, err := os.ReadFile(filepath.Join(dir, "secret"))
	require.NoError(t, err)
	require.Equal(t, "x", string(text))
	require.NoError(t, s.Close())
}
