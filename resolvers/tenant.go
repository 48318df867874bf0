package resolvers

import (
	"context"

	"stackforge/repo/tenancy"
	"stackforge/tenant"
)

func (r *queryRoot) Tenant(ctx context.Context) (tenancy.Tenant, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return tenancy.Tenant{}, err
	}
	return r.Tenants.Get(ctx, s.TenantID)
}

// A caller sees one tenant, its own, so neither needs to be told which.

func (r *tenantFields) Limits(ctx context.Context, _ *tenancy.Tenant) (tenancy.Limits, error) {
	return r.Tenants.Limits(ctx)
}

func (r *tenantFields) Usage(ctx context.Context, _ *tenancy.Tenant) (tenancy.Usage, error) {
	return r.Tenants.Usage(ctx)
}
