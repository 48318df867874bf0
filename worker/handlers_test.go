package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/repo/dashboard"
	"stackforge/repo/job"
	"stackforge/tenant"
	"stackforge/worker"
)

// post keeps the mails that it should send.
type post chan app.Mail

func (p post) Send(_ context.Context, m app.Mail) error { p <- m; return nil }

// startAll runs a worker with the real handlers.
func startAll(t *testing.T, b bundle) (*process, post) {
	t.Helper()

	mails := make(post, 10)
	return start(t, worker.Config{}, worker.Deps{Runs: b.runs, Handlers: worker.Handlers(worker.HandlerDeps{
		Stats:    dashboard.NewRefresher(b.d.Worker),
		Embedder: app.NewEmbedder(b.d.Worker, app.Local{}), Files: app.NewFiles(b.d.Worker, app.FilesConfig{}), Mailer: mails, Runs: b.runs,
	})}), mails
}

func (b bundle) scope(t testing.TB) tenant.Scope {
	t.Helper()

	s, err := tenant.From(b.ctx)
	require.NoError(t, err)
	return s
}

// document inserts a document and returns its id.
func (b bundle) document(t testing.TB, title, body string) uuid.UUID {
	t.Helper()

	s := b.scope(t)
	id, err := db.Get[uuid.UUID](b.ctx, b.d.Owner, "document", `
		INSERT INTO documents (tenant_id, author_id, title, body)
		VALUES (@tenant, @author, @title, @body)
		RETURNING id`,
		pgx.NamedArgs{"tenant": s.TenantID, "author": s.UserID, "title": title, "body": body})
	require.NoError(t, err)
	return id
}

func TestHandlers(t *testing.T) {
	t.Parallel()

	run := func(t *testing.T, b bundle, kind, payload string) (job.Job, post) {
		t.Helper()
		j := b.enqueue(t, job.EnqueueParams{Type: kind, Payload: json.RawMessage(payload)})
		p, mails := startAll(t, b)
		p.ended(t, j.ID)
		return b.get(t, j.ID), mails
	}

	t.Run("every job type of the database has a handler", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		types, err := b.jobs.Types(b.ctx)
		require.NoError(t, err)
		table := worker.Handlers(worker.HandlerDeps{})
		require.Len(t, table, len(types))
		for _, ty := range types {
			require.Contains(t, table, ty.Type)
			require.NotEmpty(t, ty.Description)
		}
	})

	t.Run("send_email sends the mail", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		j, mails := run(t, b, "send_email", `{"to":"ann@example.com","subject":"Hi","body":"Text","campaign":7}`)
		require.Equal(t, job.Done, j.Status)
		want := app.Mail{ID: fmt.Sprintf("job-%d.%s", j.ID, j.TenantID), To: "ann@example.com", Subject: "Hi", Body: "Text"}
		require.Equal(t, want, receive(t, mails))
	})

	t.Run("generate_embedding stores a vector", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		id := b.document(t, "Compilers", "They translate.")
		j, _ := run(t, b, "generate_embedding", fmt.Sprintf(`{"document_id":%q}`, id))
		require.Equal(t, job.Done, j.Status, value(j.LastError))
		require.JSONEq(t, `{"model":"local-hash-v1","version":1}`, string(j.Result))
		type row struct {
			Model  string
			Vector []float32
		}
		got, err := db.Get[row](b.ctx, b.d.Owner, "document", `SELECT embedding_model AS model, embedding::real[] AS vector FROM documents WHERE id = $1`, id)
		require.NoError(t, err)
		want, err := app.Local{}.Embed(t.Context(), []string{app.DocumentText("Compilers", "They translate.")})
		require.NoError(t, err)
		require.Equal(t, row{"local-hash-v1", want[0]}, got)
	})

	t.Run("generate_embedding of another tenant's document fails for good", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		foreign := b
		foreign.ctx = tenant.With(t.Context(), dbtest.Tenant(t, b.d))
		id := foreign.document(t, "Secret", "Text")
		j, _ := run(t, b, "generate_embedding", fmt.Sprintf(`{"document_id":%q}`, id))
		require.Equal(t, job.Failed, j.Status)
		require.Equal(t, job.ReasonPermanent, *j.Reason)
		require.Equal(t, "There is no such document.", *j.LastError)
	})

	t.Run("reindex_search brings the count up to date", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.document(t, "One", "")
		b.document(t, "Two", "")
		j, _ := run(t, b, "reindex_search", fmt.Sprintf(`{"tenant_id":%q}`, b.scope(t).TenantID))
		require.Equal(t, job.Done, j.Status, value(j.LastError))
		require.JSONEq(t, `{"documentCount":2}`, string(j.Result))
	})

	t.Run("reindex_search of another tenant that got past the door is forbidden", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.d.Exec(t, `INSERT INTO jobs (tenant_id, type, payload) VALUES ($1, 'reindex_search', jsonb_build_object('tenant_id', $2::text))`,
			b.scope(t).TenantID, uuid.NewString())
		p, _ := startAll(t, b)
		j := b.get(t, p.wait(t, worker.Ended, nil).Job.ID)
		require.Equal(t, job.ReasonPermanent, value(j.Reason))
		require.Equal(t, "The tenant_id of reindex_search must be the job's own tenant.", value(j.LastError))
	})

	t.Run("cleanup_files removes old unfinished uploads of the tenant only", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for _, s := range []tenant.Scope{b.scope(t), dbtest.Tenant(t, b.d)} {
			b.d.Exec(t, `
				INSERT INTO files (tenant_id, id, uploader_id, filename, content_type, size_bytes, storage_key, status, created_at)
				SELECT $1::uuid, f.id, $2::uuid, f.name, 'text/plain', 1, 'tenants/' || $1::uuid || '/' || f.id, f.status, now() - f.age
				FROM (VALUES (uuid_v7(), 'old', 'pending', interval '3 hours'), (uuid_v7(), 'young', 'pending', interval '1 hour'),
				    (uuid_v7(), 'ready', 'ready', interval '3 hours')) f (id, name, status, age)`, s.TenantID, s.UserID)
		}
		j, _ := run(t, b, "cleanup_files", `{"older_than_hours":2.0}`)
		require.Equal(t, job.Done, j.Status, value(j.LastError))
		require.JSONEq(t, `{"removed":1,"unfinished":1,"missing":0,"orphans":0,"parts":0}`, string(j.Result))
		keys, err := db.List[string](b.ctx, b.d.Owner, `SELECT filename FROM files WHERE tenant_id = $1 ORDER BY filename`, b.scope(t).TenantID)
		require.NoError(t, err)
		require.Equal(t, []string{"ready", "young"}, keys)
		n, err := db.Get[int](b.ctx, b.d.Owner, "file", `SELECT count(*) FROM files`)
		require.NoError(t, err)
		require.Equal(t, 5, n)
	})
}

func TestWorkerRole(t *testing.T) {
	t.Parallel()

	b := setup(t)
	for _, sql := range []string{
		`UPDATE api_keys SET revoked_at = now()`,
		`INSERT INTO api_keys (tenant_id, key_prefix, key_hash, name) VALUES ('00000000-0000-0000-0000-000000000001', 'x', 'x', 'x')`,
		`DELETE FROM api_keys`,
		`DELETE FROM jobs`,
	} {
		_, err := db.Exec(b.ctx, b.d.Worker, sql)
		require.ErrorContains(t, err, "not allowed", sql)
	}
}
