package migrations_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/repo/dashboard"
)

// dashboardPages are the statements of dashboards that are asked for often. Breakdown and pivot, which count for a small tenant
// and add up for a large one, are shown at a size of their own.
func dashboardPages(t *testing.T, d *dbtest.DB, size scale, api *db.DB) []page {
	t.Helper()

	d.Exec(t, `SELECT refresh_tenant_document_stats()`)
	d.Exec(t, `ANALYZE tenant_document_stats`)
	const days = 7
	board := dashboard.New(api)
	week := days*size.Jobs/365 + 1 // jobs that ended within days, of all tenants
	return []page{
		{
			name: "dashboard.Stats", nodes: "tenant_document_stats",
			story: "One probe of the materialized view, however many documents there are. Its age is in the answer.",
			hot: []hot{{
				title: "the counts of the last refresh", index: []string{"tenant_document_stats_tenant_id_key"}, rows: 1,
				run: func(ctx context.Context) error {
					got, err := board.Stats(ctx, false)
					require.Equal(t, size.Documents, int(got.DocumentCount))
					return err
				},
			}},
		},
		{
			name: "dashboard.Series", nodes: "jobs",
			story: "A range of `ix_jobs_finished_ended` (tenant, finished_at): what ended within the time that is asked for, in the partitions of its months, " +
				"so that the cost grows with what is shown and not with what is kept.",
			hot: []hot{{
				title: "the last week by day", index: []string{"jobs_finished_.*tenant_id_finished_at_idx"}, rows: week,
				run: func(ctx context.Context) error {
					got, err := board.Series(ctx, dashboard.Day, days, nil)
					require.NotEmpty(t, got)
					return err
				},
			}},
		},
		{
			name: "dashboard.Errors", nodes: "jobs",
			story: "A range of `ix_jobs_finished_failed` (tenant, finished_at) of failed jobs only. What succeeded is never met, and of a flood of failures the " +
				"last 10,000 are read.",
			hot: []hot{{
				title: "the errors of the last week", index: []string{"jobs_finished_.*tenant_id_finished_at_type_idx"}, rows: week,
				run: func(ctx context.Context) error {
					got, err := board.Errors(ctx, days, 10)
					require.NotEmpty(t, got)
					return err
				},
			}},
		},
	}
}
