package migrations_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/tenant"
)

// psql is a session as somebody has it who types statements: text only, positional arguments, settings of the session.
type psql struct {
	conn *pgx.Conn
	s    tenant.Scope
}

func newPSQL(t *testing.T) psql {
	t.Helper()

	d := dbtest.New(t)
	return psql{conn: d.Connect(t), s: dbtest.Tenant(t, d)}
}

// as changes the role; the tenant is set for the roles of the product, and not for the owner.
func (p psql) as(t *testing.T, role string) psql {
	t.Helper()

	setting := p.s.TenantID.String()
	if role == "stackforge_owner" {
		setting = ""
	}
	_, err := p.conn.Exec(t.Context(), fmt.Sprintf(`RESET ROLE; SET ROLE %s; SET app.tenant_id = '%s'`, role, setting))
	require.NoError(t, err)
	return p
}

// text runs a statement with the tenant for {T}, its user for {U} and the further texts for {A} and {B}. It returns the
// only value as text; "" is null or no row.
func (p psql) text(t *testing.T, sql string, more ...string) string {
	t.Helper()

	got, err := p.try(t, sql, more...)
	require.NoError(t, err, sql)
	return got
}

func (p psql) try(t *testing.T, sql string, more ...string) (string, error) {
	t.Helper()

	r, err := p.conn.Query(t.Context(), `SELECT x::text FROM (`+p.fill(sql, more)+`) AS q (x)`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return "", err
	}
	list, err := pgx.CollectRows(r, pgx.RowTo[*string])
	if err != nil || len(list) == 0 || list[0] == nil {
		return "", err
	}
	require.Len(t, list, 1, sql)
	return *list[0], nil
}

// change runs a statement that must touch one row.
func (p psql) change(t *testing.T, sql string, more ...string) {
	t.Helper()

	tag, err := p.conn.Exec(t.Context(), p.fill(sql, more))
	require.NoError(t, err, sql)
	require.EqualValues(t, 1, tag.RowsAffected(), sql)
}

func (p psql) fill(sql string, more []string) string {
	more = append(more, "", "")
	return strings.NewReplacer("{T}", p.s.TenantID.String(), "{U}", p.s.UserID.String(), "{A}", more[0], "{B}", more[1]).Replace(sql)
}

const nobody = "00000000-0000-0000-0000-000000000000"

func TestDocumentFunctions(t *testing.T) {
	t.Parallel()

	for _, role := range []string{"app_api", "stackforge_owner"} {
		t.Run("as "+role, func(t *testing.T) {
			t.Parallel()

			p := newPSQL(t).as(t, role)
			id := p.text(t, `SELECT id FROM create_document('{T}', '{U}', 'Title', 'the body', 'a=>1', 'top.sub', '{1,2}', 13.4, 52.5)`)
			require.Len(t, id, 36)
			require.Equal(t, "top.sub|{1,2}|1|13.4|52.5", p.text(t, `SELECT concat_ws('|', path, tag_ids, metadata -> 'a', longitude, latitude) FROM documents WHERE id = '{A}'`, id))
			require.Equal(t, "Plain", p.text(t, `SELECT title FROM create_document('{T}', '{U}', 'Plain', 'no more')`), "the rest is optional")

			require.Equal(t, "New|the body|top.sub", p.text(t, `SELECT concat_ws('|', title, body, path) FROM update_document('{A}', '{T}', 'New')`, id), "null keeps")
			require.Empty(t, p.text(t, `SELECT id FROM update_document('{A}', '{B}', 'New')`, id, nobody), "another tenant's: no row")

			require.Equal(t, "New", p.text(t, `SELECT title FROM search_documents('{T}', 'body')`))
			require.Equal(t, "New", p.text(t, `SELECT title FROM search_documents('{T}', 'body', 5, 'top', 'fts', '{2}', 13.4, 52.5, 1000)`))
			require.Empty(t, p.text(t, `SELECT title FROM search_documents('{T}', 'body', 5, 'other')`))
			require.Empty(t, p.text(t, `SELECT title FROM search_documents('{T}', 'body', 5, NULL, 'fts', '{3}')`))
			require.Empty(t, p.text(t, `SELECT title FROM search_documents('{T}', 'body', 5, NULL, 'fts', NULL, 0, 0, 1000)`))

			require.Equal(t, "false", p.text(t, `SELECT delete_document('{A}', '{B}')`, id, nobody))
			require.Equal(t, "true", p.text(t, `SELECT delete_document('{A}', '{T}')`, id))
			require.Equal(t, "false", p.text(t, `SELECT delete_document('{A}', '{T}')`, id), "once")
		})
	}

	t.Run("the rules are those of the API", func(t *testing.T) {
		t.Parallel()

		p := newPSQL(t).as(t, "app_api")
		for name, sql := range map[string]string{
			"blank title":     `SELECT id FROM create_document('{T}', '{U}', '  ', 'x')`,
			"unknown author":  `SELECT id FROM create_document('{T}', '{T}', 'x', 'x')`,
			"bad path":        `SELECT id FROM create_document('{T}', '{U}', 'x', 'x', NULL, 'a b')`,
			"half a location": `SELECT id FROM create_document('{T}', '{U}', 'x', 'x', p_longitude => 13.4)`,
			"off the earth":   `SELECT id FROM create_document('{T}', '{U}', 'x', 'x', p_longitude => 13.4, p_latitude => 91)`,
			"unknown mode":    `SELECT id FROM search_documents('{T}', 'x', 5, NULL, 'magic')`,
			"bad type":        `SELECT id FROM enqueue_job('{T}', 'No Type')`,
		} {
			_, err := p.try(t, sql)
			require.ErrorContains(t, err, "ZE400", name)
		}
		_, err := p.try(t, `SELECT id FROM enqueue_job('{T}', 'send_email', '{}')`)
		require.ErrorContains(t, err, "ZE422")
		_, err = p.try(t, `SELECT document_count FROM get_tenant_stats('{A}')`, nobody)
		require.ErrorContains(t, err, "42501")
	})

	t.Run("statistics are those of the last refresh", func(t *testing.T) {
		t.Parallel()

		p := newPSQL(t).as(t, "app_api")
		require.Equal(t, "0", p.text(t, `SELECT document_count FROM get_tenant_stats('{T}')`))
		p.text(t, `SELECT id FROM create_document('{T}', '{U}', 'x', 'x')`)
		require.Equal(t, "0", p.text(t, `SELECT document_count FROM get_tenant_stats('{T}')`))
		p.as(t, "app_worker").text(t, `SELECT refresh_tenant_document_stats()`)
		require.Equal(t, "1", p.as(t, "app_api").text(t, `SELECT document_count FROM get_tenant_stats('{T}')`))
	})
}

func TestJobFunctions(t *testing.T) {
	t.Parallel()

	t.Run("from enqueue to done", func(t *testing.T) {
		t.Parallel()

		p := newPSQL(t).as(t, "app_api")
		low := p.text(t, `SELECT id FROM enqueue_job('{T}', 'noop')`)
		high := p.text(t, `SELECT id FROM enqueue_job('{T}', 'noop', '{"a": 1}', now(), 5)`)
		p.text(t, `SELECT id FROM enqueue_job('{T}', 'noop', '{}', now() + interval '1 hour', 9)`)
		require.Equal(t, "pending 0", p.text(t, `SELECT status || ' ' || priority FROM jobs WHERE id = {A}`, low))

		p.as(t, "app_worker")
		require.Equal(t, high+" running 1", p.text(t, `SELECT id || ' ' || status || ' ' || attempts FROM claim_job() WHERE started_at IS NOT NULL`))
		require.Equal(t, low, p.text(t, `SELECT id FROM claim_job()`))
		require.Empty(t, p.text(t, `SELECT id FROM claim_job()`), "the third is of the future")

		require.Equal(t, "true", p.text(t, `SELECT complete_job({A})`, high))
		require.Equal(t, "false", p.text(t, `SELECT complete_job({A})`, high), "only from running")
		require.Equal(t, "false", p.text(t, `SELECT fail_job({A}, 'x')`, high))
		require.Equal(t, "true", p.text(t, `SELECT fail_job({A}, 'it broke')`, low))
		require.Equal(t, "failed it broke", p.text(t, `SELECT status || ' ' || last_error FROM jobs WHERE id = {A}`, low))
		require.Equal(t, "done", p.text(t, `SELECT status FROM jobs WHERE id = {A}`, high))
	})

	t.Run("a retry waits for its time and ends when the attempts are used up", func(t *testing.T) {
		t.Parallel()

		p := newPSQL(t).as(t, "app_api")
		id := p.text(t, `SELECT id FROM enqueue_job('{T}', 'noop')`)
		p.as(t, "app_worker")
		require.Empty(t, p.text(t, `SELECT retry_job({A}, now(), 2)`, id), "only from running")
		require.Equal(t, id, p.text(t, `SELECT id FROM claim_job()`))
		require.Equal(t, "pending", p.text(t, `SELECT retry_job({A}, now() + interval '1 hour', 2)`, id))
		require.Empty(t, p.text(t, `SELECT id FROM claim_job()`))
		p.change(t, `UPDATE jobs SET run_at = now() WHERE id = {A}`, id)
		require.Equal(t, id, p.text(t, `SELECT id FROM claim_job()`))
		require.Equal(t, "failed", p.text(t, `SELECT retry_job({A}, now(), 2, 'again')`, id))
		require.Equal(t, "exhausted again", p.text(t, `SELECT reason || ' ' || last_error FROM jobs WHERE id = {A}`, id))
	})

	t.Run("a stale job comes back", func(t *testing.T) {
		t.Parallel()

		p := newPSQL(t).as(t, "app_api")
		id := p.text(t, `SELECT id FROM enqueue_job('{T}', 'noop')`)
		p.as(t, "app_worker").text(t, `SELECT id FROM claim_job()`)
		require.Equal(t, "0", p.text(t, `SELECT recover_stale_jobs()`))
		p.change(t, `UPDATE jobs SET started_at = now() - interval '11 minutes' WHERE id = {A}`, id)
		require.Equal(t, "0", p.text(t, `SELECT recover_stale_jobs(12)`))
		require.Equal(t, "1", p.text(t, `SELECT recover_stale_jobs()`))
		require.Equal(t, id, p.text(t, `SELECT id FROM claim_job()`))
	})
}

func TestHashids(t *testing.T) {
	t.Parallel()

	p := newPSQL(t).as(t, "app_api")
	for _, id := range []string{"0", "1", "42", "9007199254740993", "9223372036854775807"} {
		require.Equal(t, id, p.text(t, `SELECT decode_job_id(encode_job_id({A}))`, id))
	}
	for _, id := range []string{nobody, "ffffffff-ffff-ffff-ffff-ffffffffffff", "01890a5d-ac96-774b-bcce-b302099a8057"} {
		require.Equal(t, id, p.text(t, `SELECT decode_document_id(encode_document_id('{A}'))`, id))
	}
	for _, garbage := range []string{"", " ", "!", "0", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ü", nobody} {
		require.Empty(t, p.text(t, `SELECT decode_job_id('{A}')`, garbage), garbage)
		require.Empty(t, p.text(t, `SELECT decode_document_id('{A}')`, garbage), garbage)
	}
}
