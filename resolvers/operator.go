package resolvers

import (
	"context"

	"stackforge/repo/operator"
)

func (r *queryRoot) SlowQueries(ctx context.Context, first int) ([]operator.SlowQuery, error) {
	return r.Operator.SlowQueries(ctx, first)
}

func (r *queryRoot) IndexAdvice(ctx context.Context, query string) (operator.Advice, error) {
	return r.Operator.Advise(ctx, query)
}

func (r *queryRoot) TableSizes(ctx context.Context, first int) ([]operator.TableSize, error) {
	return r.Operator.TableSizes(ctx, first)
}

func (r *queryRoot) AuditSettings(ctx context.Context) (operator.AuditSettings, error) {
	return r.Operator.AuditSettings(ctx)
}

func (r *queryRoot) Partitions(ctx context.Context) ([]operator.Partitions, error) {
	return r.Operator.Partitions(ctx)
}

func (r *queryRoot) MaintenanceRuns(ctx context.Context, first int, task *string) ([]operator.Run, error) {
	return r.Operator.Runs(ctx, first, task)
}
