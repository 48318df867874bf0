package searchsettings_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/searchsettings"
	"stackforge/tenant"
)

func (b bundle) session(ctx context.Context) (*db.Session, error) {
	return db.OpenSession(ctx, db.Config{URL: b.d.URL, Role: db.RoleOwner})
}

func (b bundle) indexes() *searchsettings.Indexes {
	return searchsettings.NewIndexes(b.d.Owner, b.session)
}

// many adds documents of a tenant and counts them.
func (b bundle) many(t *testing.T, s tenant.Scope, n int) {
	t.Helper()

	_, err := db.Exec(t.Context(), b.d.Owner, `
		INSERT INTO documents (tenant_id, author_id, title, body)
		SELECT $1, $2, 'common title ' || n, 'body ' || n FROM generate_series(1, $3::int) n`, s.TenantID, s.UserID, n)
	require.NoError(t, err)
	for {
		n, err := db.Get[int](t.Context(), b.d.Worker, "count", `SELECT fold_search_words()`)
		require.NoError(t, err)
		if n == 0 {
			return
		}
	}
}

// use makes a kind of index serve a tenant.
func (b bundle) use(t *testing.T, s tenant.Scope, kind searchsettings.IndexKind) error {
	t.Helper()

	changes, err := b.indexes().For(t.Context(), s.TenantID, kind)
	if err != nil {
		return err
	}
	return b.indexes().Apply(t.Context(), changes, func(string) {})
}

// auto does what --auto does and returns the new kinds by tenant.
func (b bundle) auto(t *testing.T, minDocuments int64) map[uuid.UUID]searchsettings.IndexKind {
	t.Helper()

	list, err := b.indexes().List(t.Context(), minDocuments)
	require.NoError(t, err)
	changes := searchsettings.Auto(list, minDocuments, 2)
	require.NoError(t, b.indexes().Apply(t.Context(), changes, func(string) {}))
	out := map[uuid.UUID]searchsettings.IndexKind{}
	for _, c := range changes {
		out[c.TenantID] = c.To
	}
	return out
}

// state is what is noted for a tenant, and its own index.
func (b bundle) state(t *testing.T, s tenant.Scope) string {
	t.Helper()

	text, err := db.Get[string](t.Context(), b.d.Owner, "state", `
		SELECT coalesce((SELECT index_kind FROM core.search_tenants WHERE tenant_id = $1), 'shared') || coalesce(
		       (SELECT format(', own %s %s', kind, CASE WHEN is_valid THEN 'valid' ELSE 'invalid' END) FROM own_search_indexes() WHERE tenant_id = $1), '')`, s.TenantID)
	require.NoError(t, err)
	return text
}

// plan is how the documents of a tenant with a word are found.
func (b bundle) plan(t *testing.T, s tenant.Scope) string {
	t.Helper()

	lines, err := db.List[string](t.Context(), b.d.Owner, fmt.Sprintf(`
		EXPLAIN SELECT id FROM documents WHERE tenant_id = '%s' AND search_tsv @@ 'seven & titl'::tsquery`, s.TenantID))
	require.NoError(t, err)
	return fmt.Sprint(lines)
}

func TestIndexOfOneTenant(t *testing.T) {
	t.Parallel()

	t.Run("it is built, used, noted and dropped again", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.many(t, b.me, 2000)
		require.NoError(t, b.use(t, b.me, searchsettings.OwnGIN))
		require.Equal(t, "gin, own gin valid", b.state(t, b.me))
		b.d.Exec(t, `VACUUM ANALYZE documents`)
		require.Contains(t, b.plan(t, b.me), "ix_documents_search_t_")
		require.NotContains(t, b.plan(t, b.them), "ix_documents_search_t_")
		changes, err := b.indexes().For(t.Context(), b.me.TenantID, searchsettings.OwnGIN)
		require.NoError(t, err)
		require.Empty(t, changes, "it is so already")

		list, err := b.indexes().List(t.Context(), 1_000_000)
		require.NoError(t, err)
		require.Len(t, list, 1, "an own index is listed, however small its tenant")
		require.Equal(t, []int64{2000, 0, 0}, []int64{list[0].Documents, list[0].Vectors, list[0].Changes})
		require.Positive(t, list[0].Words)
		require.Positive(t, *list[0].IndexBytes)

		require.NoError(t, b.use(t, b.me, searchsettings.Shared))
		require.Equal(t, "shared", b.state(t, b.me))
		require.NotContains(t, b.plan(t, b.me), "ix_documents_search_t_")
	})

	t.Run("what is written while it is built is in it", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.many(t, b.me, 3000)
		// A writer whose transaction was there before the build: the build waits for it, so that the others write meanwhile.
		early := b.d.Connect(t)
		tx, err := early.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `INSERT INTO documents (tenant_id, author_id, title, body) VALUES ($1, $2, 'early title', 'seven')`, b.me.TenantID, b.me.UserID)
		require.NoError(t, err)
		built := make(chan error, 1)
		go func() { built <- b.use(t, b.me, searchsettings.OwnGIN) }()
		b.builder(t)

		var written atomic.Int64
		var wg sync.WaitGroup
		done := make(chan struct{})
		for range 3 {
			wg.Go(func() {
				for {
					_, err := db.Exec(b.mine(t), b.d.API, `
						INSERT INTO documents (tenant_id, author_id, title, body) VALUES ($1, $2, 'late title', 'seven')`, b.me.TenantID, b.me.UserID)
					if err != nil {
						panic(err)
					}
					written.Add(1)
					select {
					case <-done:
						return
					default:
					}
				}
			})
		}
		require.Eventually(t, func() bool { return written.Load() > 30 }, time.Minute, time.Millisecond)
		require.NoError(t, tx.Commit(t.Context()))
		require.NoError(t, <-built)
		close(done)
		wg.Wait()
		require.Equal(t, "gin, own gin valid", b.state(t, b.me))
		b.d.Exec(t, `VACUUM ANALYZE documents`)
		require.Contains(t, b.plan(t, b.me), "ix_documents_search_t_")
		n, err := db.Get[int64](t.Context(), b.d.Owner, "count", fmt.Sprintf(`
			SELECT count(*) FROM documents WHERE tenant_id = '%s' AND search_tsv @@ 'seven & titl'::tsquery`, b.me.TenantID))
		require.NoError(t, err)
		require.Equal(t, written.Load()+1, n)
	})

	t.Run("a build whose connection is killed leaves nothing", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.many(t, b.me, 100)
		release := b.hold(t)
		built := make(chan error, 1)
		go func() { built <- b.use(t, b.me, searchsettings.OwnGIN) }()
		b.d.Exec(t, `SELECT pg_terminate_backend($1)`, b.builder(t))
		release()
		require.Error(t, <-built)
		require.Equal(t, "shared", b.state(t, b.me))
		require.NoError(t, b.use(t, b.me, searchsettings.OwnGIN), "the next run builds it")
		require.Equal(t, "gin, own gin valid", b.state(t, b.me))
	})

	t.Run("an interrupted build leaves nothing", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.many(t, b.me, 100)
		release := b.hold(t)
		changes, err := b.indexes().For(t.Context(), b.me.TenantID, searchsettings.OwnGIN)
		require.NoError(t, err)
		ctx, interrupt := context.WithCancel(t.Context())
		built := make(chan error, 1)
		go func() { built <- b.indexes().Apply(ctx, changes, func(string) {}) }()
		b.builder(t)
		interrupt()
		require.Eventually(t, func() bool { return !b.building(t) }, time.Minute, 5*time.Millisecond)
		release()
		require.Error(t, <-built)
		require.Equal(t, "shared", b.state(t, b.me))
	})

	t.Run("a build that does not hear of its interruption leaves nothing", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.many(t, b.me, 100)
		release := b.lock(t, "SHARE UPDATE EXCLUSIVE") // as a vacuum: the build waits for it before it has made anything
		changes, err := b.indexes().For(t.Context(), b.me.TenantID, searchsettings.OwnGIN)
		require.NoError(t, err)
		deaf := searchsettings.NewIndexes(b.d.Owner, b.deaf(t))
		ctx, interrupt := context.WithCancel(t.Context())
		built := make(chan error, 1)
		go func() { built <- deaf.Apply(ctx, changes, func(string) {}) }()
		b.builder(t)
		interrupt()
		require.Eventually(t, func() bool { // it waits for the build, or has ended without
			n, err := db.Get[int](t.Context(), b.d.Owner, "count", `
				SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_try_advisory_lock(%'`)
			require.NoError(t, err)
			return n > 1 || len(built) > 0
		}, time.Minute, 5*time.Millisecond)
		release()
		require.Error(t, <-built)
		require.Eventually(t, func() bool { return !b.building(t) }, time.Minute, 5*time.Millisecond)
		require.Equal(t, "shared", b.state(t, b.me))
	})

	t.Run("what a crash left is dropped and built anew", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.many(t, b.me, 100)
		b.crash(t)
		require.Equal(t, "shared, own gin invalid", b.state(t, b.me))
		_, err := db.Exec(t.Context(), b.d.Owner, `SELECT set_search_index($1, 'gin')`, b.me.TenantID)
		require.Equal(t, errs.Conflict, errs.From(err).Code, "an index that is not valid is not noted")
		require.NoError(t, b.use(t, b.me, searchsettings.OwnGIN))
		require.Equal(t, "gin, own gin valid", b.state(t, b.me))
	})

	t.Run("two runs do not get into each other's way", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		release := b.hold(t)
		built := make(chan error, 1)
		go func() { built <- b.use(t, b.me, searchsettings.OwnGIN) }()
		b.builder(t)
		require.Equal(t, errs.Conflict, errs.From(b.use(t, b.me, searchsettings.OwnGIN)).Code)
		release()
		require.NoError(t, <-built)
		require.Equal(t, "gin, own gin valid", b.state(t, b.me))
	})

	t.Run("an index of another tenant is not taken for its own", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		name, err := db.Get[string](t.Context(), b.d.Owner, "name", `SELECT search_index_name($1)`, b.me.TenantID)
		require.NoError(t, err)
		_, err = db.Exec(t.Context(), b.d.Owner, fmt.Sprintf(`
			CREATE INDEX %s ON documents USING gin (search_tsv) WHERE tenant_id = '%s'`, pgx.Identifier{name}.Sanitize(), b.them.TenantID))
		require.NoError(t, err)
		require.Equal(t, errs.Conflict, errs.From(b.use(t, b.me, searchsettings.OwnGIN)).Code)
		require.Equal(t, "shared", b.state(t, b.me))
		require.Equal(t, "shared, own gin valid", b.state(t, b.them))
	})

	t.Run("rum needs its extension, and is built where there is one", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.many(t, b.me, 100)
		require.Equal(t, errs.NotImplemented, errs.From(b.use(t, b.me, searchsettings.OwnRUM)).Code)
		require.Equal(t, "shared", b.state(t, b.me))
		available, err := db.Get[bool](t.Context(), b.d.Owner, "extension", `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'rum')`)
		require.NoError(t, err)
		if !available {
			require.False(t, dbtest.CI(), "the machine that decides must have rum")
			t.Skip("the server does not have rum")
		}
		b.d.Exec(t, `CREATE EXTENSION rum`)
		require.NoError(t, b.use(t, b.me, searchsettings.OwnGIN))
		require.NoError(t, b.use(t, b.me, searchsettings.OwnRUM))
		require.Equal(t, "rum, own rum valid", b.state(t, b.me), "it takes the place of the other")
		require.Empty(t, b.auto(t, 100), "a choice is kept")
		require.Equal(t, map[uuid.UUID]searchsettings.IndexKind{b.me.TenantID: searchsettings.Shared}, b.auto(t, 101))
		require.Equal(t, "shared", b.state(t, b.me))
	})

	t.Run("a tenant that is not there, and roles that may not", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, err := b.indexes().For(t.Context(), uuid.New(), searchsettings.OwnGIN)
		require.Equal(t, errs.NotFound, errs.From(err).Code)
		for _, h := range []*db.DB{b.d.API, b.d.Worker} {
			for _, sql := range []string{
				`SELECT * FROM search_index_status(1)`, `SELECT * FROM own_search_indexes()`, `SELECT set_search_index(current_tenant(), 'shared')`,
				`SELECT search_index_name(current_tenant())`,
			} {
				_, err := db.Exec(b.mine(t), h, sql)
				require.Equal(t, errs.Forbidden, errs.From(err).Code, sql)
			}
		}
	})
}

// hold keeps a transaction open for which a build has to wait, until the function it returns is called.
func (b bundle) hold(t *testing.T) func() {
	t.Helper()

	return b.lock(t, "ROW EXCLUSIVE")
}

// lock keeps a lock of the table of documents until the function it returns is called.
func (b bundle) lock(t *testing.T, mode string) func() {
	t.Helper()

	tx, err := b.d.Connect(t).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "LOCK TABLE documents IN "+mode+" MODE")
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback(t.Context())) }
}

// deaf opens connections through a proxy that lets no cancellation through.
func (b bundle) deaf(t *testing.T) searchsettings.OpenFunc {
	t.Helper()

	c, err := pgconn.ParseConfig(b.d.URL)
	require.NoError(t, err)
	network, address := pgconn.NetworkAddress(c.Host, c.Port)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { pass(client, network, address) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	url := (&url.URL{Scheme: "postgres", User: url.UserPassword(c.User, c.Password), Host: l.Addr().String(), Path: c.Database, RawQuery: "sslmode=disable"}).String()
	return func(ctx context.Context) (*db.Session, error) {
		return db.OpenSession(ctx, db.Config{URL: url, Role: db.RoleOwner})
	}
}

// pass hands a connection on to the server, unless it is one for a cancellation, of which the code in its first packet tells.
func pass(client net.Conn, network, address string) {
	defer client.Close()
	const cancelCode = 80877102
	first := make([]byte, 8)
	if _, err := io.ReadFull(client, first); err != nil || binary.BigEndian.Uint32(first[4:]) == cancelCode {
		return
	}
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	if _, err := server.Write(first); err == nil {
		_, _ = io.Copy(server, client)
	}
}

// builder waits for a build that waits for hold, and returns the number of its process.
func (b bundle) builder(t *testing.T) int {
	t.Helper()

	conn := b.d.Connect(t)
	pid := 0
	require.Eventually(t, func() bool {
		err := conn.QueryRow(t.Context(), `
			SELECT pid FROM pg_stat_activity
			WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'`).Scan(&pid)
		return err == nil
	}, time.Minute, 5*time.Millisecond)
	return pid
}

// building reports whether a build is at work.
func (b bundle) building(t *testing.T) bool {
	t.Helper()

	is, err := db.Get[bool](t.Context(), b.d.Owner, "build", `
		SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'CREATE INDEX CONCURRENTLY%')`)
	require.NoError(t, err)
	return is
}

// crash leaves an index half built, as a server that stops does.
func (b bundle) crash(t *testing.T) {
	t.Helper()

	release := b.hold(t)
	defer release()
	name, err := db.Get[string](t.Context(), b.d.Owner, "name", `SELECT search_index_name($1)`, b.me.TenantID)
	require.NoError(t, err)
	s, err := b.session(t.Context())
	require.NoError(t, err)
	defer s.Close()
	ended := make(chan error, 1)
	go func() {
		ended <- s.Exec(t.Context(), fmt.Sprintf(`CREATE INDEX CONCURRENTLY %s ON public.documents USING gin (search_tsv) WHERE tenant_id = '%s'`, name, b.me.TenantID))
	}()
	b.d.Exec(t, `SELECT pg_terminate_backend($1)`, b.builder(t))
	require.Error(t, <-ended)
}

func TestAuto(t *testing.T) {
	t.Parallel()

	t.Run("large tenants get an index, small ones and those that are gone lose it", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		gone, stale := dbtest.Tenant(t, b.d), dbtest.Tenant(t, b.d)
		b.many(t, b.me, 50)
		b.many(t, b.them, 20)
		b.many(t, gone, 60)
		b.many(t, stale, 5)
		want := map[uuid.UUID]searchsettings.IndexKind{b.me.TenantID: searchsettings.OwnGIN, gone.TenantID: searchsettings.OwnGIN}
		require.Equal(t, want, b.auto(t, 50))
		require.Empty(t, b.auto(t, 50), "a second run has nothing to do")
		require.Equal(t, "gin, own gin valid", b.state(t, b.me))
		require.Equal(t, "shared", b.state(t, b.them))

		for _, sql := range []string{`DELETE FROM documents WHERE tenant_id = $1`, `DELETE FROM app_users WHERE tenant_id = $1`, `DELETE FROM tenants WHERE id = $1`} {
			b.d.Exec(t, sql, gone.TenantID)
		}
		b.d.Exec(t, `UPDATE core.search_tenants SET index_kind = 'gin' WHERE tenant_id = $1`, stale.TenantID) // somebody dropped its index by hand
		list, err := b.indexes().List(t.Context(), 50)
		require.NoError(t, err)
		names := map[uuid.UUID]bool{}
		for _, i := range list {
			names[i.TenantID] = i.TenantName != nil
		}
		require.Equal(t, map[uuid.UUID]bool{b.me.TenantID: true, stale.TenantID: true, gone.TenantID: false}, names)

		shared := searchsettings.Shared
		want = map[uuid.UUID]searchsettings.IndexKind{gone.TenantID: shared, stale.TenantID: shared}
		require.Equal(t, want, b.auto(t, 50))
		require.Equal(t, "shared", b.state(t, gone))
		require.Equal(t, "shared", b.state(t, stale))
		require.Equal(t, map[uuid.UUID]searchsettings.IndexKind{b.me.TenantID: shared}, b.auto(t, 51))
		require.Equal(t, "shared", b.state(t, b.me))
	})

	t.Run("no more than so many get one, the largest", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		third := dbtest.Tenant(t, b.d)
		b.many(t, b.me, 10)
		b.many(t, b.them, 30)
		gin := searchsettings.OwnGIN
		require.Equal(t, map[uuid.UUID]searchsettings.IndexKind{b.me.TenantID: gin, b.them.TenantID: gin}, b.auto(t, 10))
		b.many(t, third, 20)
		require.Equal(t, map[uuid.UUID]searchsettings.IndexKind{b.me.TenantID: searchsettings.Shared, third.TenantID: gin}, b.auto(t, 10))
		require.Empty(t, b.auto(t, 10))
	})

	t.Run("what a crash left is finished, or dropped", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.many(t, b.me, 50)
		b.crash(t)
		require.Equal(t, map[uuid.UUID]searchsettings.IndexKind{b.me.TenantID: searchsettings.OwnGIN}, b.auto(t, 50))
		require.Equal(t, "gin, own gin valid", b.state(t, b.me))
		require.NoError(t, b.use(t, b.me, searchsettings.Shared))
		b.crash(t)
		require.Equal(t, map[uuid.UUID]searchsettings.IndexKind{b.me.TenantID: searchsettings.Shared}, b.auto(t, 51))
		require.Equal(t, "shared", b.state(t, b.me))
	})
}
