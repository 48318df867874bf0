package pggraphql_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// The two tenants of testdata/rows.sql.
var (
	mine   = uuid.MustParse("00000000-0000-4000-8000-000000000001")
	others = uuid.MustParse("00000000-0000-4000-8000-000000000002")
)

type vars = map[string]any

func scope(id uuid.UUID, scopes []string) tenant.Scope {
	if scopes == nil {
		scopes = []string{"*"}
	}
	return tenant.Scope{TenantID: id, Scopes: scopes}
}

// fixture is a database whose two tenants have the rows of the contract.
func fixture(t *testing.T) *dbtest.DB {
	t.Helper()

	d := dbtest.New(t)
	text, err := os.ReadFile(filepath.Join("testdata", "rows.sql"))
	require.NoError(t, err)
	d.Exec(t, string(text))
	return d
}

// hasExtension reports whether the database has the extension itself.
func hasExtension(t *testing.T, d *dbtest.DB) bool {
	t.Helper()

	var is bool
	require.NoError(t, d.Connect(t).QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_graphql')`).Scan(&is))
	return is
}

// standIn puts a function in the place of the extension's: it gives the recorded answers, tells how it was called, or runs a
// statement and answers an error as graphql.resolve() does.
func standIn(t *testing.T, d *dbtest.DB) {
	t.Helper()

	d.Exec(t, `DROP EXTENSION IF EXISTS pg_graphql CASCADE`)
	text, err := os.ReadFile(filepath.Join("testdata", "stand_in.sql"))
	require.NoError(t, err)
	d.Exec(t, string(text))
}
