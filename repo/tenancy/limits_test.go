package tenancy_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/tenancy"
)

func limits(pairs ...any) map[string]*int64 {
	out := map[string]*int64{}
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		out[name] = nil
		if n, ok := pairs[i+1].(int); ok {
			v := int64(n)
			out[name] = &v
		}
	}
	return out
}

func TestLimits(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	s, other := dbtest.Tenant(t, d), dbtest.Tenant(t, d)
	ctx := act(t.Context(), s.TenantID)
	r := tenancy.New(d.Owner)
	insert := func(n int) error {
		_, err := db.Exec(ctx, d.API, `INSERT INTO documents (tenant_id, author_id, title, body) SELECT $1, $2, 't', 'b' FROM generate_series(1, $3::int)`, s.TenantID, s.UserID, n)
		return err
	}
	refused := func(err error, field, text string) {
		t.Helper()
		require.Equal(t, errs.Conflict, errs.From(err).Code, "%v", err)
		require.Equal(t, field, errs.From(err).Field)
		require.Equal(t, text, errs.From(err).Message)
	}

	require.NoError(t, insert(30), "no limit at first")
	require.NoError(t, r.SetLimits(t.Context(), s.TenantID, limits("documents", 100, "users", 1)))
	require.NoError(t, insert(69))
	refused(insert(2), "limits.documents", "The limit of 100 documents is reached: 99 in use, 2 more asked for.")
	require.NoError(t, insert(1))
	refused(insert(1), "limits.documents", "The limit of 100 documents is reached: 100 in use, 1 more asked for.")
	_, err := db.Exec(ctx, d.API, `SELECT create_user($1, 'x@example.org')`, s.TenantID)
	refused(err, "limits.users", "The limit of 1 users is reached: 1 in use, 1 more asked for.")

	// Room comes back with what is deleted, and with a transaction that does not commit.
	no := errs.New(errs.Validation, "no")
	require.ErrorIs(t, d.API.Do(ctx, func(tx *db.Tx) error {
		if _, err := db.Exec(ctx, tx, `DELETE FROM documents WHERE tenant_id = $1`, s.TenantID); err != nil {
			return err
		}
		return no
	}), no)
	refused(insert(1), "limits.documents", "The limit of 100 documents is reached: 100 in use, 1 more asked for.")
	_, err = db.Exec(ctx, d.API, `DELETE FROM documents WHERE id IN (SELECT id FROM documents ORDER BY id LIMIT 10)`)
	require.NoError(t, err)
	require.NoError(t, insert(10))

	// Below what is in use: nothing new until enough is gone.
	require.NoError(t, r.SetLimits(t.Context(), s.TenantID, limits("documents", 95)))
	_, err = db.Exec(ctx, d.API, `DELETE FROM documents WHERE id IN (SELECT id FROM documents ORDER BY id LIMIT 5)`)
	require.NoError(t, err)
	refused(insert(1), "limits.documents", "The limit of 95 documents is reached: 95 in use, 1 more asked for.")
	_, err = db.Exec(ctx, d.API, `DELETE FROM documents WHERE id IN (SELECT id FROM documents ORDER BY id LIMIT 1)`)
	require.NoError(t, err)
	require.NoError(t, insert(1))

	l, err := r.Limits(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 95, *l.Documents)
	require.EqualValues(t, 1, *l.Users, "what is not named stays")
	require.NoError(t, r.SetLimits(t.Context(), s.TenantID, limits("documents", nil, "users", nil)))
	require.NoError(t, insert(200))

	// Others have no limits, and cannot read or set any.
	l, err = r.Limits(act(t.Context(), other.TenantID))
	require.NoError(t, err)
	require.Nil(t, l.UpdatedAt)
	l, err = tenancy.New(d.API).Limits(ctx)
	require.NoError(t, err)
	require.NotNil(t, l.UpdatedAt)
	require.Equal(t, errs.Forbidden, errs.From(tenancy.New(d.API).SetLimits(ctx, s.TenantID, limits("users", 9))).Code)
	require.Equal(t, errs.NotFound, errs.From(r.SetLimits(t.Context(), uuid.New(), limits("users", 9))).Code)
	for _, bad := range []map[string]*int64{limits("nothing", 1), limits("users", -1), limits("requestsPerMinute", 0)} {
		require.Equal(t, errs.Validation, errs.From(r.SetLimits(t.Context(), s.TenantID, bad)).Code)
	}
}

func TestJobsPerDay(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	ctx := act(t.Context(), s.TenantID)
	enqueue := func() error {
		_, err := db.Exec(ctx, d.API, `SELECT enqueue_job($1, 'x')`, s.TenantID)
		return err
	}
	require.NoError(t, enqueue())
	require.NoError(t, tenancy.New(d.Owner).SetLimits(t.Context(), s.TenantID, limits("jobsPerDay", 20)))
	for range 19 {
		require.NoError(t, enqueue())
	}
	err := enqueue()
	require.Equal(t, errs.Conflict, errs.From(err).Code)
	require.Equal(t, "limits.jobsPerDay", errs.From(err).Field)
	_, err = db.Exec(ctx, d.Worker, `SELECT claim_jobs($1, NULL, 5)`, uuid.New())
	require.NoError(t, err, "what is enqueued runs")
	// The next day all may be used again.
	d.Exec(t, `UPDATE core.tenant_quota SET day = day - 1`)
	for range 20 {
		require.NoError(t, enqueue())
	}
	require.Equal(t, errs.Conflict, errs.From(enqueue()).Code)
}

func TestLimitOfKeys(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	ctx := act(t.Context(), s.TenantID)
	create := func(i int) error {
		_, err := db.Exec(ctx, d.API, `SELECT create_api_key($1, 'k', 'sk_live_abcd', $2)`, s.TenantID, fmt.Sprintf("%064x", i))
		return err
	}
	require.NoError(t, tenancy.New(d.Owner).SetLimits(t.Context(), s.TenantID, limits("apiKeys", 2)))
	require.NoError(t, create(1))
	require.NoError(t, create(2))
	err := create(3)
	require.Equal(t, errs.Conflict, errs.From(err).Code)
	require.Equal(t, "limits.apiKeys", errs.From(err).Field)
	d.Exec(t, `UPDATE api_keys SET expires_at = now() WHERE key_hash = $1`, fmt.Sprintf("%064x", 1))
	require.NoError(t, create(3), "a key that has ended does not count")
	d.Exec(t, `UPDATE api_keys SET revoked_at = now() WHERE key_hash = $1`, fmt.Sprintf("%064x", 2))
	require.NoError(t, create(4), "nor one that was revoked")
	require.Equal(t, errs.Conflict, errs.From(create(5)).Code)
}

// However many write at once, the limit is neither passed nor missed by one, also while an operator moves it.
func TestLimitIsExact(t *testing.T) {
	t.Parallel()

	const writers, each = 12, 60
	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	ctx := act(t.Context(), s.TenantID)
	api := d.Open(t, db.Config{Role: db.RoleAPI, MaxConns: writers})
	r := tenancy.New(d.Owner)
	require.NoError(t, r.SetLimits(t.Context(), s.TenantID, limits("users", 151)))
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for w := range writers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(42, uint64(w)))
			for i := range each {
				var err error
				switch n := random.IntN(10); {
				case n < 2:
					_, err = db.Exec(ctx, d.Owner, `DELETE FROM app_users WHERE id IN (SELECT id FROM app_users WHERE tenant_id = $1 AND id <> $2 ORDER BY random() LIMIT 2 FOR UPDATE SKIP LOCKED)`, s.TenantID, s.UserID)
				case n == 2:
					_ = api.Do(ctx, func(tx *db.Tx) error { // rolled back
						_, err := db.Exec(ctx, tx, `INSERT INTO app_users (tenant_id, email) VALUES ($1, $2)`, s.TenantID, fmt.Sprintf("gone%d.%d@example.org", w, i))
						if err != nil {
							return err
						}
						return errs.New(errs.Validation, "no")
					})
				default:
					_, err = db.Exec(ctx, api, `INSERT INTO app_users (tenant_id, email) SELECT $1, $2 || n || '@example.org' FROM generate_series(1, $3::int) n`,
						s.TenantID, fmt.Sprintf("u%d.%d.", w, i), 1+random.IntN(4))
				}
				if err != nil && !errs.Is(err, errs.Conflict) {
					failed.Store(&err)
				}
				if w == 0 && i == each/2 {
					if err := r.SetLimits(t.Context(), s.TenantID, limits("users", 173)); err != nil {
						failed.Store(&err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		require.NoError(t, *err)
	}
	type state struct{ Used, Room int64 }
	get := func() state {
		got, err := db.Get[state](t.Context(), d.Owner, "row", `SELECT (SELECT count(*) FROM app_users WHERE tenant_id = $1) AS used,
			(SELECT sum(room)::bigint FROM core.tenant_quota WHERE tenant_id = $1 AND resource = 'users') AS room`, s.TenantID)
		require.NoError(t, err)
		return got
	}
	got := get()
	require.EqualValues(t, 173, got.Used+got.Room)
	require.GreaterOrEqual(t, got.Room, int64(0))
	_, err := db.Exec(ctx, api, `INSERT INTO app_users (tenant_id, email) SELECT $1, 'last' || n || '@example.org' FROM generate_series(1, $2::int) n`, s.TenantID, got.Room)
	require.NoError(t, err, "all of the room can be used")
	require.Equal(t, state{173, 0}, get())
	_, err = db.Exec(ctx, api, `SELECT create_user($1, 'toomuch@example.org')`, s.TenantID)
	require.Equal(t, errs.Conflict, errs.From(err).Code)
}

// A writer that has not committed keeps nobody else of its tenant waiting.
func TestLimitedWritersDoNotWait(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	ctx := act(t.Context(), s.TenantID)
	require.NoError(t, tenancy.New(d.Owner).SetLimits(t.Context(), s.TenantID, limits("users", 1000)))
	require.NoError(t, d.API.Do(ctx, func(tx *db.Tx) error {
		if _, err := db.Exec(ctx, tx, `SELECT create_user($1, 'a@example.org')`, s.TenantID); err != nil {
			return err
		}
		_, err := db.Exec(ctx, d.Owner, `SELECT set_config('lock_timeout', '1s', true), create_user($1, 'b@example.org')`, s.TenantID)
		return err
	}))
}
