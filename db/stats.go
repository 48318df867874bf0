package db

import "context"

// ServerStats is what the server says about this database.
type ServerStats struct {
	CacheHitRatio float64 // of all blocks read, 0 to 1
	Relations     []Relation
}

// Relation is the size on disk of a table, with its TOAST and the partitions below it, or of an index.
type Relation struct {
	Name    string `db:"name"`
	IsIndex bool   `db:"is_index"`
	Bytes   int64  `db:"bytes"`
}

// Stats reads sizes and the cache hit ratio. It looks at every relation of the schema: ask once a minute, not on each request.
func Stats(ctx context.Context, h Handle) (ServerStats, error) {
	type ratio struct {
		Ratio float64 `db:"ratio"`
	}
	r, err := Get[ratio](ctx, Read(h), "database", `
		-- name: db.CacheHitRatio
		SELECT coalesce(blks_hit::float8 / nullif(blks_hit + blks_read, 0), 1) AS ratio
		FROM pg_stat_database
		WHERE datname = current_database()`)
	if err != nil {
		return ServerStats{}, err
	}
	list, err := List[Relation](ctx, Read(h), `
		-- name: db.RelationSizes
		SELECT c.relname AS name, c.relkind IN ('i', 'I') AS is_index,
		       CASE WHEN c.relkind IN ('p', 'I')
		           THEN (SELECT coalesce(sum(CASE WHEN c.relkind = 'p' THEN pg_table_size(t.relid) ELSE pg_relation_size(t.relid) END), 0)
		                 FROM pg_partition_tree(c.oid) t)
		           WHEN c.relkind = 'i' THEN pg_relation_size(c.oid)
		           ELSE pg_table_size(c.oid) END::bigint AS bytes
		FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'i', 'I') AND NOT c.relispartition
		  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
		ORDER BY c.relname`)
	return ServerStats{CacheHitRatio: r.Ratio, Relations: list}, err
}
