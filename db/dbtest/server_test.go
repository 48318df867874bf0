package dbtest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestDropOld(t *testing.T) {
	t.Parallel()

	s := start(t)
	today := time.Now().UTC().Format(dateLayout)
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(dateLayout)
	suffix := random(4)
	old := []string{"test_20000101_" + suffix, "tpl_20000101_" + suffix}
	kept := []string{"test_" + yesterday + "_" + suffix, "tpl_" + today + "_" + suffix, "testing_20000101_" + suffix}
	for _, name := range append(kept, old...) {
		_, err := s.admin.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0")
		require.NoError(t, err)
	}
	_, err := s.admin.Exec(t.Context(), "ALTER DATABASE "+old[1]+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")
	require.NoError(t, err)

	s.dropOld(t.Context())
	rows, err := s.admin.Query(t.Context(), `SELECT datname FROM pg_database WHERE datname LIKE '%' || $1`, suffix)
	require.NoError(t, err)
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.ElementsMatch(t, kept, left)
	for _, name := range kept {
		require.NoError(t, s.drop(t.Context(), name))
	}
}
