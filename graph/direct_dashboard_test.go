package graph_test

import (
	"context"

	"stackforge/graph"
	"stackforge/graph/model"
	"stackforge/repo/dashboard"
	"stackforge/repo/operator"
)

// The query dashboard, too, has the name of its type; see direct_settings_test.go.
type dashboardAnswers struct{}

func (f *fake) Dashboard() graph.DashboardResolver { return dashboardAnswers{} }

func (fakeQuery) Dashboard(context.Context) (dashboard.Dashboard, error) {
	return dashboard.Dashboard{}, nil
}

func (brokenQuery) Dashboard(context.Context) (dashboard.Dashboard, error) {
	return dashboard.Dashboard{}, nil
}

func someStats() dashboard.Stats {
	return dashboard.Stats{TenantID: id(1), DocumentCount: 1 << 40, UpdatedAt: &moment}
}

func (dashboardAnswers) Stats(context.Context, *dashboard.Dashboard, bool) (dashboard.Stats, error) {
	return someStats(), nil
}

func (dashboardAnswers) Pivot(context.Context, *dashboard.Dashboard, int, bool, bool) ([]dashboard.MonthCount, error) {
	return []dashboard.MonthCount{{Month: "2026-01", Count: 2}, {Month: "2026-03", Count: 1}}, nil
}

func (dashboardAnswers) Breakdown(context.Context, *dashboard.Dashboard, bool) ([]dashboard.TypeCount, error) {
	return []dashboard.TypeCount{{Type: "t", Pending: 1, Done: 3, Failed: 4}}, nil
}

func (dashboardAnswers) JobSeries(context.Context, *dashboard.Dashboard, model.SeriesBucket, int, *string) ([]dashboard.SeriesPoint, error) {
	return []dashboard.SeriesPoint{{At: moment, Type: "t", Done: 1, Failed: 2, WaitP50: new(0.5), RunP95: new(2.25)}}, nil
}

func (dashboardAnswers) JobErrors(context.Context, *dashboard.Dashboard, int, int) ([]dashboard.ErrorGroup, error) {
	return []dashboard.ErrorGroup{{Type: "t", Pattern: "<n>", Count: 2, LastAt: moment, LastJobID: 7, Example: "\"5\""}}, nil
}

func (dashboardAnswers) Storage(context.Context, *dashboard.Dashboard) ([]dashboard.StorageUse, error) {
	return []dashboard.StorageUse{{Kind: "jobs", Rows: 1, Bytes: 2, IsEstimate: true}}, nil
}

func (dashboardAnswers) SearchLatency(context.Context, *dashboard.Dashboard) (*dashboard.Latency, error) {
	return &dashboard.Latency{Since: moment, Count: 1 << 40, P50: 0.5, P95: 2.25, Max: 1e3}, nil
}

func (*fake) RefreshDashboard(context.Context) (model.RefreshDashboardPayload, error) {
	return model.RefreshDashboardPayload{Stats: someStats()}, nil
}

func (*fake) SlowQueries(context.Context, int) ([]operator.SlowQuery, error) {
	return []operator.SlowQuery{{QueryID: new("-5"), Name: new("job.Claim"), Calls: 3, TotalSeconds: 1.5, MeanMs: 0.5, MaxMs: 1, Rows: 9, Role: "app_api"}, {Snippet: new("SELECT \"<")}}, nil
}

func (*fake) IndexAdvice(context.Context, string) (operator.Advice, error) {
	return operator.Advice{Method: "hypopg", CostBefore: 10, CostAfter: new(2.5), Notes: []string{"n"}, Suggestions: []operator.Suggestion{{Statement: "CREATE", Table: "t"}, {EstimatedBytes: new(int64(1 << 40))}}}, nil
}

func (*fake) TableSizes(context.Context, int) ([]operator.TableSize, error) {
	return []operator.TableSize{{Name: "t", EstimatedRows: 1, TableBytes: 2, IndexBytes: 3, DeadRows: 4, Partitions: 5, LastVacuumAt: &moment}}, nil
}

func (*fake) AuditSettings(context.Context) (operator.AuditSettings, error) {
	return operator.AuditSettings{IsLoaded: true, Log: new("ddl"), LogCatalog: new(true), AuditedTables: []string{}, Missing: []string{"m"}}, nil
}

func (*fake) Partitions(context.Context) ([]operator.Partitions, error) {
	return []operator.Partitions{{Parent: "p", Period: "day", Partitions: 4, Oldest: new("p_1"), Premade: 3, MadeAhead: 2, DefaultRows: 1, Retention: new("6 mons")}, {Newest: new("p_2"), Detached: 7}}, nil
}

func (*fake) MaintenanceRuns(context.Context, int, *string) ([]operator.Run, error) {
	return []operator.Run{{Task: "t", Tick: moment, StartedAt: moment, Outcome: new("error: x"), Failed: true}, {Task: "u", Tick: moment, StartedAt: moment, FinishedAt: &moment}}, nil
}

// dashboardRoots are the root fields of dashboards and of operators.
func dashboardRoots() []root {
	stats := thing{"DashboardStats", map[string]any{"tenantId": quoted(id(1)), "documentCount": text("1099511627776"), "newestDocumentAt": nil, "updatedAt": momentText}}
	month := func(name, n text) thing { return thing{"MonthCount", map[string]any{"month": name, "count": n}} }
	whole := root{"query", `dashboard`, thing{"Dashboard", map[string]any{
		"stats": stats, "pivot": []any{month(`"2026-01"`, "2"), month(`"2026-03"`, "1")},
		"searchLatency": thing{"SearchLatency", map[string]any{
			"since": momentText, "count": text("1099511627776"), "p50": text("0.5"), "p95": text("2.25"), "max": text("1000"),
		}},
		"breakdown": []any{thing{"JobTypeCount", map[string]any{"type": text(`"t"`), "pending": text("1"), "running": text("0"), "done": text("3"), "failed": text("4")}}},
		"jobSeries": []any{thing{"JobSeriesPoint", map[string]any{
			"at": momentText, "type": text(`"t"`), "done": text("1"), "failed": text("2"), "waitP50": text("0.5"), "waitP95": nil, "runP50": nil, "runP95": text("2.25"),
		}}},
		"jobErrors": []any{thing{"JobErrorGroup", map[string]any{
			"type": text(`"t"`), "pattern": text(`"<n>"`), "count": text("2"), "lastAt": momentText, "lastJobId": text(`"7"`), "example": text(`"\"5\""`),
		}}},
		"storage": []any{thing{"StorageUse", map[string]any{"kind": text(`"jobs"`), "rows": text("1"), "bytes": text("2"), "isEstimate": text("true")}}},
	}}}
	return []root{
		whole, whole, whole, whole, // as often as it takes for each of its many fields to be selected
		{"mutation", `refreshDashboard`, thing{"RefreshDashboardPayload", map[string]any{"stats": stats}}},
		{"query", `slowQueries`, []any{thing{"SlowQuery", map[string]any{
			"queryId": text(`"-5"`), "name": text(`"job.Claim"`), "snippet": nil, "calls": text("3"), "totalSeconds": text("1.5"), "meanMs": text("0.5"), "maxMs": text("1"),
			"rows": text("9"), "role": text(`"app_api"`),
		}}, thing{"SlowQuery", map[string]any{
			"queryId": nil, "name": nil, "snippet": text(`"SELECT \"<"`), "calls": text("0"), "totalSeconds": text("0"), "meanMs": text("0"), "maxMs": text("0"),
			"rows": text("0"), "role": text(`""`),
		}}}},
		{"query", `indexAdvice(query: "x")`, thing{"IndexAdvice", map[string]any{
			"method": text(`"hypopg"`), "costBefore": text("10"), "costAfter": text("2.5"), "notes": text(`["n"]`),
			"suggestions": []any{
				thing{"IndexSuggestion", map[string]any{"statement": text(`"CREATE"`), "table": text(`"t"`), "estimatedBytes": nil}},
				thing{"IndexSuggestion", map[string]any{"statement": text(`""`), "table": text(`""`), "estimatedBytes": text("1099511627776")}},
			},
		}}},
		{"query", `tableSizes`, []any{thing{"TableSize", map[string]any{
			"name": text(`"t"`), "estimatedRows": text("1"), "tableBytes": text("2"), "indexBytes": text("3"), "deadRows": text("4"), "partitions": text("5"), "lastVacuumAt": momentText,
		}}}},
		{"query", `auditSettings`, thing{"AuditSettings", map[string]any{
			"isLoaded": text("true"), "log": text(`"ddl"`), "logCatalog": text("true"), "logParameter": nil, "role": nil, "auditedTables": text("[]"), "missing": text(`["m"]`),
		}}},
		{"query", `partitions`, []any{thing{"PartitionState", map[string]any{
			"parent": text(`"p"`), "period": text(`"day"`), "partitions": text("4"), "oldest": text(`"p_1"`), "newest": nil, "premade": text("3"), "madeAhead": text("2"),
			"defaultRows": text("1"), "retention": text(`"6 mons"`), "detached": text("0"),
		}}, thing{"PartitionState", map[string]any{
			"parent": text(`""`), "period": text(`""`), "partitions": text("0"), "oldest": nil, "newest": text(`"p_2"`), "premade": text("0"), "madeAhead": text("0"),
			"defaultRows": text("0"), "retention": nil, "detached": text("7"),
		}}}},
		{"query", `maintenanceRuns`, []any{thing{"MaintenanceRun", map[string]any{
			"task": text(`"t"`), "tick": momentText, "startedAt": momentText, "finishedAt": nil, "outcome": text(`"error: x"`), "failed": text("true"),
		}}, thing{"MaintenanceRun", map[string]any{
			"task": text(`"u"`), "tick": momentText, "startedAt": momentText, "finishedAt": momentText, "outcome": nil, "failed": text("false"),
		}}}},
	}
}
