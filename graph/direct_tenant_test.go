package graph_test

import (
	"context"
	"fmt"

	"stackforge/graph"
	"stackforge/repo/tenancy"
)

// tenantAnswers has what a tenant computes on demand.
type tenantAnswers struct{}

// Tenant has the name of its type, which the root of the resolvers has, too: here it is that of the root.
func (f *fake) Tenant() graph.TenantResolver { return tenantAnswers{} }

func (q fakeQuery) Tenant(ctx context.Context) (tenancy.Tenant, error) {
	return q.otherQueries.Tenant(ctx)
}

func (q brokenQuery) Tenant(ctx context.Context) (tenancy.Tenant, error) {
	return q.otherQueries.Tenant(ctx)
}

func (tenantAnswers) Usage(context.Context, *tenancy.Tenant) (tenancy.Usage, error) {
	return tenancy.Usage{
		Documents: 1, Users: 2, APIKeys: 3, JobsPending: 4, JobsRunning: 5, JobsFinished: 6, JobsToday: 7, Files: 8, StorageBytes: 1 << 40,
		MessageQueues: 10, Messages: 11, WebhookEndpoints: 12,
	}, nil
}

func (tenantAnswers) Limits(context.Context, *tenancy.Tenant) (tenancy.Limits, error) {
	n, r, at := int64(1<<40), 60, moment
	return tenancy.Limits{Documents: &n, RequestsPerMinute: &r, UpdatedAt: &at}, nil
}

func aTenant() thing {
	usage := thing{"TenantUsage", map[string]any{}}
	for i, name := range []string{
		"documents", "users", "apiKeys", "jobsPending", "jobsRunning", "jobsFinished", "jobsToday", "files", "storageBytes", "messageQueues", "messages",
		"webhookEndpoints",
	} {
		usage.fields[name] = text(fmt.Sprint(i + 1))
	}
	usage.fields["storageBytes"] = text("1099511627776")
	limits := thing{"TenantLimits", map[string]any{
		"documents": text("1099511627776"), "users": nil, "apiKeys": nil, "jobsPerDay": nil, "files": nil, "storageBytes": nil, "messageQueues": nil,
		"webhookEndpoints": nil, "requestsPerMinute": text("60"), "updatedAt": momentText,
	}}
	return thing{"Tenant", map[string]any{"id": quoted(id(1)), "name": text(`"n"`), "createdAt": momentText, "usage": usage, "limits": limits}}
}
