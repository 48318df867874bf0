package seed_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/seed"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func run(t *testing.T, d *dbtest.DB, o seed.Options) seed.Report {
	t.Helper()
	o.Log = zerolog.Nop()
	r, err := seed.Run(t.Context(), d.Owner, o)
	require.NoError(t, err, "%v", errors.Unwrap(err))
	require.Positive(t, r.Duration)
	r.Duration = 0
	return r
}

func one[T any](t *testing.T, h db.Handle, sql string) T {
	t.Helper()
	v, err := db.Get[T](t.Context(), h, "row", sql)
	require.NoError(t, err)
	return v
}

func act(t *testing.T, tenantID uuid.UUID) context.Context {
	t.Helper()
	return tenant.With(t.Context(), tenant.Scope{TenantID: tenantID, Scopes: []string{"*"}})
}

func TestFixed(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	r := run(t, d, seed.Options{})
	keys := r.Keys
	require.Len(t, keys, 3)
	r.Keys = nil
	require.Equal(t, seed.Report{Tenants: 3, Users: 6, Documents: 34, Jobs: 20, Files: 7, Messages: 3}, r)
	for i, k := range keys {
		require.Len(t, k.Plaintext, 51)
		g, err := apikey.New(d.API).Authenticate(t.Context(), apikey.Hash(k.Plaintext))
		require.NoError(t, err)
		require.Equal(t, seed.Tenants()[i].ID, g.TenantID)
		require.Equal(t, []string{"*"}, g.Scopes)
	}

	type state struct {
		Statuses string
		Future   int
		Known    bool
		Stats    int
	}
	require.Equal(t, state{"done failed pending running", 2, true, 34}, one[state](t, d.Owner, `
		-- name: seed_test.TestFixed
		SELECT (SELECT string_agg(DISTINCT status, ' ' ORDER BY status) FROM jobs) AS statuses,
		       (SELECT count(*) FROM jobs WHERE status = 'pending' AND run_at > now()) AS future,
		       EXISTS (SELECT FROM app_users WHERE tenant_id = '00000000-0000-0000-0000-000000000001'
		           AND id = '00000000-0000-0000-0000-000000000010') AS known,
		       (SELECT sum(document_count) FROM tenant_document_stats)::int AS stats`))

	// A second run adds nothing, keeps what was changed, and tells no keys.
	d.Exec(t, `UPDATE documents SET title = 'mine' WHERE id = '00000000-0000-0000-0000-000000000101'`)
	d.Exec(t, `UPDATE jobs SET status = 'done', finished_at = now() WHERE unique_key = 'seed:1'`)
	require.Equal(t, seed.Report{}, run(t, d, seed.Options{}))
	require.Equal(t, "mine", one[string](t, d.Owner, `
		-- name: seed_test.TestFixed
		SELECT title FROM documents WHERE id = '00000000-0000-0000-0000-000000000101'`))

	// New keys on demand; the old ones of the seed end, others stay.
	_, other, err := apikey.New(d.API).Create(act(t, seed.Tenants()[0].ID), "other", nil, nil)
	require.NoError(t, err)
	again := run(t, d, seed.Options{RotateKeys: true})
	require.Len(t, again.Keys, 3)
	for _, k := range keys {
		_, err := apikey.New(d.API).Authenticate(t.Context(), apikey.Hash(k.Plaintext))
		require.True(t, errs.Is(err, errs.NotFound))
	}
	for _, plaintext := range []string{other, again.Keys[0].Plaintext, again.Keys[2].Plaintext} {
		_, err := apikey.New(d.API).Authenticate(t.Context(), apikey.Hash(plaintext))
		require.NoError(t, err)
	}
	require.Equal(t, seed.Report{}, run(t, d, seed.Options{}))
}

// The counts of the documentation, counted in SQL.
func TestFixedCounts(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	encrypt := func(uuid.UUID, int64, []byte) (string, error) { return "sf1:" + strings.Repeat("A", 64), nil }
	for range 2 { // a second run changes nothing
		run(t, d, seed.Options{Encrypt: encrypt})
		rows, err := db.List[string](t.Context(), d.Owner, `
			-- name: seed_test.TestFixedCounts
			SELECT format('%s: %s users, %s documents, %s jobs, %s files, %s keys', right(t.id::text, 1),
			           (SELECT count(*) FROM app_users x WHERE x.tenant_id = t.id), (SELECT count(*) FROM documents x WHERE x.tenant_id = t.id),
			           (SELECT count(*) FROM jobs x WHERE x.tenant_id = t.id), (SELECT count(*) FROM files x WHERE x.tenant_id = t.id),
			           (SELECT count(*) FROM api_keys x WHERE x.tenant_id = t.id))
			FROM tenants t
			UNION ALL
			SELECT format('%s %s', coalesce(j.reason, j.status), count(*)) FROM jobs j GROUP BY coalesce(j.reason, j.status)
			UNION ALL
			SELECT format('documents with metadata %s, path %s, tags %s, location %s, known author %s', count(*) FILTER (WHERE x.metadata <> ''),
			           count(x.path), count(*) FILTER (WHERE x.tag_ids <> '{}'), count(x.longitude), count(u.id))
			FROM documents x LEFT JOIN app_users u ON u.tenant_id = x.tenant_id AND u.id = x.author_id
			UNION ALL
			SELECT format('messages %s in %s', (tenant_usage(q.tenant_id)).messages, q.name) FROM message_queues q
			UNION ALL
			SELECT format('encrypted %s', count(*)) FROM jobs x WHERE x.payload_encrypted IS NOT NULL
			ORDER BY 1`)
		require.NoError(t, err)
		require.Equal(t, []string{
			"1: 2 users, 20 documents, 11 jobs, 3 files, 1 keys", "2: 2 users, 8 documents, 5 jobs, 2 files, 1 keys",
			"3: 2 users, 6 documents, 4 jobs, 2 files, 1 keys", "cancelled 1",
			"documents with metadata 34, path 34, tags 34, location 15, known author 34", "done 8", "encrypted 3", "exhausted 1",
			"messages 3 in notifications", "no_handler 1", "pending 7", "permanent 1", "running 1",
		}, rows)
	}
}

// What the documentation searches for is there.
func TestSearches(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	run(t, d, seed.Options{})
	first := seed.Tenants()[0].ID
	titles := func(tenantID uuid.UUID, where string) []string {
		list, err := db.List[string](act(t, tenantID), d.API, `
			-- name: seed_test.TestSearches
			SELECT d.title FROM documents d WHERE `+where+` ORDER BY d.title`)
		require.NoError(t, err)
		return list
	}
	found := func(tenantID uuid.UUID, args string) []string {
		return titles(tenantID, `d.id IN (SELECT id FROM search_documents('`+tenantID.String()+`', `+args+`))`)
	}
	require.Equal(t, []string{"PostgreSQL tuning guide"}, found(first, `'postgres', 20`))
	require.Contains(t, found(first, `'cafe', 20`), "Café naïve: notes on a tasting menu")
	require.Contains(t, found(first, `'naïve', 20`), "Café naïve: notes on a tasting menu")
	require.Equal(t, []string{"API style guide", "Job queue runbook", "PostgreSQL tuning guide"},
		found(first, `NULL, 20, 'engineering.backend'`))
	require.Contains(t, found(first, `'postgres', 20, p_longitude => -122.4194, p_latitude => 37.7749, p_radius => 5000`), "PostgreSQL tuning guide")
	require.Equal(t, []string{"Driver Luis, scooter", "Driver Mei, cargo bike"},
		found(first, `NULL, 20, p_tag_ids => '{30}', p_longitude => -122.4194, p_latitude => 37.7649, p_radius => 3000`))
	require.Empty(t, found(first, `'zebrafish', 20`), "only the second tenant has the word")
	require.NotEmpty(t, found(seed.Tenants()[1].ID, `'zebrafish', 20`))
	require.Len(t, found(first, `NULL, 20, 'acme.api'`), 2)

	// Typos and sounds.
	require.Equal(t, []string{"PostgreSQL tuning guide"}, found(first, `'postgras', p_mode => 'fuzzy'`))
	require.Len(t, found(first, `'neglignece producit design', p_mode => 'fuzzy', p_path_prefix => 'legal'`), 1)
	require.NotEmpty(t, found(first, `'Smyht cardiology', p_mode => 'fuzzy', p_path_prefix => 'cardiology'`))
	require.Equal(t, []string{"Welcome letter from Rupert"}, found(first, `'robert', p_mode => 'soundex'`))
	require.Len(t, found(first, `'Smith chest', p_mode => 'soundex', p_tag_ids => '{10,15}'`), 3)
	require.Len(t, titles(first, `d.metadata @> 'court=>NDCA'`), 2)
}

func TestCount(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	r := run(t, d, seed.Options{Count: 200})
	require.Equal(t, []int64{606, 634, 620, 607}, []int64{r.Users, r.Documents, r.Jobs, r.Files})
	require.Equal(t, seed.Report{}, run(t, d, seed.Options{Count: 200}))
	r = run(t, d, seed.Options{Count: 210})
	require.Equal(t, []int64{30, 30, 30, 30}, []int64{r.Users, r.Documents, r.Jobs, r.Files}, "the first 200 are the same")

	other := dbtest.New(t)
	run(t, other, seed.Options{Count: 210})
	const content = `
		-- name: seed_test.TestCount
		SELECT md5(
		    (SELECT string_agg(u::text, ',' ORDER BY u.tenant_id, u.id) FROM app_users u WHERE u.email LIKE '%example.com') ||
		    (SELECT string_agg((d.tenant_id, d.id, d.author_id, d.title, d.body, d.metadata, d.path, d.tag_ids, d.longitude, d.created_at)::text, ',' ORDER BY d.tenant_id, d.id)
		     FROM documents d WHERE d.id > '00000001-0000-0000-0000-000000000000') ||
		    (SELECT string_agg((j.tenant_id, j.type, j.payload, j.status, j.attempts, j.created_at, j.finished_at)::text, ',' ORDER BY j.tenant_id, j.unique_key)
		     FROM jobs j WHERE j.unique_key LIKE 'seed:fake:%') ||
		    (SELECT string_agg(f::text, ',' ORDER BY f.tenant_id, f.id) FROM files f WHERE f.id > '00000001-0000-0000-0000-000000000000'))`
	require.Equal(t, one[string](t, d.Owner, content), one[string](t, other.Owner, content))
}

func TestCountRefused(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for _, n := range []int{-1, seed.MaxCount + 1} {
		_, err := seed.Run(t.Context(), d.Owner, seed.Options{Count: n})
		require.True(t, errs.Is(err, errs.Validation))
		require.Equal(t, "SEED_COUNT", errs.From(err).Field)
	}
}

func TestFaker(t *testing.T) {
	t.Parallel()
	tenantID := seed.Tenants()[0].ID
	for kind, fake := range map[string]func(n int) any{
		"user":     func(n int) any { return seed.FakeUser(seed.Faker("user", tenantID, n)) },
		"document": func(n int) any { return seed.FakeDocument(seed.Faker("document", tenantID, n)) },
		"job":      func(n int) any { return seed.FakeJob(seed.Faker("job", tenantID, n)) },
		"file":     func(n int) any { return seed.FakeFile(seed.Faker("file", tenantID, n)) },
		"message":  func(n int) any { return seed.FakeMessage(seed.Faker("message", tenantID, n)) },
	} {
		a, err := json.Marshal(fake(1))
		require.NoError(t, err)
		b, err := json.Marshal(fake(1))
		require.NoError(t, err)
		require.Equal(t, a, b, kind)
		require.NotEqual(t, fake(1), fake(2), kind)
	}
}
