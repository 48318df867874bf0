package node_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/importer/node"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// schema is the Node service's own, as its tables are documented; {point} and {vector} are what the server has for them.
//
//nolint:dupword // SQL
const schema = `
	CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; {extensions}
	CREATE TABLE app_users (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, email citext NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
	CREATE TABLE api_keys (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, key_prefix text, key_hash text, name text,
		created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz, last_used_at timestamptz);
	CREATE TABLE documents (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, author_id uuid NOT NULL, title text NOT NULL, body text NOT NULL,
		search_tsv tsvector GENERATED ALWAYS AS (to_tsvector('english', title || ' ' || body)) STORED,
		metadata hstore, path ltree, tag_ids int[], location {point}, embedding {vector},
		created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
	CREATE TABLE jobs (id bigserial, tenant_id uuid NOT NULL, type text NOT NULL, payload jsonb, payload_encrypted text, status text NOT NULL,
		priority int NOT NULL DEFAULT 0, attempts int NOT NULL DEFAULT 0, run_at timestamptz NOT NULL DEFAULT now(), started_at timestamptz,
		finished_at timestamptz, last_error text, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
		PRIMARY KEY (id, created_at));
	CREATE TABLE files (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, uploader_id uuid, filename text, content_type text, size_bytes bigint,
		storage_key text, created_at timestamptz NOT NULL DEFAULT now());

	INSERT INTO app_users (id, tenant_id, email) VALUES
		('00000000-0000-0000-0000-000000000010', '00000000-0000-0000-0000-000000000001', 'Ada@example.org'),
		('00000000-0000-0000-0000-000000000020', '00000000-0000-0000-0000-000000000002', 'bob@example.org'),
		('00000000-0000-0000-0000-000000000021', '00000000-0000-0000-0000-000000000002', 'nobody');
	INSERT INTO api_keys (id, tenant_id, key_prefix, key_hash, name, expires_at) VALUES
		('00000000-0000-0000-0000-000000000030', '00000000-0000-0000-0000-000000000001', 'sk_live_abcd', repeat('ab', 32), 'first', '2031-01-01Z'),
		('00000000-0000-0000-0000-000000000031', '00000000-0000-0000-0000-000000000001', 'sk_live_efgh', 'no hash', '', NULL);
	INSERT INTO documents (id, tenant_id, author_id, title, body, metadata, path, tag_ids, location, embedding, created_at, updated_at) VALUES
		('00000000-0000-0000-0000-000000000101', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000010',
		 'Tab	and \ backslash', E'Line one\nline two, "quoted", né', 'priority=>high, "a key"=>"a, b", empty=>NULL', 'engineering.backend', '{3,1}',
		 {a point}, {a vector}, '2025-03-01T10:00:00.123456Z', '2025-03-02Z'),
		('00000000-0000-0000-0000-000000000102', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000010',
		 'Plain', 'Only words', NULL, NULL, NULL, NULL, NULL, '2025-04-01Z', '2025-04-01Z'),
		('00000000-0000-0000-0000-000000000103', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000020',
		 ' ', 'By a user of another tenant, and without a title', NULL, NULL, NULL, NULL, NULL, now(), now());
	INSERT INTO jobs (id, tenant_id, type, payload, payload_encrypted, status, priority, attempts, run_at, finished_at, last_error, created_at) VALUES
		(41, '00000000-0000-0000-0000-000000000001', 'send_email', '{"to": "a@example.org"}', NULL, 'pending', 7, 0, '2099-01-01Z', NULL, NULL, '2025-01-01Z'),
		(42, '00000000-0000-0000-0000-000000000001', 'send_email', '{"to": "a@example.org"}', NULL, 'running', 0, 2, '2025-01-01Z', NULL, 'once', '2025-01-01Z'),
		(43, '00000000-0000-0000-0000-000000000001', 'own_type', '{"x": 1}', NULL, 'done', 0, 1, '2025-01-01Z', '2025-01-01Z', NULL, '2025-01-01Z'),
		(44, '00000000-0000-0000-0000-000000000002', 'own_type', '{}', NULL, 'failed', 0, 5, '2025-01-01Z', '2025-01-01Z', 'gave up', '2025-01-01Z'),
		(45, '00000000-0000-0000-0000-000000000002', 'send_email', '{"to": 5}', NULL, 'pending', 0, 0, '2025-01-01Z', NULL, NULL, '2025-01-01Z'),
		(46, '00000000-0000-0000-0000-000000000001', 'own_type', '{}', 'of a form that nobody knows', 'done', 0, 1, '2025-01-01Z', '2025-01-01Z', NULL, '2025-01-01Z'),
		(47, '00000000-0000-0000-0000-000000000001', 'own_type', '{"x": 1}', repeat('QUJD', 16), 'pending', 0, 0, '2099-01-01Z', NULL, NULL, '2025-01-01Z');
	INSERT INTO files (id, tenant_id, uploader_id, filename, content_type, size_bytes, storage_key, created_at) VALUES
		('00000000-0000-0000-0000-000000000201', '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000010',
		 'a.pdf', 'application/pdf', 1048576, 'uploads/a b.pdf', '2025-05-05Z'),
		('00000000-0000-0000-0000-000000000202', '00000000-0000-0000-0000-000000000001', NULL, 'b.pdf', 'application/pdf', 1, 'uploads/b.pdf', now());`

// world makes a source, and a target with a connection that acts as the owner.
func world(t *testing.T) (from, to *pgx.Conn) {
	t.Helper()

	from = dbtest.Connect(t, dbtest.Empty(t))
	r := strings.NewReplacer("{extensions}", "", "{point}", "text", "{vector}", "text", "{a point}", "NULL", "{a vector}", "'[' || repeat('0.5,', 1535) || '0.5]'")
	if dbtest.Lane() == dbtest.Full {
		r = strings.NewReplacer("{extensions}", "SET pgaudit.log = 'none'; CREATE EXTENSION postgis; CREATE EXTENSION vector;", "{point}", "geography(Point)", "{vector}", "vector(1536)",
			"{a point}", "ST_MakePoint(-122.4, 37.8)", "{a vector}", "('[' || repeat('0.5,', 1535) || '0.5]')::vector")
	}
	_, err := from.Exec(t.Context(), r.Replace(schema))
	require.NoError(t, err)
	to = dbtest.New(t).Connect(t)
	_, err = to.Exec(t.Context(), `SET ROLE stackforge_owner`)
	require.NoError(t, err)
	return from, to
}

func text(t *testing.T, c *pgx.Conn, sql string) string {
	t.Helper()

	var s *string
	require.NoError(t, c.QueryRow(t.Context(), sql).Scan(&s), sql)
	if s == nil {
		return ""
	}
	return *s
}

func TestCopy(t *testing.T) {
	t.Parallel()

	from, to := world(t)
	var seen []string
	r, err := node.Copy(t.Context(), from, to, node.Options{EmbeddingModel: "old-model", Progress: func(x node.Table) { seen = append(seen, x.Name) }})
	require.NoError(t, err)
	require.Equal(t, []node.Table{
		{Name: "app_users", Read: 3, Written: 2, Rejected: 1},
		{Name: "api_keys", Read: 2, Written: 1, Rejected: 1},
		{Name: "documents", Read: 3, Written: 2, Rejected: 1},
		{Name: "jobs", Read: 7, Written: 5, Rejected: 2},
		{Name: "files", Read: 2, Written: 1, Rejected: 1},
	}, r.Tables)
	require.Equal(t, []string{"app_users", "api_keys", "documents", "jobs", "files"}, seen)
	require.Equal(t, []node.Object{{
		Old: "uploads/a b.pdf",
		New: "tenants/00000000-0000-0000-0000-000000000001/2025/05/00000000-0000-0000-0000-000000000201",
	}}, r.Objects)

	var reasons []string
	for _, x := range r.Rejects {
		reasons = append(reasons, x.Table+" "+x.ID[len(x.ID)-2:]+" "+x.Reason)
	}
	require.Len(t, reasons, 7) // the document has two
	require.Contains(t, reasons, "app_users 21 email: This is no e-mail address.")
	require.Contains(t, reasons, "api_keys 31 key_hash: This is no SHA-256 in hexadecimal digits.")
	require.Contains(t, reasons, "documents 03 authorId: There is no such user.")
	require.Contains(t, strings.Join(reasons, "\n"), "jobs 45 payload: ")
	require.Contains(t, reasons, "jobs 46 payload_encrypted: This is not an encrypted payload.")
	require.Contains(t, reasons, "files 02 uploader_id: There is no such user.")

	require.Equal(t, "Ada@example.org", text(t, to, `SELECT email::text FROM app_users WHERE id = '00000000-0000-0000-0000-000000000010'`))
	require.Equal(t, "00000000-0000-0000-0000-000000000001", text(t, to, `SELECT tenant_id::text FROM authenticate_key(repeat('ab', 32))`))
	require.Equal(t, `Tab	and \ backslash|Line one
line two, "quoted", né|"a key"=>"a, b", "priority"=>"high"|engineering.backend|{3,1}|en|2025-03-01 10:00:00.123456+00`,
		text(t, to, `SELECT concat_ws('|', title, body, metadata, path, tag_ids, language, created_at) FROM documents WHERE right(id::text, 3) = '101'`))
	require.Equal(t, "old-model|1", text(t, to, `SELECT embedding_model || '|' || count(*) FROM documents WHERE embedding IS NOT NULL GROUP BY embedding_model`))
	if dbtest.Lane() == dbtest.Full {
		require.Equal(t, "-122.4,37.8", text(t, to, `SELECT longitude || ',' || latitude FROM documents WHERE right(id::text, 3) = '101'`))
	}
	require.Equal(t, "{pending,pending,done,failed,pending}", text(t, to, `SELECT array_agg(status ORDER BY id)::text FROM jobs`))
	require.Equal(t, "exhausted", text(t, to, `SELECT reason FROM jobs WHERE id = 44`))
	require.Equal(t, "2", text(t, to, `SELECT attempts::text FROM jobs WHERE id = 42`))
	require.Equal(t, "47", text(t, to, `SELECT id::text FROM jobs WHERE payload_encrypted IS NOT NULL AND payload = '{"x": 1}'`))
	require.Equal(t, "48", text(t, to, `SELECT nextval('jobs_id_seq')::text`)) // after those that are there
}

// TestCopyTwice is the rehearsal and the day itself: what is there stays as it is, what is new is added.
func TestCopyTwice(t *testing.T) {
	t.Parallel()

	from, to := world(t)
	_, err := node.Copy(t.Context(), from, to, node.Options{})
	require.NoError(t, err)
	require.Equal(t, "0", text(t, to, `SELECT count(embedding)::text FROM documents`)) // whose vectors they are was not told
	_, err = to.Exec(t.Context(), `UPDATE documents SET title = 'Changed here' WHERE right(id::text, 3) = '102'`)
	require.NoError(t, err)
	_, err = from.Exec(t.Context(), `INSERT INTO app_users (id, tenant_id, email) VALUES
		('00000000-0000-0000-0000-000000000011', '00000000-0000-0000-0000-000000000003', 'new@example.org')`)
	require.NoError(t, err)

	r, err := node.Copy(t.Context(), from, to, node.Options{})
	require.NoError(t, err)
	require.Equal(t, node.Table{Name: "app_users", Read: 4, Written: 1, Present: 2, Rejected: 1}, r.Tables[0])
	require.Equal(t, node.Table{Name: "documents", Read: 3, Present: 2, Rejected: 1}, r.Tables[2])
	require.Equal(t, "Changed here", text(t, to, `SELECT title FROM documents WHERE right(id::text, 3) = '102'`))
	require.Equal(t, "3", text(t, to, `SELECT count(*)::text FROM tenants`))
}

// TestCopyAllOrNothing breaks the source in its last table.
func TestCopyAllOrNothing(t *testing.T) {
	t.Parallel()

	from, to := world(t)
	_, err := from.Exec(t.Context(), `ALTER TABLE files ALTER COLUMN size_bytes TYPE text; UPDATE files SET size_bytes = 'large'`)
	require.NoError(t, err)
	_, err = node.Copy(t.Context(), from, to, node.Options{})
	require.ErrorContains(t, err, "table files")
	require.Equal(t, "0", text(t, to, `SELECT (count(*) + (SELECT count(*) FROM tenants))::text FROM documents`))

	empty := dbtest.Connect(t, dbtest.Empty(t))
	_, err = node.Copy(t.Context(), empty, to, node.Options{})
	require.ErrorIs(t, err, node.ErrNotNode)
}

// TestCopyMany has more than fits into a buffer, and one row in ten that is not valid.
func TestCopyMany(t *testing.T) {
	t.Parallel()

	from, to := world(t)
	const n = 3000
	_, err := from.Exec(t.Context(), fmt.Sprintf(`INSERT INTO documents (id, tenant_id, author_id, title, body)
		SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000010',
		       CASE WHEN n %% 10 = 0 THEN '' ELSE 'Document ' || n END, repeat('word ', 200)
		FROM generate_series(1, %d) n`, n))
	require.NoError(t, err)
	r, err := node.Copy(t.Context(), from, to, node.Options{})
	require.NoError(t, err)
	require.Equal(t, node.Table{Name: "documents", Read: n + 3, Written: n*9/10 + 2, Rejected: n/10 + 1}, r.Tables[2])
}
