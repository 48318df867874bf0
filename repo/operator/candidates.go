package operator

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"stackforge/db"
)

// use is how a statement uses the columns of one table, in the order in which they were met.
type use struct {
	table   string
	equal   []string
	ranges  []string
	sort    []string
	scanned bool
}

// uses reads the conditions and the order of a plan by table. With VERBOSE every column stands behind the alias of its table.
func uses(root node) []use {
	tables := map[string]*use{} // by alias
	var order []string
	root.walk(func(n *node) {
		if n.Relation == "" || n.Schema == "pg_catalog" || tables[n.Alias] != nil {
			return
		}
		tables[n.Alias] = &use{table: quote(n.Schema) + "." + quote(n.Relation)}
		order = append(order, n.Alias)
	})
	root.walk(func(n *node) {
		for _, text := range []string{n.IndexCond, n.Recheck, n.Filter, n.HashCond, n.MergeCond, n.JoinFilter} {
			for alias, u := range tables {
				u.read(alias, text)
			}
		}
		if u := tables[n.Alias]; u != nil && n.Relation != "" {
			var late use // what is compared only after the rows are read
			late.read(n.Alias, n.Filter)
			u.scanned = u.scanned || len(late.equal)+len(late.ranges) > 0
		}
		for alias, u := range tables {
			u.order(alias, n.SortKey)
		}
	})
	out := make([]use, 0, len(order))
	for _, alias := range order {
		out = append(out, *tables[alias])
	}
	return out
}

// A comparison that a B-tree serves, with a column behind its alias, perhaps cast, on its left or on its right.
var (
	onLeft  = regexp.MustCompile(`(?:^|[^\w."])(\w+|"[^"]+")\.(\w+|"[^"]+")(?:\)?::[a-z ]+)? (=|<=|>=|<|>) `)
	onRight = regexp.MustCompile(` (=|<=|>=|<|>) (\w+|"[^"]+")\.(\w+|"[^"]+")`)
)

func (u *use) read(alias, text string) {
	for _, m := range onLeft.FindAllStringSubmatch(text, -1) {
		if bare(m[1]) == alias {
			u.add(m[2], m[3])
		}
	}
	for _, m := range onRight.FindAllStringSubmatch(text, -1) {
		if bare(m[2]) == alias {
			u.add(m[3], m[1])
		}
	}
}

func (u *use) add(column, operator string) {
	column = bare(column)
	switch {
	case operator == "=" && !slices.Contains(u.equal, column):
		u.equal = append(u.equal, column)
		u.ranges = slices.DeleteFunc(u.ranges, func(c string) bool { return c == column })
	case operator != "=" && !slices.Contains(u.equal, column) && !slices.Contains(u.ranges, column):
		u.ranges = append(u.ranges, column)
	}
}

// order takes a sort key when it is made of columns of the table only.
func (u *use) order(alias string, keys []string) {
	if len(keys) == 0 || len(u.sort) > 0 {
		return
	}
	var out []string
	for _, k := range keys {
		rest, desc := strings.CutSuffix(k, " DESC")
		column, ok := strings.CutPrefix(rest, quote(alias)+".")
		if !ok || strings.ContainsAny(column, " ().:") {
			return
		}
		column = quote(bare(column))
		if desc {
			column += " DESC"
		}
		out = append(out, column)
	}
	u.sort = out
}

func bare(name string) string { return strings.Trim(name, `"`) }

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func quote(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return pgx.Identifier{name}.Sanitize()
}

// columnLists returns the columns of the indexes that might serve, the most promising first: what is equal, the tenant in
// front, then the order or one range; then each alone. Where a tenant is asked for, it leads every index, as it does
// everywhere in this schema.
func (u *use) columnLists() [][]string {
	equal := slices.Clone(u.equal)
	slices.SortStableFunc(equal, func(a, b string) int {
		return rank(a) - rank(b)
	})
	for i, c := range equal {
		equal[i] = quote(c)
	}
	var out [][]string
	add := func(columns ...string) {
		if len(columns) > 0 && len(columns) <= 6 && !slices.ContainsFunc(out, func(o []string) bool { return slices.Equal(o, columns) }) {
			out = append(out, columns)
		}
	}
	if len(u.sort) > 0 {
		add(slices.Concat(equal, u.sort)...)
	}
	for _, c := range u.ranges {
		add(append(slices.Clone(equal), quote(c))...)
	}
	add(equal...)
	var lead []string
	if len(equal) > 0 && equal[0] == tenantColumn {
		lead = equal[:1]
	}
	for _, c := range slices.Concat(equal[len(lead):], u.ranges) {
		add(append(slices.Clone(lead), quote(bare(c)))...)
	}
	if len(lead) == 0 {
		add(u.sort...)
	}
	return out
}

const tenantColumn = "tenant_id"

func rank(column string) int {
	if column == tenantColumn {
		return 0
	}
	return 1
}

// candidates returns the indexes to try for a plan, without those that are there already.
func (a *advisor) candidates(ctx context.Context, plan node) ([]candidate, error) {
	found := uses(plan)
	tables := make([]string, len(found))
	for i, u := range found {
		tables[i] = u.table
	}
	type known struct {
		Tbl     string
		Parent  string
		Indexes []string
	}
	list, err := db.List[known](ctx, a.tx, `
		-- name: operator.Indexes
		SELECT n.name AS tbl,
		       CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::regclass::text ELSE c.oid::regclass::text END AS parent,
		       ARRAY(
		           SELECT (SELECT string_agg(quote_ident(k.attname), ',' ORDER BY k.attnum) FROM pg_attribute k WHERE k.attrelid = i.indexrelid)
		           FROM pg_index i
		           JOIN pg_class x ON x.oid = i.indexrelid
		           JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
		           WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL) AS indexes
		FROM unnest(@tables::text[]) AS n (name)
		JOIN pg_class c ON c.oid = to_regclass(n.name)`,
		pgx.NamedArgs{"tables": tables})
	if err != nil {
		return nil, err
	}
	var out []candidate
	for _, u := range found {
		at := slices.IndexFunc(list, func(k known) bool { return k.Tbl == u.table })
		if at < 0 {
			continue
		}
		for _, columns := range u.columnLists() {
			if len(out) < maxCandidates && !exists(list[at].Indexes, columns) {
				out = append(out, candidate{table: u.table, parent: list[at].Parent, columns: columns, scanned: u.scanned})
			}
		}
	}
	return out, nil
}

// exists reports whether an index begins with the columns. That it is in another direction does not matter to one column.
func exists(indexes, columns []string) bool {
	plain := make([]string, len(columns))
	for i, c := range columns {
		plain[i] = strings.TrimSuffix(c, " DESC")
	}
	want := strings.Join(plain, ",")
	return slices.ContainsFunc(indexes, func(have string) bool { return have == want || strings.HasPrefix(have, want+",") })
}
