package app_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/file"
	"stackforge/storage"
	"stackforge/storage/storagetest"
	"stackforge/tenant"
)

// shelf is the files of a tenant in a folder, as the API and as the worker see them.
type shelf struct {
	*dbtest.DB
	t      *testing.T
	dir    string
	api    *app.Files
	worker *app.Files
	scope  tenant.Scope
}

func openShelf(t *testing.T) shelf {
	t.Helper()
	s := shelf{DB: dbtest.New(t), t: t, dir: t.TempDir()}
	store, err := storage.OpenDir(s.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return s.with(store)
}

// with is the same with another store, for a new tenant.
func (s shelf) with(store *storage.Store) shelf {
	c := app.FilesConfig{Store: store, MaxBytes: 1 << 20, Secret: []byte("of the test"), BaseURL: func() string { return "http://files.test" }}
	s.api, s.worker, s.scope = app.NewFiles(s.API, c), app.NewFiles(s.Worker, c), dbtest.Tenant(s.t, s.DB)
	return s
}

// another is another tenant of the same.
func (s shelf) another() shelf {
	s.scope = dbtest.Tenant(s.t, s.DB)
	return s
}

func (s shelf) ctx() context.Context { return tenant.With(s.t.Context(), s.scope) }

func (s shelf) params(body io.Reader) app.UploadParams {
	return app.UploadParams{Filename: "a.txt", ContentType: "text/plain", Most: -1, Body: body, Uploader: func() (uuid.UUID, error) { return s.scope.UserID, nil }}
}

func (s shelf) upload(body string) file.File {
	s.t.Helper()
	f, err := s.api.Upload(s.ctx(), s.params(strings.NewReader(body)))
	require.NoError(s.t, err)
	return f
}

// pending makes the record of an upload that never went on.
func (s shelf) pending() file.File {
	s.t.Helper()
	f, err := file.New(s.API).Create(s.ctx(), file.CreateParams{Filename: "a.txt", ContentType: "text/plain", SizeBytes: 4})
	require.NoError(s.t, err)
	return f
}

// put writes an object.
func (s shelf) put(key string) {
	s.t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(key))
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(s.t, os.WriteFile(path, []byte("text"), 0o600))
}

// age makes records and objects as old as that.
func (s shelf) age(d time.Duration, ids []uuid.UUID, keys ...string) {
	s.t.Helper()
	s.Exec(s.t, `UPDATE files SET created_at = created_at - $1::interval, completed_at = completed_at - $1::interval WHERE id = ANY ($2)`, d, ids)
	then := time.Now().Add(-d)
	for _, key := range keys {
		require.NoError(s.t, os.Chtimes(filepath.Join(s.dir, filepath.FromSlash(key)), then, then))
	}
}

// rows are the ids of all records of the tenant.
func (s shelf) rows() []uuid.UUID {
	s.t.Helper()
	list, err := file.New(s.API).Keyed(s.ctx(), "", 1000)
	require.NoError(s.t, err)
	out := []uuid.UUID{}
	for _, f := range list {
		out = append(out, f.ID)
	}
	return out
}

// objects are the keys of all objects, of all tenants.
func (s shelf) objects() []string {
	s.t.Helper()
	out := []string{}
	require.NoError(s.t, fs.WalkDir(os.DirFS(s.dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			out = append(out, path)
		}
		return err
	}))
	return out
}

// used is what the tenant has stored by the books, which must be the truth.
func (s shelf) used() file.Usage {
	s.t.Helper()
	u, err := file.New(s.API).Usage(s.ctx())
	require.NoError(s.t, err)
	var bytes, files int64
	require.NoError(s.t, s.Connect(s.t).QueryRow(s.t.Context(),
		`SELECT coalesce(sum(size_bytes), 0), count(*) FROM files WHERE tenant_id = $1`, s.scope.TenantID).Scan(&bytes, &files))
	require.Equal(s.t, bytes, u.Bytes)
	require.Equal(s.t, files, u.Files)
	return u
}

func TestFilesCleanup(t *testing.T) {
	t.Parallel()

	t.Run("what is old and not whole goes, the rest stays", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		other := s.another()
		stray := "tenants/" + s.scope.TenantID.String() + "/2020/01/" + uuid.NewString()
		temporary := "tenants/" + s.scope.TenantID.String() + "/2020/01/" + uuid.NewString() + "123.tmp"
		sent := "incoming/" + s.scope.TenantID.String() + "/2020/01/" + uuid.NewString()
		whole, youngWhole := s.upload("whole"), s.upload("young")
		bare, half, deleting := s.pending(), s.pending(), s.upload("is being deleted")
		lost := s.upload("its object is gone")
		young, youngHalf, youngLost := s.pending(), s.pending(), s.upload("not seen yet")
		foreign, foreignWhole := other.pending(), other.upload("of another")
		foreignStray := "tenants/" + other.scope.TenantID.String() + "/2020/01/" + uuid.NewString()
		_, err := file.New(s.API).MarkDeleted(s.ctx(), deleting.ID)
		require.NoError(t, err)
		youngStray := "tenants/" + s.scope.TenantID.String() + "/2020/01/" + uuid.NewString()
		for _, key := range []string{half.StorageKey, youngHalf.StorageKey, stray, temporary, sent, youngStray, foreign.StorageKey, foreignStray} {
			s.put(key)
		}
		for _, f := range []file.File{lost, youngLost} {
			require.NoError(t, os.Remove(filepath.Join(s.dir, f.StorageKey)))
		}
		s.age(25*time.Hour, []uuid.UUID{whole.ID, bare.ID, half.ID, deleting.ID, lost.ID, foreign.ID, foreignWhole.ID},
			whole.StorageKey, half.StorageKey, deleting.StorageKey, stray, temporary, sent, foreign.StorageKey, foreignWhole.StorageKey, foreignStray)
		s.age(23*time.Hour, []uuid.UUID{young.ID, youngHalf.ID, youngLost.ID, youngWhole.ID}, youngHalf.StorageKey, youngStray, youngWhole.StorageKey)

		c, err := s.worker.Cleanup(s.ctx(), 24)
		require.NoError(t, err)
		require.Equal(t, app.Cleaned{Removed: 7, Unfinished: 3, Missing: 1, Orphans: 3}, c)
		require.ElementsMatch(t, []uuid.UUID{whole.ID, young.ID, youngHalf.ID, youngLost.ID, youngWhole.ID}, s.rows())
		require.ElementsMatch(t, []uuid.UUID{foreign.ID, foreignWhole.ID}, other.rows())
		require.ElementsMatch(t, []string{
			whole.StorageKey, youngWhole.StorageKey, youngHalf.StorageKey, youngStray, foreign.StorageKey, foreignWhole.StorageKey, foreignStray,
		}, s.objects())
		s.used()
		c, err = s.worker.Cleanup(s.ctx(), 24)
		require.NoError(t, err)
		require.Zero(t, c, "nothing is left to do")
	})

	t.Run("a direct upload that has expired goes at once", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		up, err := s.api.Begin(s.ctx(), app.BeginParams{Filename: "a.txt", ContentType: "text/plain", SizeBytes: 4, UploaderID: s.scope.UserID})
		require.NoError(t, err)
		waits, err := s.api.Begin(s.ctx(), app.BeginParams{Filename: "a.txt", ContentType: "text/plain", SizeBytes: 4, UploaderID: s.scope.UserID})
		require.NoError(t, err)
		key := strings.Replace(up.File.StorageKey, "tenants/", "incoming/", 1)
		s.put(key)
		s.Exec(t, `UPDATE files SET expires_at = now() - interval '1 second' WHERE id = $1`, up.File.ID)
		c, err := s.worker.Cleanup(s.ctx(), 24)
		require.NoError(t, err)
		require.Equal(t, app.Cleaned{Removed: 1, Unfinished: 1}, c)
		require.Equal(t, []uuid.UUID{waits.File.ID}, s.rows())
		require.Empty(t, s.objects())
		require.EqualValues(t, 4, s.used().Bytes, "what was set aside for it is free again")
	})

	t.Run("more records and objects than one batch", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		s.Exec(t, `
			INSERT INTO files (tenant_id, id, uploader_id, filename, content_type, size_bytes, storage_key, status, created_at, completed_at)
			SELECT $1, i.id, $2, 'a.txt', 'text/plain', 1, 'tenants/' || $1::uuid || '/2020/01/' || i.id, CASE WHEN i.n % 2 = 0 THEN 'ready' ELSE 'pending' END,
			       now() - interval '2 days', CASE WHEN i.n % 2 = 0 THEN now() - interval '2 days' END
			FROM (SELECT n, uuid_v7() AS id FROM generate_series(1, 1203) n) i`, s.scope.TenantID, s.scope.UserID)
		kept := s.upload("kept")
		c, err := s.worker.Cleanup(s.ctx(), 24)
		require.NoError(t, err)
		require.Equal(t, app.Cleaned{Removed: 1203, Unfinished: 602, Missing: 601}, c)
		require.Equal(t, []uuid.UUID{kept.ID}, s.rows())
	})

	t.Run("without a store only unfinished records go", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		old, ready, young := s.pending(), s.upload("ready"), s.pending()
		s.age(25*time.Hour, []uuid.UUID{old.ID, ready.ID})
		c, err := app.NewFiles(s.Worker, app.FilesConfig{}).Cleanup(s.ctx(), 24)
		require.NoError(t, err)
		require.Equal(t, app.Cleaned{Removed: 1, Unfinished: 1}, c)
		require.ElementsMatch(t, []uuid.UUID{ready.ID, young.ID}, s.rows())
	})

	t.Run("an upload that ends while it is given up is not half there", func(t *testing.T) {
		t.Parallel()
		s := openShelf(t)
		r, w := io.Pipe()
		result := make(chan error, 1)
		go func() { _, err := s.api.Upload(s.ctx(), s.params(r)); result <- err }()
		_, err := w.Write(bytes.Repeat([]byte("a"), 4096))
		require.NoError(t, err)
		require.Eventually(t, func() bool { return len(s.rows()) == 1 && len(s.objects()) == 1 }, time.Minute, 10*time.Millisecond)
		s.age(25*time.Hour, s.rows(), s.objects()...)
		_, err = s.worker.Cleanup(s.ctx(), 24)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.True(t, errs.Is(<-result, errs.NotFound), "its record is gone")
		require.Empty(t, s.rows())
		require.Empty(t, s.objects())
		require.Zero(t, s.used().Bytes)
	})
}

// Records stay until their objects are gone, whatever the store does.
func TestFilesStoreDown(t *testing.T) {
	t.Parallel()
	server := storagetest.Start(t)
	s := shelf{DB: dbtest.New(t), t: t, dir: t.TempDir()}
	s = s.with(server.Open(t))
	f, old, lost := s.upload("text"), s.pending(), s.upload("lost")
	s.age(25*time.Hour, []uuid.UUID{f.ID, old.ID, lost.ID})
	down := func(err error) {
		t.Helper()
		require.True(t, storage.Failed(err), "%v", err)
		require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
	}

	server.Kill()
	down(s.api.Delete(s.ctx(), f.ID))
	_, err := s.worker.Cleanup(s.ctx(), 24)
	down(err)
	_, err = s.worker.DeleteAll(t.Context(), s.scope.TenantID)
	down(err)
	_, err = s.api.Upload(s.ctx(), s.params(strings.NewReader("more")))
	down(err)
	require.Subset(t, s.rows(), []uuid.UUID{f.ID, old.ID, lost.ID}, "no record goes before its object")
	rec, err := s.api.Get(s.ctx(), f.ID)
	require.NoError(t, err)
	require.Equal(t, file.Deleting, rec.Status)
	_, err = s.api.Link(s.ctx(), rec, time.Minute)
	require.True(t, errs.Is(err, errs.NotFound))
	require.Positive(t, s.api.Stats().Failures)
	require.Zero(t, s.api.Stats().UnderWay)

	server.Run(t)
	s.age(25*time.Hour, s.rows())
	c, err := s.worker.Cleanup(s.ctx(), 24)
	require.NoError(t, err)
	require.Zero(t, c.Missing, "an object is not missing because the store was away: %+v", c)
	require.Equal(t, []uuid.UUID{lost.ID}, s.rows())
	n, err := s.worker.DeleteAll(t.Context(), s.scope.TenantID)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestFilesDeleteAll(t *testing.T) {
	t.Parallel()
	s := openShelf(t)
	other := s.another()
	for range 40 {
		s.upload("text")
	}
	up, err := s.api.Begin(s.ctx(), app.BeginParams{Filename: "a.txt", ContentType: "text/plain", SizeBytes: 4, UploaderID: s.scope.UserID})
	require.NoError(t, err)
	s.put(strings.Replace(up.File.StorageKey, "tenants/", "incoming/", 1))
	kept := other.upload("kept")
	waits := strings.Replace(other.pending().StorageKey, "tenants/", "incoming/", 1)
	s.put(waits)

	n, err := s.worker.DeleteAll(t.Context(), s.scope.TenantID)
	require.NoError(t, err)
	require.Equal(t, 41, n)
	require.ElementsMatch(t, []string{kept.StorageKey, waits}, s.objects())
	require.Len(t, s.rows(), 41, "records are another's affair")
	n, err = s.worker.DeleteAll(t.Context(), s.scope.TenantID)
	require.NoError(t, err)
	require.Zero(t, n)
	_, r, err := s.api.Content(other.ctx(), kept.ID)
	require.NoError(t, err)
	defer r.Close()
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "kept", string(text))
}

// A quota holds under concurrent uploads, and what was refused leaves nothing.
func TestFilesQuota(t *testing.T) {
	t.Parallel()
	const size, limit = 1000, 10_500
	for name, most := range map[string]int64{"of a known length": size, "of a longer form": size + 200, "of any length": -1} {
		t.Run("uploads "+name, func(t *testing.T) {
			t.Parallel()
			s := openShelf(t)
			s.Exec(t, `SELECT set_tenant_storage_limits($1, $2, NULL)`, s.scope.TenantID, limit)
			var done, refused, above atomic.Int64
			failures := make(chan error, 8*4)
			var uploads, watching sync.WaitGroup
			ended := make(chan struct{})
			watching.Go(func() {
				for {
					u, err := file.New(s.API).Usage(s.ctx())
					if err == nil && u.Bytes > limit {
						above.Add(1)
					}
					select {
					case <-ended:
						return
					case <-time.After(time.Millisecond):
					}
				}
			})
			for range 8 {
				uploads.Go(func() {
					for range 4 {
						p := s.params(strings.NewReader(strings.Repeat("a", size)))
						p.Most = most
						switch _, err := s.api.Upload(s.ctx(), p); {
						case err == nil:
							done.Add(1)
						case errs.Is(err, errs.TooLarge):
							refused.Add(1)
						default:
							failures <- err
						}
					}
				})
			}
			uploads.Wait()
			close(ended)
			watching.Wait()
			close(failures)
			for err := range failures {
				require.NoError(t, errors.Unwrap(err), "%v", err)
				require.NoError(t, err)
			}
			require.Zero(t, above.Load(), "nobody has seen more than the limit")
			require.EqualValues(t, 32, done.Load()+refused.Load())
			require.LessOrEqual(t, done.Load(), int64(limit/size))
			require.Positive(t, done.Load())
			u := s.used()
			require.Equal(t, done.Load()*size, u.Bytes)
			require.Len(t, s.objects(), int(done.Load()))
			for done.Load() < limit/size { // one after the other fills it
				s.upload(strings.Repeat("a", size))
				done.Add(1)
			}
			_, err := s.api.Upload(s.ctx(), s.params(strings.NewReader(strings.Repeat("a", size))))
			require.True(t, errs.Is(err, errs.TooLarge), "%v", err)
		})
	}
}
