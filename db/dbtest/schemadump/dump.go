package main

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

const header = `-- GENERATED from the migrations by ` + "`make generate`" + `: the schema as it is now, for reading. Do not edit, do not run.
-- Extensions: contrib only (see the variants in functions/). Partitions named by a date are left out.
`

// Each statement returns blocks of text (column text) in the order of the file.
var (
	//go:embed tables.sql
	tablesSQL string
	//go:embed objects.sql
	objectsSQL string
	//go:embed functions.sql
	functionsSQL string
)

// dump returns the schemas public, core and graphql_api of the database as text.
func dump(ctx context.Context, conn *pgx.Conn) (string, error) {
	// Names are printed without their schema where the path leads to them.
	if _, err := conn.Exec(ctx, `SET search_path = public; SET quote_all_identifiers = off`); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(header)
	for _, part := range []struct{ title, sql string }{
		{"Extensions, sequences, text search", objectsSQL},
		{"Tables and views", tablesSQL},
		{"Functions", functionsSQL},
	} {
		rows, err := conn.Query(ctx, part.sql)
		if err != nil {
			return "", err
		}
		blocks, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return "", fmt.Errorf("%s: %w", part.title, err)
		}
		fmt.Fprintf(&b, "\n-- %s %s\n", part.title, strings.Repeat("-", 116-len(part.title)))
		for _, block := range blocks {
			b.WriteString("\n" + block + "\n")
		}
	}
	return b.String(), nil
}
