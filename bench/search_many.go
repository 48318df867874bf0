package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Sizes of the many tenants.
const (
	manyDocuments = 1000 // of each
	manyWords     = 8000 // what small tenants write about needs fewer words
	manyAsked     = 20   // tenants that are asked in turn
	manyVectors   = 20   // tenants with vectors
	manyBlock     = 50   // tenants whose documents are written side by side
)

// manyTenants compares a tenant alone in a database with the same tenant among many.
func (b *bench) manyTenants(ctx context.Context) error {
	lane := b.lanes[0]
	words := lexicon()[:manyWords]
	alone, err := b.lane(ctx, lane, "bench_search_alone", manyDocuments, manyDocuments, words)
	if err != nil {
		return err
	}
	defer alone.close(ctx)
	many, err := b.lane(ctx, lane, "bench_search_many", manyDocuments, manyDocuments, words)
	if err != nil {
		return err
	}
	defer many.close(ctx)
	tenants, err := many.grow(ctx, b)
	if err != nil {
		return fmt.Errorf("add tenants: %w", err)
	}
	return b.compareTenants(ctx, alone, many, tenants)
}

// compareTenants asks the tenant that is alone and the others in turn, which have the same documents.
func (b *bench) compareTenants(ctx context.Context, alone, many *lane, tenants []uuid.UUID) error {
	list, err := alone.questions(ctx)
	if err != nil {
		return err
	}
	lists, err := many.questions(ctx) // for ids of its own
	if err != nil {
		return err
	}
	one, err := alone.meter(ctx, nil)
	if err != nil {
		return err
	}
	defer one.close(context.WithoutCancel(ctx))
	all, err := many.meter(ctx, nil)
	if err != nil {
		return err
	}
	defer all.close(context.WithoutCancel(ctx))
	part := "search " + many.name + ", many"
	for i, q := range list {
		single, err := one.ask(ctx, q)
		if err != nil {
			return err
		}
		probe := all.turns(ctx, lists[i], tenants)
		if err := measure(ctx, b.each()/2, single.sql, probe); err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		ratio := float64(probe.p50()) / float64(single.sql.p50())
		b.report.bound(part, q.name, probe.String(), "alone: "+single.sql.String(), fmt.Sprintf("%.2f", ratio), fmt.Sprintf("≤ %.1f", manyBar), ratio <= manyBar)
	}
	return nil
}

// turns asks the tenants in turn. Only the first has vectors.
func (m *meter) turns(ctx context.Context, q question, tenants []uuid.UUID) *probe {
	if q.vector() {
		tenants = tenants[:1]
	}
	statements := make([]statement, forms)
	for i := range statements {
		statements[i] = q.statement(m.lane, i)
		statements[i].args = slices.Clone(statements[i].args)
		statements[i].args[0] = tenants[i%len(tenants)]
	}
	return &probe{
		prepare: func(i int) error {
			_, err := m.api.Exec(ctx, "SELECT set_config('app.tenant_id', $1, false)", tenants[i%forms%len(tenants)].String())
			return err
		},
		run: func(i int) error { return statements[i%forms].run(ctx, m.api) },
	}
}

// grow adds tenants: some with vectors and texts of their own, loaded as the first was, and the rest with copies of
// documents and vocabulary of the first. It returns the first and some of those that have the same documents.
func (l *lane) grow(ctx context.Context, b *bench) ([]uuid.UUID, error) {
	first := l.tenant
	begin := time.Now()
	makes, err := l.dropIndexes(ctx, "documents", "core.search_words")
	if err != nil {
		return nil, err
	}
	if _, err := l.owner.Exec(ctx, "SET session_replication_role = replica; SET maintenance_work_mem = '1GB'"); err != nil {
		return nil, err
	}
	var embedded, tenants []uuid.UUID
	for n := 1; n < b.many; {
		size := min(manyBlock, b.many-n)
		if n == 1 {
			size = manyVectors - 1
		}
		block, err := l.addTenants(ctx, size)
		if err != nil {
			return nil, err
		}
		n += size
		if len(embedded) == 0 {
			embedded = block
			for i, t := range block {
				if err := l.loadAnother(ctx, t, uint64(i)+1); err != nil {
					return nil, err
				}
			}
			continue
		}
		tenants = append(tenants, block...)
		if err := l.copyTenant(ctx, first, block); err != nil {
			return nil, err
		}
		b.logf("%d tenants, %s", n, time.Since(begin).Round(time.Second))
	}
	written := time.Since(begin)
	for _, sql := range makes {
		if _, err := l.owner.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("%s: %w", sql, err)
		}
		b.logf("%.60s…, %s", sql, time.Since(begin).Round(time.Second))
	}
	indexed := time.Since(begin)
	if _, err := l.owner.Exec(ctx, "SET session_replication_role = origin"); err != nil {
		return nil, err
	}
	for _, t := range embedded {
		if _, err := l.owner.Exec(ctx, "SELECT rebuild_search_words($1)", t); err != nil {
			return nil, err
		}
	}
	rebuilt := time.Since(begin) - indexed
	if _, err := l.fold(ctx); err != nil {
		return nil, err
	}
	var documents, words int
	var size string
	if err := l.owner.QueryRow(ctx, "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM core.search_words), pg_size_pretty(pg_database_size(current_database()))").Scan(&documents, &words, &size); err != nil {
		return nil, err
	}
	b.report.note("search "+l.name+", many", "load: rows, then indexes", seconds(written)+", "+seconds(indexed-written),
		fmt.Sprintf("%s documents, %s words, %s; rebuild_search_words %s a tenant", count(float64(documents)), count(float64(words)), size, fine(rebuilt/time.Duration(len(embedded)))), "")
	step := max(1, len(tenants)/(manyAsked-1))
	out := []uuid.UUID{first}
	for i := 0; i < len(tenants) && len(out) < manyAsked; i += step {
		out = append(out, tenants[i])
	}
	return out, nil
}

// addTenants adds tenants with the users of the first.
func (l *lane) addTenants(ctx context.Context, n int) ([]uuid.UUID, error) {
	rows, err := l.owner.Query(ctx, "INSERT INTO tenants (name) SELECT 'more' FROM generate_series(1, $1::int) RETURNING id", n)
	if err != nil {
		return nil, err
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, err
	}
	_, err = l.owner.Exec(ctx, "INSERT INTO app_users (tenant_id, id, email) SELECT t, u.id, u.email FROM app_users u, unnest($2::uuid[]) AS t WHERE u.tenant_id = $1", l.tenant, out)
	return out, err
}

// loadAnother loads documents with other texts and vectors for a tenant.
func (l *lane) loadAnother(ctx context.Context, tenant uuid.UUID, seed uint64) error {
	other := *l
	other.dataset = &dataset{url: l.url, tenant: tenant}
	other.corpus = newCorpus(l.corpus.documents, l.corpus.words, l.corpus.vectors)
	other.corpus.seed(seed)
	return other.copyIn(ctx)
}

// copyTenant copies documents and vocabulary of a tenant to others, the documents of all side by side, as time mixes them.
// Vectors are not copied: an index of the same ones over and over is none.
func (l *lane) copyTenant(ctx context.Context, from uuid.UUID, to []uuid.UUID) error {
	for table, order := range map[string]string{"documents": "ORDER BY x.created_at DESC, t", "core.search_words": "ORDER BY t", "core.search_tenants": ""} {
		var columns string
		if err := l.owner.QueryRow(ctx, `
			SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
			WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''
			  AND attname NOT IN ('tenant_id', 'id', 'embedding', 'embedding_model')`, table).Scan(&columns); err != nil {
			return err
		}
		sql := fmt.Sprintf("INSERT INTO %s (tenant_id, %s) SELECT t, %s FROM %[1]s x, unnest($2::uuid[]) AS t WHERE x.tenant_id = $1 %[4]s",
			table, columns, "x."+strings.ReplaceAll(columns, ", ", ", x."), order)
		if _, err := l.owner.Exec(ctx, sql, from, to); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	return nil
}
