package resolvers

import (
	"context"
	"strings"

	"stackforge/graph/model"
	"stackforge/repo/dashboard"
)

func (r *queryRoot) Dashboard(context.Context) (dashboard.Dashboard, error) {
	return dashboard.Dashboard{}, nil // each field is read when it is asked for
}

func (r *dashboardFields) Stats(ctx context.Context, _ *dashboard.Dashboard, fresh bool) (dashboard.Stats, error) {
	return r.Deps.Dashboard.Stats(ctx, fresh)
}

func (r *dashboardFields) Pivot(ctx context.Context, _ *dashboard.Dashboard, months int, fillGaps, fresh bool) ([]dashboard.MonthCount, error) {
	return r.Deps.Dashboard.Pivot(ctx, months, fillGaps, fresh)
}

func (r *dashboardFields) Breakdown(ctx context.Context, _ *dashboard.Dashboard, fresh bool) ([]dashboard.TypeCount, error) {
	return r.Deps.Dashboard.Breakdown(ctx, fresh)
}

func (r *dashboardFields) JobSeries(ctx context.Context, _ *dashboard.Dashboard, bucket model.SeriesBucket, last int, jobType *string) ([]dashboard.SeriesPoint, error) {
	return r.Deps.Dashboard.Series(ctx, dashboard.Bucket(strings.ToLower(string(bucket))), last, jobType)
}

func (r *dashboardFields) JobErrors(ctx context.Context, _ *dashboard.Dashboard, first, days int) ([]dashboard.ErrorGroup, error) {
	return r.Deps.Dashboard.Errors(ctx, days, first)
}

func (r *dashboardFields) Storage(ctx context.Context, _ *dashboard.Dashboard) ([]dashboard.StorageUse, error) {
	return r.Deps.Dashboard.Storage(ctx)
}

func (r *dashboardFields) SearchLatency(ctx context.Context, _ *dashboard.Dashboard) (*dashboard.Latency, error) {
	return r.Deps.SearchLatency(ctx)
}

func (r *mutationRoot) RefreshDashboard(ctx context.Context) (model.RefreshDashboardPayload, error) {
	if err := r.RefreshStats(ctx); err != nil {
		return model.RefreshDashboardPayload{}, err
	}
	s, err := r.Deps.Dashboard.Stats(ctx, false)
	return model.RefreshDashboardPayload{Stats: s}, err
}
