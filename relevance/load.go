package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"stackforge/app"
	"stackforge/db"
	"stackforge/migrations"
	"stackforge/repo/search"
	"stackforge/seed"
	"stackforge/tenant"
)

// store is a database of the run's own.
type store struct {
	admin, name        string // URL of the server, and what to drop
	api, owner, worker *db.DB

	tenants map[string]uuid.UUID            // by collection
	keys    map[string]map[uuid.UUID]string // by collection: document to the id that the judgements use
}

// open makes a migrated database.
func open(ctx context.Context, o options) (_ *store, err error) {
	s := &store{admin: o.database, name: "relevance_" + strconv.Itoa(os.Getpid()), tenants: seedTenants(), keys: map[string]map[uuid.UUID]string{}}
	u, err := url.Parse(o.database)
	if err != nil {
		return nil, err
	}
	u.Path = "/" + s.name
	if err := execute(ctx, s.admin, "CREATE DATABASE "+s.name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = s.close(context.WithoutCancel(ctx))
		}
	}()
	config := db.Config{URL: u.String(), MaxConns: 2, MinConns: -1}
	if _, err := db.Migrate(ctx, db.MigrateConfig{Config: config, Extensions: o.extensions()}, migrations.FS); err != nil {
		return nil, err
	}
	if o.sql != "" {
		text, err := os.ReadFile(o.sql)
		if err != nil {
			return nil, err
		}
		if err := execute(ctx, config.URL, string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", o.sql, err)
		}
	}
	for role, into := range map[db.Role]**db.DB{db.RoleAPI: &s.api, db.RoleOwner: &s.owner, db.RoleWorker: &s.worker} {
		config.Role = role
		if *into, err = db.Open(ctx, config); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// close drops the database.
func (s *store) close(ctx context.Context) error {
	for _, h := range []*db.DB{s.api, s.owner, s.worker} {
		if h != nil {
			h.Close(time.Second)
		}
	}
	return execute(ctx, s.admin, "DROP DATABASE "+s.name+" WITH (FORCE)")
}

func execute(ctx context.Context, server, sql string) error {
	c, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	_, err = c.Exec(ctx, sql)
	return err
}

// load fills the database: the seed, the packages as one more tenant, the counts of the vocabulary, and every document's
// vector.
func (s *store) load(ctx context.Context, set set) error {
	if _, err := seed.Run(ctx, s.owner, seed.Options{Log: zerolog.Nop()}); err != nil {
		return err
	}
	if err := s.loadPackages(ctx, set.packages); err != nil {
		return err
	}
	embedder := app.NewEmbedder(s.worker, app.Local{})
	for collection, id := range s.tenants {
		if _, err := db.Exec(ctx, s.owner, `
			-- name: relevance.Vocabulary
			SELECT rebuild_search_words($1)`, id); err != nil {
			return err
		}
		in := tenant.With(ctx, tenant.Scope{TenantID: id, Scopes: []string{"*"}})
		type row struct {
			ID  uuid.UUID `db:"id"`
			Key string    `db:"key"`
		}
		rows, err := db.List[row](in, s.owner, `
			-- name: relevance.Documents
			SELECT id, coalesce(external_id, id::text) AS key FROM documents WHERE tenant_id = $1`, id)
		if err != nil {
			return err
		}
		s.keys[collection] = map[uuid.UUID]string{}
		for _, r := range rows {
			s.keys[collection][r.ID] = r.Key
			if _, err := embedder.Document(in, r.ID); err != nil {
				return err
			}
		}
	}
	_, err := db.Exec(ctx, s.owner, `
		-- name: relevance.Analyze
		ANALYZE documents`)
	return err
}

func (s *store) loadPackages(ctx context.Context, lines []string) error {
	type made struct {
		Tenant  uuid.UUID `db:"tenant"`
		Created int       `db:"created"`
	}
	m, err := db.Get[made](ctx, s.owner, "tenant", `
		-- name: relevance.Tenant
		SELECT t.id AS tenant, 0 AS created FROM create_tenant('Debian') t`)
	if err != nil {
		return err
	}
	s.tenants[debian] = m.Tenant
	m, err = db.Get[made](ctx, s.owner, "import", `
		-- name: relevance.Packages
		SELECT $1::uuid AS tenant, i.created
		FROM create_user($1, 'reader@debian.example') u, import_documents($1, u.id, $2) i`, m.Tenant, lines)
	if err == nil && m.Created != len(lines) {
		err = fmt.Errorf("%d of %d packages were created", m.Created, len(lines))
	}
	return err
}

// answer is what a mode found for a query.
type answer struct {
	mode  string
	need  *need
	query query
	hits  []string // ids as in the judgements, best first
	figure
}

// ask runs every query in every mode.
func (s *store) ask(ctx context.Context, set set) ([]answer, error) {
	var out []answer
	searcher := app.NewSearcher(search.New(s.api), app.NewEmbedder(s.worker, app.Local{}))
	for i := range set.needs {
		n := &set.needs[i]
		in := tenant.With(ctx, tenant.Scope{TenantID: s.tenants[n.Collection], Scopes: []string{"*"}})
		for _, q := range n.Queries {
			for _, m := range modes() {
				page, err := searcher.Search(in, search.Params{Query: &q.Text, Mode: m.sql, Language: cmp.Or(q.Language, "en"), First: depth})
				if err != nil {
					return nil, fmt.Errorf("%s of %q: %w", m.name, q.Text, err)
				}
				a := answer{mode: m.name, need: n, query: q}
				var grades []int
				for _, h := range page.Hits {
					key := s.keys[n.Collection][h.Document.ID]
					a.hits = append(a.hits, key)
					grades = append(grades, n.Relevant[key])
				}
				a.figure = figure{NDCG: ndcg(grades, n.judged()), MRR: reciprocal(grades)}
				out = append(out, a)
			}
		}
	}
	return out, nil
}
