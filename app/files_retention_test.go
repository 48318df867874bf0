package app_test

import (
	"strings"
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
)

// old makes n ready files of ten bytes whose ids are of a month, and returns them.
func (s shelf) old(month string, n int) []file.File {
	s.t.Helper()
	at, err := time.Parse("2006-01", month)
	require.NoError(s.t, err)
	s.Exec(s.t, `SELECT make_partition('files', $1)`, at)
	s.Exec(s.t, `
		INSERT INTO files (tenant_id, id, uploader_id, filename, content_type, size_bytes, storage_key, status, created_at, completed_at)
		SELECT $1::uuid, f.id, $2::uuid, 'old.txt', 'text/plain', 10, format('tenants/%s/%s/%s', $1::uuid, replace($3::text, '-', '/'), f.id), 'ready', $4::timestamptz, $4::timestamptz
		FROM (SELECT overlay(gen_random_uuid()::text PLACING left(uuid_v7_floor($4::timestamptz)::text, 15) FROM 1 FOR 15)::uuid AS id FROM generate_series(1, $5::int)) f`,
		s.scope.TenantID, s.scope.UserID, month, at.AddDate(0, 0, 3), n)
	list, err := file.New(s.API).Keyed(s.ctx(), "tenants/"+s.scope.TenantID.String()+"/"+strings.ReplaceAll(month, "-", "/"), n)
	require.NoError(s.t, err)
	require.Len(s.t, list, n)
	return list
}

// retire takes months older than a year out of the table, and returns them.
func (s shelf) retire() []string {
	s.t.Helper()
	s.Exec(s.t, `UPDATE core.partition_config SET retention = '1 year' WHERE parent = 'files'`)
	var gone []string
	require.NoError(s.t, s.Connect(s.t).QueryRow(s.t.Context(), `SELECT drop_old_partitions()`).Scan(&gone))
	return gone
}

// detached are the months that wait for their objects to be deleted.
func (s shelf) detached() []string {
	s.t.Helper()
	var names []string
	require.NoError(s.t, s.Connect(s.t).QueryRow(s.t.Context(),
		`SELECT coalesce(array_agg(p.name ORDER BY p.name), '{}') FROM core.detached_partitions p JOIN pg_class c ON c.relname = p.name`).Scan(&names))
	return names
}

func (s shelf) retention() *app.FileRetention {
	return app.NewFileRetention(s.worker, file.NewMaintenance(s.Worker))
}

// A month that is older than the retention goes with its objects, and gives its tenants their room back.
func TestCleanDetached(t *testing.T) {
	t.Parallel()
	s := openShelf(t)
	other := s.another()
	months := [][]file.File{s.old("2021-03", 3), s.old("2021-04", 501)} // more than are read at once
	theirs := other.old("2021-03", 2)
	for _, f := range append(months[0], theirs...) { // of the others the objects are gone, as after a kill
		s.put(f.StorageKey)
	}
	now := s.upload("kept")
	require.Equal(t, []string{"files_2021_03", "files_2021_04"}, s.retire())
	_, err := s.api.Get(s.ctx(), months[0][0].ID)
	require.True(t, errs.Is(err, errs.NotFound), "nobody can see them any more")
	require.Len(t, s.objects(), 3+2+1)
	u, err := file.New(s.API).Usage(s.ctx())
	require.NoError(t, err)
	require.EqualValues(t, 505, u.Files, "their objects take room until they are gone")

	s.worker.Store = nil
	n, err := s.retention().CleanDetached(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "without a store")
	require.Len(t, s.detached(), 2)

	store, err := storage.OpenDir(s.dir)
	require.NoError(t, err)
	defer store.Close()
	s.worker.Store = store
	n, err = s.retention().CleanDetached(t.Context())
	require.NoError(t, err)
	require.Equal(t, 506, n)
	require.Equal(t, []string{now.StorageKey}, s.objects())
	require.Empty(t, s.detached())
	require.Equal(t, []uuid.UUID{now.ID}, s.rows())
	require.EqualValues(t, 1, s.used().Files)
	require.EqualValues(t, 0, other.used().Files)
	n, err = s.retention().CleanDetached(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

// While the store is away no record of a detached month goes, and later nothing is forgotten.
func TestCleanDetachedStoreDown(t *testing.T) {
	t.Parallel()
	server := storagetest.Start(t)
	s := shelf{DB: dbtest.New(t), t: t, dir: t.TempDir()}
	store := server.Open(t)
	s = s.with(store)
	for _, f := range s.old("2021-03", 20) {
		require.NoError(t, store.Write(t.Context(), f.StorageKey, storage.Object{ContentType: "text/plain"}, strings.NewReader("0123456789")))
	}
	s.retire()
	server.Kill()
	_, err := s.retention().CleanDetached(t.Context())
	require.True(t, storage.Failed(err), "%v", err)
	require.Equal(t, []string{"files_2021_03"}, s.detached())
	var left int
	require.NoError(t, s.Connect(t).QueryRow(t.Context(), `SELECT count(*) FROM files_2021_03`).Scan(&left))
	require.Equal(t, 20, left)
	server.Run(t)
	n, err := s.retention().CleanDetached(t.Context())
	require.NoError(t, err)
	require.Equal(t, 20, n)
	require.Empty(t, s.detached())
	for o, err := range store.List(t.Context(), "") {
		require.NoError(t, err)
		require.Fail(t, "an object is left", o.Key)
	}
}

// A clean-up is enqueued for the tenants that need one, and once.
func TestEnqueueFileCleanup(t *testing.T) {
	t.Parallel()
	s := openShelf(t)
	stuck, young, whole, deleting, leaving := s.another(), s.another(), s.another(), s.another(), s.another()
	stuck.age(25*time.Hour, []uuid.UUID{stuck.pending().ID, stuck.pending().ID})
	young.age(23*time.Hour, []uuid.UUID{young.pending().ID})
	whole.age(25*time.Hour, []uuid.UUID{whole.upload("text").ID})
	f := deleting.upload("text")
	_, err := file.New(s.API).MarkDeleted(deleting.ctx(), f.ID)
	require.NoError(t, err)
	deleting.age(25*time.Hour, []uuid.UUID{f.ID})
	leaving.age(25*time.Hour, []uuid.UUID{leaving.pending().ID})
	s.Exec(t, `UPDATE tenants SET deleting_at = now() WHERE id = $1`, leaving.scope.TenantID)

	enqueue := func() int64 {
		n, err := s.retention().EnqueueCleanup(t.Context())
		require.NoError(t, err)
		return n
	}
	jobs := func() []uuid.UUID {
		var ids []uuid.UUID
		require.NoError(t, s.Connect(t).QueryRow(t.Context(), `
			SELECT array_agg(tenant_id ORDER BY id) FROM jobs
			WHERE type = 'cleanup_files' AND status = 'pending' AND payload = '{"older_than_hours": 24}'`).Scan(&ids))
		return ids
	}
	require.EqualValues(t, 2, enqueue())
	require.ElementsMatch(t, []uuid.UUID{stuck.scope.TenantID, deleting.scope.TenantID}, jobs())
	require.Zero(t, enqueue(), "they wait already")
	s.Exec(t, `UPDATE jobs SET status = 'done', finished_at = now() WHERE tenant_id = $1`, stuck.scope.TenantID)
	require.EqualValues(t, 1, enqueue(), "what the last one left")
}
