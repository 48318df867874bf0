package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/scalar"
	"stackforge/tenant"
)

// DashboardStats are the tenant's documents in two numbers.
type DashboardStats struct {
	TenantID         uuid.UUID `json:"tenantId" format:"uuid" doc:"The tenant." example:"00000000-0000-0000-0000-000000000001"`
	DocumentCount    int64     `json:"documentCount" doc:"Its documents, as of updatedAt." example:"12"`
	NewestDocumentAt maybe     `json:"newestDocumentAt" doc:"When the newest was created."`
	UpdatedAt        maybe     `json:"updatedAt" doc:"When this was last counted."`
}

// DashboardPivot is documents by month.
type DashboardPivot struct {
	TenantID uuid.UUID    `json:"tenantId" format:"uuid" doc:"The tenant." example:"00000000-0000-0000-0000-000000000001"`
	Pivot    []PivotMonth `json:"pivot" nullable:"false" doc:"Ascending; months without documents are left out."`
}

// PivotMonth is a month of DashboardPivot.
type PivotMonth struct {
	Month string `json:"month" doc:"In UTC." example:"2026-01"`
	Count int64  `json:"count" doc:"Documents created in it." example:"12"`
}

// DashboardBreakdown is jobs by type and status.
type DashboardBreakdown struct {
	TenantID  uuid.UUID       `json:"tenantId" format:"uuid" doc:"The tenant." example:"00000000-0000-0000-0000-000000000001"`
	Breakdown []BreakdownType `json:"breakdown" nullable:"false" doc:"By type."`
}

// BreakdownType is a type of DashboardBreakdown.
type BreakdownType struct {
	Type    string `json:"type" doc:"The type." example:"send_email"`
	Pending int64  `json:"pending" doc:"Jobs that wait." example:"3"`
	Running int64  `json:"running" doc:"Jobs that run." example:"1"`
	Done    int64  `json:"done" doc:"Jobs that are done." example:"40"`
	Failed  int64  `json:"failed" doc:"Jobs that have failed for good." example:"2"`
}

// view is one of the three.
type view struct{ v any }

// MarshalJSON writes the one there is.
func (v view) MarshalJSON() ([]byte, error) { return json.Marshal(v.v) }

// Schema describes it.
func (view) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		r.Schema(reflect.TypeFor[DashboardStats](), true, ""),
		r.Schema(reflect.TypeFor[DashboardPivot](), true, ""),
		r.Schema(reflect.TypeFor[DashboardBreakdown](), true, ""),
	}}
}

// months is how many months a pivot shows.
type months struct {
	n     int
	given bool
}

const (
	defaultMonths = 6
	maxMonths     = 60
)

const errMonths sentence = "Ask for 1 to 60 months."

// UnmarshalText reads a whole number. The database judges it, too; but for a view without months nobody asks it.
func (m *months) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil {
		return errNotWhole
	}
	if n < 1 || n > maxMonths {
		return errMonths
	}
	m.n, m.given = int(n), true
	return nil
}

// Schema describes it.
func (*months) Schema(huma.Registry) *huma.Schema { return whole(1, maxMonths, defaultMonths) }

type dashboardInput struct {
	TenantID string `path:"tenantId" format:"uuid" doc:"The caller's own tenant." example:"00000000-0000-0000-0000-000000000001"`
	View     string `query:"view" enum:"stats,pivot,breakdown" default:"stats" doc:"Counts as of the last refresh, documents by month, or jobs by type and status."`
	Months   months `query:"months" doc:"Of view=pivot: how many months back, 1 to 60."`
}

func (a *API) dashboard() {
	handle(a, "dashboard:read", operation("Dashboard", http.MethodGet, "/dashboard/{tenantId}", "getDashboard", "Read the tenant's counts", http.StatusOK, 400, 403),
		func(ctx context.Context, in *dashboardInput) (*struct{ Body view }, error) {
			id, err := in.tenant(ctx)
			if err != nil {
				return nil, err
			}
			v, err := a.view(ctx, id, in)
			return &struct{ Body view }{view{v}}, err
		})
}

// tenant is the caller's, which the path must name.
func (d *dashboardInput) tenant(ctx context.Context) (uuid.UUID, error) {
	id, err := scalar.ParseUUID(d.TenantID)
	if err != nil {
		return id, errs.Field("tenantId", "This is not a uuid.")
	}
	s, err := tenant.From(ctx)
	if err == nil && s.TenantID != id {
		err = errs.New(errs.Forbidden, "This is another tenant's dashboard.")
	}
	return id, err
}

func (a *API) view(ctx context.Context, id uuid.UUID, in *dashboardInput) (any, error) {
	switch in.View {
	case "stats":
		s, err := a.Dashboard.Stats(ctx, false)
		return DashboardStats{TenantID: id, DocumentCount: s.DocumentCount, NewestDocumentAt: maybe{s.NewestDocumentAt}, UpdatedAt: maybe{s.UpdatedAt}}, err
	case "pivot":
		if !in.Months.given {
			in.Months.n = defaultMonths
		}
		list, err := a.Dashboard.Pivot(ctx, in.Months.n, false, false)
		out := DashboardPivot{TenantID: id, Pivot: make([]PivotMonth, len(list))}
		for i, m := range list {
			out.Pivot[i] = PivotMonth(m)
		}
		return out, err
	case "breakdown":
		list, err := a.Dashboard.Breakdown(ctx, false)
		out := DashboardBreakdown{TenantID: id, Breakdown: make([]BreakdownType, len(list))}
		for i, t := range list {
			out.Breakdown[i] = BreakdownType(t)
		}
		return out, err
	default:
		return nil, errs.Field("view", "This must be one of stats, pivot and breakdown.")
	}
}
