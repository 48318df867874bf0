package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/job"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

type bundle struct {
	d     *dbtest.DB
	ctx   context.Context //nolint:containedctx // acts for the tenant
	scope tenant.Scope
	jobs  *job.Repo
	runs  *job.Runs
}

func setup(t *testing.T) bundle {
	t.Helper()

	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	return bundle{d: d, ctx: tenant.With(t.Context(), s), scope: s, jobs: job.New(d.API), runs: job.NewRuns(d.Worker)}
}

func (b bundle) enqueue(t *testing.T, p job.EnqueueParams) job.Job {
	t.Helper()

	j, duplicate, err := b.jobs.Enqueue(b.ctx, p)
	require.NoError(t, err)
	require.False(t, duplicate)
	return j
}

// claim takes all due jobs for a worker that lives.
func (b bundle) claim(t *testing.T) []job.Job {
	t.Helper()

	id := uuid.New()
	require.NoError(t, b.runs.Heartbeat(t.Context(), job.Beat{WorkerID: id, Name: "w", Concurrency: 1}))
	jobs, err := b.runs.Claim(t.Context(), id, nil, 100)
	require.NoError(t, err)
	return jobs
}

func lease(j job.Job) job.Lease { return job.Lease{ID: j.ID, Lease: *j.LeaseID} }

func codeOf(err error) (errs.Code, string) {
	e := errs.From(err)
	return e.Code, e.Field
}

func TestEnqueue(t *testing.T) {
	t.Parallel()

	t.Run("only the type is required", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		j := b.enqueue(t, job.EnqueueParams{Type: "nope"})
		require.Equal(t, job.Job{
			ID: j.ID, TenantID: b.scope.TenantID, Type: "nope", Payload: json.RawMessage(`{}`), Status: job.Pending, Queue: "default",
			RunAt: j.CreatedAt, CreatedAt: j.CreatedAt, UpdatedAt: j.CreatedAt,
		}, j)
		got, err := b.jobs.Get(b.ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, j, got)
	})

	t.Run("everything that is given is kept", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		at := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		j := b.enqueue(t, job.EnqueueParams{
			Type: "send_email", Payload: json.RawMessage(`{"to": "a@example.com", "extra": [1]}`), RunAt: &at, Priority: new(-7),
			Queue: new("mail"), UniqueKey: new("k"), MaxAttempts: new(3),
		})
		require.True(t, at.Equal(j.RunAt))
		require.JSONEq(t, `{"to": "a@example.com", "extra": [1]}`, string(j.Payload))
		require.Equal(t, []any{-7, "mail", "k", 3}, []any{j.Priority, j.Queue, *j.UniqueKey, *j.MaxAttempts})
	})

	t.Run("an unfinished job with the same key is returned instead", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		p := job.EnqueueParams{Type: "it", UniqueKey: new("k")}
		first := b.enqueue(t, p)
		again, duplicate, err := b.jobs.Enqueue(b.ctx, p)
		require.NoError(t, err)
		require.True(t, duplicate)
		require.Equal(t, first, again)
		_, err = b.jobs.Cancel(b.ctx, first.ID)
		require.NoError(t, err)
		require.NotEqual(t, first.ID, b.enqueue(t, p).ID)
	})

	t.Run("of many at once with one key one is new", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		var mu sync.Mutex
		var wg sync.WaitGroup
		ids, fresh := map[int64]bool{}, 0
		for range 20 {
			wg.Go(func() {
				j, duplicate, err := b.jobs.Enqueue(b.ctx, job.EnqueueParams{Type: "it", UniqueKey: new("k")})
				mu.Lock()
				defer mu.Unlock()
				if err == nil && !duplicate {
					fresh++
				}
				if err == nil {
					ids[j.ID] = true
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, fresh)
		require.Len(t, ids, 1)
	})

	t.Run("what is wrong is named", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for _, c := range []struct {
			p     job.EnqueueParams
			code  errs.Code
			field string
		}{
			{job.EnqueueParams{}, errs.Validation, "type"},
			{job.EnqueueParams{Type: "Nope"}, errs.Validation, "type"},
			{job.EnqueueParams{Type: "it", Payload: json.RawMessage(`{`)}, errs.Validation, "payload"},
			{job.EnqueueParams{Type: "it", Payload: json.RawMessage(`[]`)}, errs.Validation, "payload"},
			{job.EnqueueParams{Type: "it", Payload: json.RawMessage(fmt.Sprintf(`{"a": %q}`, randomText(300_000)))}, errs.TooLarge, "payload"},
			{job.EnqueueParams{Type: "it", Queue: new("A b")}, errs.Validation, "queue"},
			{job.EnqueueParams{Type: "it", UniqueKey: new("")}, errs.Validation, "uniqueKey"},
			{job.EnqueueParams{Type: "it", MaxAttempts: new(0)}, errs.Validation, "maxAttempts"},
			{job.EnqueueParams{Type: "it", RunAt: new(time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC))}, errs.Validation, "runAt"},
			{job.EnqueueParams{Type: "send_email"}, errs.InvalidPayload, "payload"},
		} {
			_, _, err := b.jobs.Enqueue(b.ctx, c.p)
			code, field := codeOf(err)
			require.Equal(t, []any{c.code, c.field}, []any{code, field}, "%v", err)
		}
		_, _, err := b.jobs.Enqueue(t.Context(), job.EnqueueParams{Type: "it"})
		require.True(t, errs.Is(err, errs.Unauthenticated))
	})
}

// randomText does not compress, as pg_column_size counts what is stored.
func randomText(n int) string {
	var s strings.Builder
	for s.Len() < n {
		s.WriteString(uuid.NewString())
	}
	return s.String()
}

func TestEnqueueMany(t *testing.T) {
	t.Parallel()

	good, bad := job.EnqueueParams{Type: "it"}, job.EnqueueParams{Type: "send_email", Payload: json.RawMessage(`{"to": 1}`)}

	t.Run("without skip a bad job refuses all", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, err := b.jobs.EnqueueMany(b.ctx, []job.EnqueueParams{good, good, bad}, false)
		code, field := codeOf(err)
		require.Equal(t, []any{errs.InvalidPayload, "jobs[2].payload"}, []any{code, field})
		_, err = b.jobs.EnqueueMany(b.ctx, []job.EnqueueParams{bad}, false)
		_, field = codeOf(err)
		require.Equal(t, "jobs[0].payload", field)
		require.Empty(t, b.claim(t))
	})

	t.Run("with skip the others are stored", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		keyed := job.EnqueueParams{Type: "it", UniqueKey: new("k")}
		out, err := b.jobs.EnqueueMany(b.ctx, []job.EnqueueParams{good, bad, keyed, keyed}, true)
		require.NoError(t, err)
		require.Len(t, out, 4)
		for i, o := range out {
			require.Equal(t, i, o.Index)
			require.Equal(t, i == 1, o.Job == nil)
			require.Equal(t, i == 3, o.Duplicate)
		}
		require.Equal(t, []any{errs.InvalidPayload, "jobs[1].payload"}, []any{out[1].Err.Code, out[1].Err.Field})
		require.Equal(t, out[2].Job, out[3].Job)
		require.Len(t, b.claim(t), 2)
	})

	t.Run("none is an empty list, and 1,000 is the limit", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		out, err := b.jobs.EnqueueMany(b.ctx, nil, false)
		require.NoError(t, err)
		require.Equal(t, []job.Outcome{}, out)
		many := make([]job.EnqueueParams, job.MaxBatch+1)
		for i := range many {
			many[i] = good
		}
		_, err = b.jobs.EnqueueMany(b.ctx, many, true)
		_, field := codeOf(err)
		require.Equal(t, "jobs", field)
		out, err = b.jobs.EnqueueMany(b.ctx, many[1:], true)
		require.NoError(t, err)
		require.Len(t, out, job.MaxBatch)
	})
}

func TestOneRoundTrip(t *testing.T) {
	t.Parallel()

	b := setup(t)
	var statements []string
	h := b.d.Open(t, db.Config{Role: db.RoleAPI, Hooks: []db.Hook{func(_ context.Context, q db.Query) { statements = append(statements, q.Name) }}})
	_, _, err := job.New(h).Enqueue(b.ctx, job.EnqueueParams{Type: "it"})
	require.NoError(t, err)
	require.Equal(t, []string{"job.Enqueue"}, statements)
}

func TestPayloadAtEveryDoor(t *testing.T) {
	t.Parallel()

	b := setup(t)
	for _, c := range []struct{ kind, bad, good string }{
		{"send_email", `{}`, `{"to": "a@example.com"}`},
		{"send_email", `{"to": "x"}`, `{"to": "a@example.com", "other": 1}`},
		{"generate_embedding", `{"document_id": "doc_uuid_here"}`, `{"document_id": "00000000-0000-0000-0000-000000000001"}`},
		{"reindex_search", `{}`, fmt.Sprintf(`{"tenant_id": %q}`, b.scope.TenantID)},
		{"cleanup_files", `{"older_than_hours": 0}`, `{"older_than_hours": 1}`},
		{"cleanup_files", `{"older_than_hours": 1.5}`, `{"older_than_hours": 24}`},
		{"cleanup_files", `{"older_than_hours": "5"}`, `{"older_than_hours": 5}`},
	} {
		_, _, err := b.jobs.Enqueue(b.ctx, job.EnqueueParams{Type: c.kind, Payload: json.RawMessage(c.bad)})
		require.Equal(t, "ZE422", stateOf(err), "%s %s", c.kind, c.bad)
		require.Contains(t, err.Error(), c.kind)
		for _, h := range []*db.DB{b.d.API, b.d.Worker, b.d.Owner} {
			_, err = db.Exec(b.ctx, h, `INSERT INTO jobs (tenant_id, type, payload) VALUES ($1, $2, $3::jsonb)`, b.scope.TenantID, c.kind, c.bad)
			require.Equal(t, "23514", stateOf(err), "%s %s", c.kind, c.bad)
			require.True(t, errs.Is(err, errs.InvalidPayload))
		}
		j, _, err := b.jobs.Enqueue(b.ctx, job.EnqueueParams{Type: c.kind, Payload: json.RawMessage(c.good)})
		require.NoError(t, err)
		_, err = db.Exec(b.ctx, b.d.Owner, `UPDATE jobs SET payload = $1::jsonb WHERE id = $2`, c.bad, j.ID)
		require.Equal(t, "23514", stateOf(err), "%s %s", c.kind, c.bad)
		_, err = db.Exec(b.ctx, b.d.Owner, `INSERT INTO jobs (tenant_id, type, payload, status, finished_at) VALUES ($1, $2, $3::jsonb, 'done', now())`,
			b.scope.TenantID, c.kind, c.bad)
		require.Equal(t, "23514", stateOf(err), "%s %s", c.kind, c.bad)
	}
	_, _, err := b.jobs.Enqueue(b.ctx, job.EnqueueParams{Type: "reindex_search", Payload: json.RawMessage(fmt.Sprintf(`{"tenant_id": %q}`, uuid.New()))})
	require.True(t, errs.Is(err, errs.Forbidden))
	_, err = db.Exec(b.ctx, b.d.API, `INSERT INTO jobs (tenant_id, type, status) VALUES ($1, 'it', 'lost')`, b.scope.TenantID)
	require.Error(t, err)
}

func stateOf(err error) string {
	var pg *pgconn.PgError
	if e := errs.From(err); e != nil && errors.As(e, &pg) {
		return pg.Code
	}
	return ""
}

func TestIsolation(t *testing.T) {
	t.Parallel()

	b := setup(t)
	j := b.enqueue(t, job.EnqueueParams{Type: "it"})
	foreign := tenant.With(t.Context(), dbtest.Tenant(t, b.d))
	for name, do := range map[string]func() error{
		"get":     func() error { _, err := b.jobs.Get(foreign, j.ID); return err },
		"hashid":  func() error { _, err := b.jobs.GetByHashid(foreign, j.Hashid()); return err },
		"cancel":  func() error { _, err := b.jobs.Cancel(foreign, j.ID); return err },
		"requeue": func() error { _, err := b.jobs.Requeue(foreign, j.ID); return err },
		// The worker's role sees the rows of all tenants: the statement must ask for the tenant by itself.
		"get as worker": func() error { _, err := job.New(b.d.Worker).Get(foreign, j.ID); return err },
	} {
		require.True(t, errs.Is(do(), errs.NotFound), name)
	}
	list, err := b.jobs.ByIDs(foreign, []int64{j.ID})
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = db.Get[int64](foreign, b.d.API, "job", `SELECT id FROM enqueue_job($1, 'it')`, b.scope.TenantID)
	require.True(t, errs.Is(err, errs.Forbidden))
	got, err := b.jobs.Get(b.ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, j, got)
}

func TestReadOne(t *testing.T) {
	t.Parallel()

	b := setup(t)
	one, two := b.enqueue(t, job.EnqueueParams{Type: "it"}), b.enqueue(t, job.EnqueueParams{Type: "it"})
	list, err := b.jobs.ByIDs(b.ctx, []int64{two.ID, 999, one.ID})
	require.NoError(t, err)
	require.Equal(t, []job.Job{one, two}, list)
	hashid, err := db.Get[string](b.ctx, b.d.Owner, "job", `SELECT encode_job_id($1)`, two.ID)
	require.NoError(t, err)
	got, err := b.jobs.GetByHashid(b.ctx, hashid)
	require.NoError(t, err)
	require.Equal(t, two, got)
	for _, bad := range []string{"", "0", "x", "\x00", "\xff", strings.Repeat("a", 1000)} {
		_, err = b.jobs.GetByHashid(b.ctx, bad)
		require.True(t, errs.Is(err, errs.NotFound), "%q: %v", bad, err)
	}
	types, err := b.jobs.Types(t.Context())
	require.NoError(t, err)
	require.Len(t, types, 4)
	require.Equal(t, "cleanup_files", types[0].Type)
	require.True(t, json.Valid(types[0].PayloadSchema))
}

func TestCancelAndRequeue(t *testing.T) {
	t.Parallel()

	b := setup(t)
	j := b.enqueue(t, job.EnqueueParams{Type: "it", UniqueKey: new("k")})
	_, err := b.jobs.Requeue(b.ctx, j.ID)
	require.True(t, errs.Is(err, errs.Conflict))
	c, err := b.jobs.Cancel(b.ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, []any{job.Failed, job.ReasonCancelled}, []any{c.Status, *c.Reason})
	_, err = b.jobs.Cancel(b.ctx, j.ID)
	require.True(t, errs.Is(err, errs.Conflict))
	require.Empty(t, b.claim(t))

	other := b.enqueue(t, job.EnqueueParams{Type: "it", UniqueKey: new("k")})
	_, err = b.jobs.Requeue(b.ctx, j.ID)
	require.True(t, errs.Is(err, errs.Conflict))
	_, err = b.jobs.Cancel(b.ctx, other.ID)
	require.NoError(t, err)

	r, err := b.jobs.Requeue(b.ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, []any{job.Pending, 0}, []any{r.Status, r.Attempts})
	require.Nil(t, r.Reason)
	require.Nil(t, r.FinishedAt)
	claimed := b.claim(t)
	require.Len(t, claimed, 1)
	require.Equal(t, j.ID, claimed[0].ID)
}
