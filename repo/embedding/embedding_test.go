package embedding_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/repo/embedding"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// bed is a tenant with documents that have vectors.
type bed struct {
	t    *testing.T
	d    *dbtest.DB
	s    tenant.Scope
	ctx  context.Context //nolint:containedctx // of one test
	api  *embedding.Repo
	work *embedding.Repo
	conn *pgx.Conn
	docs []doc
}

type doc struct {
	id      uuid.UUID
	vector  []float32
	tag     int
	path    string
	created time.Time
}

func open(t *testing.T) *bed {
	t.Helper()

	return (&bed{t: t, d: dbtest.New(t)}).tenant()
}

// tenant is a bed in another tenant of the same database.
func (b *bed) tenant() *bed {
	s := dbtest.Tenant(b.t, b.d)
	return &bed{
		t: b.t, d: b.d, s: s, ctx: tenant.With(b.t.Context(), s), api: embedding.New(b.d.API), work: embedding.New(b.d.Worker), conn: b.d.Connect(b.t),
	}
}

// vector is a random one near one of a few centres, as those of texts are.
func vector(r *rand.Rand) []float32 {
	centre := rand.New(rand.NewPCG(9, uint64(r.IntN(8))))
	v := make([]float32, embedding.Dimensions)
	for i := range v {
		v[i] = float32(centre.NormFloat64() + 0.8*r.NormFloat64())
	}
	return v
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// fill makes n documents; their vectors are stored as the worker does.
func (b *bed) fill(n int, model string, r *rand.Rand) {
	b.t.Helper()

	var rows [][]any
	first := len(b.docs)
	for i := range n {
		d := doc{id: uuid.New(), vector: vector(r), tag: i % 100, path: fmt.Sprintf("a%d.b", i%10), created: time.Unix(int64(1e9+first+i), 0).UTC()}
		b.docs = append(b.docs, d)
		rows = append(rows, []any{b.s.TenantID, d.id, b.s.UserID, "title", "body", []int32{int32(d.tag)}, d.path, d.created})
	}
	_, err := b.conn.Exec(b.t.Context(), `CREATE TEMP TABLE IF NOT EXISTS made (t uuid, i uuid, u uuid, title text, body text, tags int[], path text, at timestamptz); TRUNCATE made`)
	require.NoError(b.t, err)
	_, err = b.conn.CopyFrom(b.t.Context(), pgx.Identifier{"made"}, []string{"t", "i", "u", "title", "body", "tags", "path", "at"}, pgx.CopyFromRows(rows))
	require.NoError(b.t, err)
	_, err = b.conn.Exec(b.t.Context(), `INSERT INTO documents (tenant_id, id, author_id, title, body, tag_ids, path, created_at) SELECT t, i, u, title, body, tags, path::ltree, at FROM made`)
	require.NoError(b.t, err)
	if n >= 1000 { // an index over what is there is made much faster than it grows
		var index *string
		require.NoError(b.t, b.conn.QueryRow(b.t.Context(), `SELECT pg_get_indexdef(to_regclass('ix_documents_embedding'))`).Scan(&index))
		if index != nil {
			_, err = b.conn.Exec(b.t.Context(), `DROP INDEX ix_documents_embedding`)
			require.NoError(b.t, err)
			defer func() {
				_, err := b.conn.Exec(b.t.Context(), *index)
				require.NoError(b.t, err)
			}()
		}
	}
	for part := range slices.Chunk(b.docs[first:], 250) {
		var vectors []embedding.Vector
		for _, d := range part {
			vectors = append(vectors, embedding.Vector{ID: d.id, Version: 1, Numbers: d.vector})
		}
		stored, err := b.work.Store(b.ctx, model, vectors)
		require.NoError(b.t, err)
		require.Equal(b.t, len(part), stored)
	}
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// nearest is the exact order, computed here.
func (b *bed) nearest(v []float32, first int, keep func(doc) bool) []uuid.UUID {
	list := slices.DeleteFunc(slices.Clone(b.docs), func(d doc) bool { return keep != nil && !keep(d) })
	slices.SortFunc(list, func(x, y doc) int {
		if x, y := cosine(x.vector, v), cosine(y.vector, v); math.Abs(x-y) > 1e-9 {
			return map[bool]int{true: -1, false: 1}[x > y]
		}
		return y.created.Compare(x.created)
	})
	out := make([]uuid.UUID, 0, first)
	for _, d := range list[:min(first, len(list))] {
		out = append(out, d.id)
	}
	return out
}

func (b *bed) similar(v []float32, f embedding.Filter, first int) []uuid.UUID {
	b.t.Helper()

	hits, err := b.api.Similar(b.ctx, embedding.Query{Vectors: [][]float32{v}}, f, nil, first)
	require.NoError(b.t, err)
	return ids(hits)
}

func ids(hits []embedding.Hit) []uuid.UUID {
	out := make([]uuid.UUID, len(hits))
	for i := range hits {
		out[i] = hits[i].ID
	}
	return out
}

func TestSimilar(t *testing.T) {
	t.Parallel()

	b := open(t)
	r := random(1)
	b.fill(3000, "m", r)
	neighbour := b.tenant()
	neighbour.fill(60, "m", r)
	query1 := vector(r)

	t.Run("in the exact order where few are left", func(t *testing.T) {
		t.Parallel()

		require.Equal(t, neighbour.nearest(query1, 20, nil), neighbour.similar(query1, embedding.Filter{}, 20))
		require.Len(t, neighbour.similar(query1, embedding.Filter{}, 100), 60, "of this tenant alone")
	})

	t.Run("a page of 1 % is full and in the exact order", func(t *testing.T) {
		t.Parallel()

		want := b.nearest(query1, 20, func(d doc) bool { return d.tag == 7 })
		require.Len(t, want, 20)
		require.Equal(t, want, b.similar(query1, embedding.Filter{TagIDs: []int{7}}, 20))
		require.Len(t, b.similar(query1, embedding.Filter{TagIDs: []int{7}}, 100), 30, "all there are")
	})

	t.Run("a page of many has nearly all that are nearest", func(t *testing.T) {
		t.Parallel()

		path := "a3"
		for name, x := range map[string]struct {
			f    embedding.Filter
			keep func(doc) bool
		}{
			"all":       {embedding.Filter{}, nil},
			"a subtree": {embedding.Filter{PathPrefix: &path}, func(d doc) bool { return d.path == "a3.b" }},
			"half":      {embedding.Filter{CreatedAt: &query.Time{Gte: &b.docs[1500].created}}, func(d doc) bool { return !d.created.Before(b.docs[1500].created) }},
		} {
			want, got := b.nearest(query1, 50, x.keep), b.similar(query1, x.f, 50)
			require.Len(t, got, 50, name)
			hit := 0
			for _, id := range got {
				if slices.Contains(want, id) {
					hit++
				}
			}
			require.GreaterOrEqual(t, hit, 45, name)
		}
	})

	t.Run("a moment and its neighbours", func(t *testing.T) {
		t.Parallel()

		at := b.docs[5].created
		count := func(f query.Time) int {
			to := at.Add(3 * time.Second)
			if f.Lt == nil && f.Lte == nil && f.Eq == nil {
				f.Lt = &to
			}
			return len(b.similar(query1, embedding.Filter{CreatedAt: &f}, 100))
		}
		require.Equal(t, 3, count(query.Time{Gte: &at}))
		require.Equal(t, 2, count(query.Time{Gt: &at}))
		require.Equal(t, 1, count(query.Time{Eq: &at}))
		require.Equal(t, 6, count(query.Time{Lte: &at}))
		require.Equal(t, 5, count(query.Time{Lt: &at}))
	})
}

func TestSimilarBelowTheIndex(t *testing.T) {
	t.Parallel()

	b := open(t)
	r := random(2)
	b.fill(1500, "m", r)
	v := vector(r)
	want := b.nearest(v, 10, nil)
	_, err := b.conn.Exec(t.Context(), `ANALYZE documents; DROP INDEX IF EXISTS ix_documents_embedding`)
	require.NoError(t, err)
	require.Equal(t, want, b.similar(v, embedding.Filter{}, 10), "without the index")

	// Equal vectors: the newer comes first.
	twin := b.docs[0]
	for i := range 3 {
		_, err := b.conn.Exec(t.Context(), `UPDATE documents SET embedding = (SELECT embedding FROM documents WHERE id = $1) WHERE id = $2`, twin.id, b.docs[10+i].id)
		require.NoError(t, err)
	}
	require.Equal(t, []uuid.UUID{b.docs[12].id, b.docs[11].id, b.docs[10].id, twin.id}, b.similar(twin.vector, embedding.Filter{}, 4))

	// A vector of zeros, which no door lets in, is nowhere near anything.
	_, err = b.conn.Exec(t.Context(), `UPDATE documents SET embedding = array_fill(0::real, ARRAY[1536]) WHERE id = $1`, b.docs[20].id)
	require.NoError(t, err)
	require.NotContains(t, b.similar(b.docs[20].vector, embedding.Filter{}, 100), b.docs[20].id)
	require.Len(t, b.similar(b.docs[20].vector, embedding.Filter{}, 100), 100)
}

func TestSimilarByModels(t *testing.T) {
	t.Parallel()

	b := open(t)
	r := random(3)
	b.fill(40, "old", r)
	b.fill(40, "new", r)
	models, err := b.api.Models(b.ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"new", "old"}, models)

	byOld, byNew := vector(r), vector(r)
	old, present := b.docs[:40], b.docs[40:]
	of := func(list []doc) func(doc) bool {
		return func(d doc) bool { return slices.ContainsFunc(list, func(x doc) bool { return x.id == d.id }) }
	}
	hits, err := b.api.Similar(b.ctx, embedding.Query{Models: []string{"new", "old"}, Vectors: [][]float32{byNew, byOld}}, embedding.Filter{}, nil, 20)
	require.NoError(t, err)
	got := ids(hits)
	require.Len(t, got, 20)
	// Each model's documents are in the order of their own vectors, and both kinds are there.
	for want, list := range map[string][]doc{"old": old, "new": present} {
		v := map[string][]float32{"old": byOld, "new": byNew}[want]
		mine := slices.DeleteFunc(slices.Clone(got), func(id uuid.UUID) bool { return !of(list)(doc{id: id}) })
		require.GreaterOrEqual(t, len(mine), 5, want)
		require.Equal(t, b.nearest(v, len(mine), of(list)), mine, want)
	}
	require.True(t, slices.IsSortedFunc(hits, func(x, y embedding.Hit) int { return map[bool]int{true: 1, false: -1}[x.Similarity < y.Similarity] }))

	only, err := b.api.Similar(b.ctx, embedding.Query{Models: []string{"old"}, Vectors: [][]float32{byOld}}, embedding.Filter{}, nil, 100)
	require.NoError(t, err)
	require.Equal(t, b.nearest(byOld, 100, of(old)), ids(only))
}

func TestStore(t *testing.T) {
	t.Parallel()

	b := open(t)
	r := random(4)
	b.fill(3, "m", r)
	other := b.tenant()
	other.fill(1, "m", r)
	v := vector(r)

	// By version, in the tenant.
	{
		stored, err := b.work.Store(b.ctx, "n", []embedding.Vector{
			{ID: b.docs[2].id, Version: 1, Numbers: v}, {ID: b.docs[1].id, Version: 2, Numbers: v}, {ID: uuid.New(), Version: 1, Numbers: v}, {ID: other.docs[0].id, Version: 1, Numbers: v},
		})
		require.NoError(t, err)
		require.Equal(t, 1, stored)
		for d, want := range map[uuid.UUID]string{b.docs[2].id: "n", b.docs[1].id: "m"} {
			got, err := b.api.Get(b.ctx, d)
			require.NoError(t, err)
			require.Equal(t, want, *got.Model)
		}
		got, err := b.api.Get(b.ctx, b.docs[2].id)
		require.NoError(t, err)
		require.InDelta(t, 1, cosine(got.Numbers, v), 1e-5)
		require.InDelta(t, 1, math.Sqrt(dot(got.Numbers, got.Numbers)), 1e-5, "it has length 1")
	}

	// Nothing, when one is no vector.
	{
		for name, change := range map[string]func(v []float32) []float32{
			"NaN":       func(v []float32) []float32 { v[3] = float32(math.NaN()); return v },
			"infinite":  func(v []float32) []float32 { v[3] = float32(math.Inf(1)); return v },
			"-infinite": func(v []float32) []float32 { v[1535] = float32(math.Inf(-1)); return v },
			"zeros":     func(v []float32) []float32 { clear(v); return v },
		} {
			_, err := b.work.Store(b.ctx, "x", []embedding.Vector{{ID: b.docs[0].id, Version: 1, Numbers: v}, {ID: b.docs[1].id, Version: 1, Numbers: change(slices.Clone(v))}})
			e := errs.From(err)
			require.Equal(t, errs.Validation, e.Code, name)
			require.Equal(t, "embeddings[1]", e.Field, name)
		}
		for field, x := range map[string]struct {
			model string
			list  []embedding.Vector
		}{
			"embeddings": {"x", []embedding.Vector{{ID: b.docs[0].id, Version: 1, Numbers: v[1:]}}},
			"model":      {"", []embedding.Vector{{ID: b.docs[0].id, Version: 1, Numbers: v}}},
		} {
			_, err := b.work.Store(b.ctx, x.model, x.list)
			require.Equal(t, field, errs.From(err).Field)
		}
		got, err := b.api.Get(b.ctx, b.docs[0].id)
		require.NoError(t, err)
		require.Equal(t, "m", *got.Model)
	}

	// Any finite length does.
	{
		for _, scale := range []float32{1e-38, 1e30} {
			v := vector(r)
			w := slices.Clone(v)
			for i := range w {
				w[i] *= scale
			}
			stored, err := b.work.Store(b.ctx, "m", []embedding.Vector{{ID: b.docs[0].id, Version: 1, Numbers: w}})
			require.NoError(t, err)
			require.Equal(t, 1, stored)
			require.Equal(t, b.docs[0].id, b.similar(v, embedding.Filter{}, 1)[0])
		}
	}

	// Not by the API.
	{
		_, err := b.api.Store(b.ctx, "m", []embedding.Vector{{ID: b.docs[0].id, Version: 1, Numbers: v}})
		require.Equal(t, errs.Forbidden, errs.From(err).Code)
	}
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// A change of the text drops the vector through every door, and what is being made of the old text is not stored.
func TestClear(t *testing.T) {
	t.Parallel()

	b := open(t)
	r := random(5)
	b.fill(1, "m", r)
	id := b.docs[0].id
	for name, x := range map[string]struct {
		sql  string
		gone bool
	}{
		"title":             {`UPDATE documents SET title = title || '.' WHERE id = $1`, true},
		"body":              {`UPDATE documents SET body = body || '.' WHERE id = $1`, true},
		"patch_document":    {`SELECT patch_document(tenant_id, id, '{"title": "patched"}') FROM documents WHERE id = $1`, true},
		"update_document":   {`SELECT update_document(id, tenant_id, p_body => 'updated') FROM documents WHERE id = $1`, true},
		"the same text":     {`UPDATE documents SET title = title, body = body WHERE id = $1`, false},
		"something else":    {`SELECT patch_document(tenant_id, id, '{"path": "a.b"}') FROM documents WHERE id = $1`, false},
		"text and a vector": {`UPDATE documents SET title = title || '!', embedding = array_fill(1::real, ARRAY[1536]), embedding_model = 'm' WHERE id = $1`, false},
	} {
		for _, role := range []string{"app_api", "stackforge_owner", "postgres"} {
			text, err := b.work.Text(b.ctx, id)
			require.NoError(t, err)
			stored, err := b.work.Store(b.ctx, "m", []embedding.Vector{{ID: id, Version: text.Version, Numbers: vector(r)}})
			require.NoError(t, err)
			require.Equal(t, 1, stored)
			tx, err := b.conn.Begin(t.Context())
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), `SELECT set_config('app.tenant_id', $1, true), set_config('role', $2, true)`, b.s.TenantID.String(), role)
			require.NoError(t, err)
			_, err = tx.Exec(t.Context(), x.sql+strings.Repeat(" ", len(role)), id)
			require.NoError(t, err, "%s as %s", name, role)
			require.NoError(t, tx.Commit(t.Context()))
			d, err := b.api.Get(b.ctx, id)
			if !x.gone {
				require.NoError(t, err, "%s as %s", name, role)
				require.Equal(t, "m", *d.Model)
				continue
			}
			if name == "patch_document" || name == "update_document" {
				// The same text again, as the next role gives it, is no change.
				_, err := b.conn.Exec(t.Context(), `UPDATE documents SET title = 'another', body = 'another' WHERE id = $1`, id)
				require.NoError(t, err)
			}
			require.Equal(t, errs.Conflict, errs.From(err).Code, "%s as %s", name, role)
			require.Nil(t, d.Model)
			stored, err = b.work.Store(b.ctx, "m", []embedding.Vector{{ID: id, Version: text.Version, Numbers: vector(r)}})
			require.NoError(t, err)
			require.Zero(t, stored, "%s as %s: a vector of the old text", name, role)
		}
	}
}

func TestWhatIsNoVector(t *testing.T) {
	t.Parallel()

	b := open(t)
	b.fill(2, "m", random(6))
	ok := vector(random(7))
	with := func(i int, x float64) []float32 {
		v := slices.Clone(ok)
		v[i] = float32(x)
		return v
	}
	for name, v := range map[string][]float32{
		"none": nil, "short": ok[1:], "long": append(slices.Clone(ok), 1), "NaN": with(0, math.NaN()), "infinite": with(9, math.Inf(1)),
		"-infinite": with(9, math.Inf(-1)), "zeros": make([]float32, 1536), "-0": append(make([]float32, 1535), float32(math.Copysign(0, -1))),
	} {
		_, err := b.api.Similar(b.ctx, embedding.Query{Vectors: [][]float32{v}}, embedding.Filter{}, nil, 10)
		require.Equal(t, errs.Validation, errs.From(err).Code, name)
		require.Equal(t, "vector", errs.From(err).Field, name)
		// SQL judges for itself.
		_, err = b.conn.Exec(t.Context(), `SELECT similar_documents($1, $2, NULL, '{}', NULL, 10)`, b.s.TenantID, v)
		require.ErrorContains(t, err, "ZE400", name)
	}
	_, err := b.api.Similar(b.ctx, embedding.Query{Vectors: [][]float32{ok}}, embedding.Filter{}, nil, 101)
	require.Equal(t, "first", errs.From(err).Field)
	_, err = b.api.Get(b.ctx, uuid.New())
	require.Equal(t, errs.NotFound, errs.From(err).Code)
	_, err = b.d.Connect(t).Exec(t.Context(), `SET ROLE app_api; SELECT set_config('app.tenant_id', '`+b.s.TenantID.String()+`', false);
		SELECT similar_documents('`+uuid.NewString()+`', array_fill(1::real, ARRAY[1536]), NULL, '{}', NULL, 10)`)
	require.ErrorContains(t, err, "42501", "another tenant")
}
