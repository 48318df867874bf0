package db

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Extensions says which extensions Migrate creates.
type Extensions string

// Auto uses what the server offers; Contrib uses only what comes with every PostgreSQL.
const (
	ExtensionsAuto    Extensions = "auto"
	ExtensionsContrib Extensions = "contrib"
)

// extension is one that the product can use.
type extension struct {
	name     string
	required bool // comes with every PostgreSQL, and its owner may create it
	contrib  bool
	preload  string // library that must be preloaded, "" for none
	role     string // of the extension, which the owner must be a member of to use it; "" for none
	never    bool   // is told of, and not created
	owned    bool   // stackforge_owner makes its own objects in the extension's schema, which has the extension's name
	schema   string // of the extension, in which stackforge_owner makes objects, and which the roles of the API and of readers use; "" for none
	fallback string // what answers without it
}

// known lists the extensions in the order in which they are created.
func known() []extension {
	return []extension{
		{name: "pg_trgm", required: true, contrib: true},
		{name: "citext", required: true, contrib: true},
		{name: "unaccent", required: true, contrib: true},
		{name: "hstore", required: true, contrib: true},
		{name: "ltree", required: true, contrib: true},
		{name: "btree_gin", required: true, contrib: true},
		{name: "btree_gist", required: true, contrib: true},
		{name: "fuzzystrmatch", required: true, contrib: true},
		{name: "intarray", required: true, contrib: true},
		{name: "tablefunc", required: true, contrib: true},
		{name: "cube", required: true, contrib: true},
		{name: "pgcrypto", required: true, contrib: true},
		{name: "pg_stat_statements", contrib: true, preload: "pg_stat_statements", fallback: "timings of /metrics"},
		{name: "postgis", fallback: "points on the unit sphere (contrib cube)"},
		{name: "vector", fallback: "real[] and an exact cosine in SQL"},
		{name: "pg_jsonschema", fallback: "our own validator in SQL"},
		{name: "hypopg", fallback: "index advice that tries no index"},
		// It answers what our own advice on hypopg does.
		{name: "index_advisor", never: true, fallback: "our own index advice"},
		// The library audits without the extension, which only names objects in the lines of DDL. With the extension, every
		// DDL of the database fails on a server that was started without the library.
		{name: "pgaudit", never: true, preload: "pgaudit", fallback: "the server's log of statements"},
		// Two kinds of partition keeping in one database would meet on the same tables.
		{name: "pg_partman", never: true, fallback: "our own partitions, by core.partition_config"},
		{name: "pgsodium", preload: "pgsodium", role: "pgsodium_keyiduser", fallback: "payloads are encrypted by the API and the worker"},
		{name: "pgmq", owned: true, fallback: "the same calls, in a schema pgmq of our own"},
		{name: "pg_cron", preload: "pg_cron", fallback: "the worker's scheduler"},
		{name: "pg_graphql", schema: "graphql", fallback: "501 for operations in its dialect; our own GraphQL is not touched"},
	}
}

// Capability is one extension as this database has it.
type Capability struct {
	Name      string `db:"name"`
	Available bool   `db:"available"` // the server could create it
	Installed bool   `db:"installed"` // this database uses it
	Version   string `db:"version"`   // installed, else available version; "" when there is none
	Fallback  string `db:"-"`         // what answers instead
}

// Capabilities asks which of the known extensions the server and this database have.
func Capabilities(ctx context.Context, h Handle) ([]Capability, error) {
	var names []string
	fallback := map[string]string{}
	for _, e := range known() {
		names = append(names, e.name)
		fallback[e.name] = e.fallback
	}
	list, err := List[Capability](ctx, Read(h), `
		-- name: db.Capabilities
		SELECT n.name,
		       a.name IS NOT NULL AS available,
		       e.extname IS NOT NULL AS installed,
		       coalesce(e.extversion, a.default_version, '') AS version
		FROM unnest(@names::text[]) WITH ORDINALITY AS n (name, ord)
		LEFT JOIN pg_available_extensions a ON a.name = n.name
		LEFT JOIN pg_extension e ON e.extname = n.name
		ORDER BY n.ord`, pgx.NamedArgs{"names": names})
	for i := range list {
		list[i].Fallback = fallback[list[i].Name]
	}
	return list, err
}

// createExtensions creates what is missing and returns the names this database has. Only a required one can fail.
func createExtensions(ctx context.Context, c *pgx.Conn, mode Extensions) (map[string]bool, error) {
	have := map[string]bool{}
	for _, e := range known() {
		if e.never || mode == ExtensionsContrib && !e.contrib {
			continue
		}
		ok, err := createExtension(ctx, c, e)
		if ok && err == nil && e.role != "" {
			err = joinRole(ctx, c, e.role)
		}
		if err != nil && e.required {
			return nil, fmt.Errorf("extension %s is required (it comes with PostgreSQL's contrib package): %w", e.name, err)
		}
		have[e.name] = ok && err == nil
	}
	return have, nil
}

func createExtension(ctx context.Context, c *pgx.Conn, e extension) (bool, error) {
	var available, installed, preloaded, cronHere bool
	// Only some may read what is preloaded and where pg_cron works; to the others, what is installed counts as preloaded.
	err := c.QueryRow(ctx, `
		SELECT a.here, i.here,
		       CASE WHEN $2 = '' THEN true
		            WHEN NOT m.may THEN i.here
		            ELSE $2 = ANY (string_to_array(replace(current_setting('shared_preload_libraries'), ' ', ''), ',')) END,
		       CASE WHEN m.may THEN coalesce(current_setting('cron.database_name', true), '') = current_database() ELSE i.here END
		FROM (SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1) AS here) a,
		     (SELECT EXISTS (SELECT FROM pg_extension WHERE extname = $1) AS here) i,
		     (SELECT pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') AS may) m`,
		e.name, e.preload).Scan(&available, &installed, &preloaded, &cronHere)
	switch {
	case err != nil:
		return false, err
	case installed && e.owned:
		return preloaded, shareExtension(ctx, c, e)
	case installed && e.schema != "":
		return preloaded, openSchema(ctx, c, e.schema)
	case installed:
		return preloaded, nil
	case !available && e.required:
		return false, fmt.Errorf("the server does not have it")
	case !available, !preloaded, e.name == "pg_cron" && !cronHere:
		return false, nil
	}
	// PostGIS refuses to be created while pgaudit logs; only a superuser may and need change that.
	sql := "CREATE EXTENSION IF NOT EXISTS " + pgx.Identifier{e.name}.Sanitize()
	if e.name == "postgis" {
		sql = "SET pgaudit.log = 'none';" + sql + ";RESET pgaudit.log"
		if !strings.Contains(preloads(ctx, c), "pgaudit") {
			sql = "CREATE EXTENSION IF NOT EXISTS postgis"
		}
	}
	if e.owned {
		sql = "SET ROLE stackforge_owner;" + sql + ";RESET ROLE"
	}
	if _, err := c.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		return false, err // a managed server may refuse: then the fallback answers
	}
	if e.schema != "" {
		return true, openSchema(ctx, c, e.schema)
	}
	return true, nil
}

// openSchema lets our roles use the schema of an extension that only a superuser can create, unless they may already.
func openSchema(ctx context.Context, c *pgx.Conn, schema string) error {
	var may bool
	err := c.QueryRow(ctx, `
		SELECT has_schema_privilege('stackforge_owner', $1, 'CREATE')
		   AND bool_and(has_schema_privilege(r, $1, 'USAGE'))
		FROM unnest(ARRAY['stackforge_owner', 'app_api', 'app_worker', 'app_readonly', 'app_graphql']) r`, schema).Scan(&may)
	if err != nil || may {
		return err
	}
	name := pgx.Identifier{schema}.Sanitize()
	_, err = c.Exec(ctx, "GRANT USAGE, CREATE ON SCHEMA "+name+" TO stackforge_owner; "+
		"GRANT USAGE ON SCHEMA "+name+" TO app_api, app_worker, app_readonly, app_graphql", pgx.QueryExecModeSimpleProtocol)
	return err
}

// joinRole makes the owner a member of a role, for which one must be a superuser, unless it is.
func joinRole(ctx context.Context, c *pgx.Conn, role string) error {
	var member bool
	if err := c.QueryRow(ctx, `SELECT pg_has_role($1, $2, 'USAGE')`, string(RoleOwner), role).Scan(&member); err != nil || member {
		return err
	}
	_, err := c.Exec(ctx, "GRANT "+pgx.Identifier{role}.Sanitize()+" TO "+pgx.Identifier{string(RoleOwner)}.Sanitize())
	return err
}

// shareExtension lets stackforge_owner use an extension that somebody else may have created.
func shareExtension(ctx context.Context, c *pgx.Conn, e extension) error {
	var may bool
	err := c.QueryRow(ctx, `SELECT has_schema_privilege('stackforge_owner', $1, 'CREATE')`, e.name).Scan(&may)
	if err != nil || may {
		return err
	}
	schema := pgx.Identifier{e.name}.Sanitize()
	_, err = c.Exec(ctx, "GRANT ALL ON SCHEMA "+schema+" TO stackforge_owner; GRANT ALL ON ALL TABLES IN SCHEMA "+schema+" TO stackforge_owner; "+
		"GRANT ALL ON ALL SEQUENCES IN SCHEMA "+schema+" TO stackforge_owner", pgx.QueryExecModeSimpleProtocol)
	return err
}

func preloads(ctx context.Context, c *pgx.Conn) string {
	var s string
	if err := c.QueryRow(ctx, `SELECT current_setting('shared_preload_libraries')`).Scan(&s); err != nil {
		return ""
	}
	return s
}
