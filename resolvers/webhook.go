package resolvers

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/query"
	"stackforge/repo/webhook"
	"stackforge/scalar"
)

func (r *queryRoot) Webhook(ctx context.Context) (*webhook.Endpoint, error) {
	return found(r.Webhooks.GetDefault(ctx))
}

func (r *queryRoot) WebhookEndpointsConnection(ctx context.Context, first *int, after *string) (model.WebhookEndpointConnection, error) {
	list, info, err := r.Webhooks.List(ctx, query.Page{First: first, After: after})
	c := model.WebhookEndpointConnection{Nodes: list, Edges: make([]model.WebhookEndpointEdge, len(list))}
	for i, e := range list {
		c.Edges[i] = model.WebhookEndpointEdge{Node: e, Cursor: webhook.Cursor(e)}
	}
	c.PageInfo = pageInfo(info, c.Edges, func(e model.WebhookEndpointEdge) string { return e.Cursor })
	return c, err
}

func (r *webhookEndpointConnection) TotalCount(ctx context.Context, _ *model.WebhookEndpointConnection) (int, error) {
	return r.Webhooks.Count(ctx)
}

func (r *queryRoot) WebhookDelivery(ctx context.Context, id string) (*webhook.Delivery, error) {
	key, err := deliveryID(id)
	if err != nil {
		return nil, err
	}
	return found(r.Webhooks.Delivery(ctx, key))
}

func (r *queryRoot) WebhookDeliveriesConnection(ctx context.Context, first *int, after *string, last *int, before *string, filter *model.WebhookDeliveryFilter, orderBy *model.WebhookDeliveryOrder) (model.WebhookDeliveryConnection, error) {
	order := webhook.DeliveryOrders()[string(or(orderBy, model.WebhookDeliveryOrderCreatedAtDesc))]
	f := deliveryFilter(filter)
	page, err := r.Webhooks.Deliveries(ctx, query.Page{First: first, After: after, Last: last, Before: before}, f, order)
	if err != nil {
		return model.WebhookDeliveryConnection{}, err
	}
	c := model.WebhookDeliveryConnection{Nodes: page.Deliveries, Edges: make([]model.WebhookDeliveryEdge, len(page.Deliveries)), Filter: f}
	for i, d := range page.Deliveries {
		c.Edges[i] = model.WebhookDeliveryEdge{Node: d, Cursor: page.Cursor(d)}
	}
	c.PageInfo = pageInfo(page.Info, c.Edges, func(e model.WebhookDeliveryEdge) string { return e.Cursor })
	return c, nil
}

func (r *webhookDeliveryConnection) TotalCount(ctx context.Context, obj *model.WebhookDeliveryConnection) (int, error) {
	return r.Webhooks.CountDeliveries(ctx, obj.Filter)
}

func (r *webhookDelivery) Endpoint(ctx context.Context, obj *webhook.Delivery) (*webhook.Endpoint, error) {
	return found(loadersOf(ctx).webhooks().Load(ctx, obj.EndpointID))
}

func (r *queryRoot) WebhookHealth(ctx context.Context, hours int) ([]webhook.Health, error) {
	if hours < 1 || hours > 168 {
		return nil, errs.Field("hours", "This must be from 1 to 168.")
	}
	return r.Webhooks.Health(ctx, time.Duration(hours)*time.Hour)
}

func (r *mutationRoot) SetWebhook(ctx context.Context, input model.SetWebhookInput) (model.SetWebhookPayload, error) {
	e, secret, err := r.Webhooks.Set(ctx, input.URL)
	out := model.SetWebhookPayload{Webhook: e}
	if secret != "" {
		out.Secret = &secret
	}
	return out, err
}

func (r *mutationRoot) RemoveWebhook(ctx context.Context) (model.RemoveWebhookPayload, error) {
	e, err := r.Webhooks.Remove(ctx)
	return model.RemoveWebhookPayload{Webhook: e}, err
}

func (r *mutationRoot) CreateWebhookEndpoint(ctx context.Context, input model.CreateWebhookEndpointInput) (model.CreateWebhookEndpointPayload, error) {
	p := webhook.Params{Name: &input.Name, URL: &input.URL, Ordering: &input.Ordering, Enabled: &input.Enabled}
	if d := input.Description.Value(); d != nil {
		p.Description = &d
	}
	p.Events, p.JobTypes = new(input.Events.Value()), new(input.JobTypes.Value())
	e, secret, err := r.Webhooks.Create(ctx, p)
	return model.CreateWebhookEndpointPayload{Endpoint: e, Secret: secret}, err
}

func (r *mutationRoot) UpdateWebhookEndpoint(ctx context.Context, input model.UpdateWebhookEndpointInput) (model.UpdateWebhookEndpointPayload, error) {
	id, err := plainID(input.ID)
	if err != nil {
		return model.UpdateWebhookEndpointPayload{}, err
	}
	p := webhook.Params{Name: input.Name.Value(), URL: input.URL.Value(), Ordering: input.Ordering.Value(), Enabled: input.Enabled.Value()}
	if d, ok := input.Description.ValueOK(); ok {
		p.Description = &d
	}
	if list, ok := input.Events.ValueOK(); ok {
		p.Events = &list
	}
	if list, ok := input.JobTypes.ValueOK(); ok {
		p.JobTypes = &list
	}
	e, err := r.Webhooks.Update(ctx, id, p)
	return model.UpdateWebhookEndpointPayload{Endpoint: e}, err
}

func (r *mutationRoot) DeleteWebhookEndpoint(ctx context.Context, input model.DeleteWebhookEndpointInput) (model.DeleteWebhookEndpointPayload, error) {
	id, err := plainID(input.ID)
	if err != nil {
		return model.DeleteWebhookEndpointPayload{}, err
	}
	e, err := r.Webhooks.Delete(ctx, id)
	return model.DeleteWebhookEndpointPayload{Endpoint: e}, err
}

func (r *mutationRoot) RotateWebhookSecret(ctx context.Context, input model.RotateWebhookSecretInput) (model.RotateWebhookSecretPayload, error) {
	id, err := plainID(input.ID)
	if err != nil {
		return model.RotateWebhookSecretPayload{}, err
	}
	e, secret, err := r.Webhooks.Rotate(ctx, id, input.OverlapHours)
	return model.RotateWebhookSecretPayload{Endpoint: e, Secret: secret}, err
}

func (r *mutationRoot) TestWebhook(ctx context.Context, input model.TestWebhookInput) (model.TestWebhookPayload, error) {
	if _, given, _ := idempotencyKey(graphql.GetOperationContext(ctx)); given { // a worker does not see what is not committed
		return model.TestWebhookPayload{}, errs.Field("idempotencyKey", "A test is sent each time: it takes no idempotency key.")
	}
	var id *uuid.UUID
	if text := input.ID.Value(); text != nil {
		key, err := plainID(*text)
		if err != nil {
			return model.TestWebhookPayload{}, err
		}
		id = &key
	}
	d, err := r.Webhooks.Test(ctx, id)
	return model.TestWebhookPayload{Delivery: d}, err
}

func (r *mutationRoot) RedeliverWebhook(ctx context.Context, input model.RedeliverWebhookInput) (model.RedeliverWebhookPayload, error) {
	id, err := deliveryID(input.ID)
	if err != nil {
		return model.RedeliverWebhookPayload{}, err
	}
	d, err := r.Webhooks.Redeliver(ctx, id)
	return model.RedeliverWebhookPayload{Delivery: d}, err
}

func (r *mutationRoot) RedeliverWebhooks(ctx context.Context, input model.RedeliverWebhooksInput) (model.RedeliverWebhooksPayload, error) {
	p := webhook.RedeliverParams{Statuses: input.Status, Since: input.Since.Value(), Until: input.Until.Value()}
	if len(input.Status) == 0 || slices.Contains(input.Status, webhook.Sending) {
		return model.RedeliverWebhooksPayload{}, errs.Field("status", "Give one or more of PENDING, DELIVERED and DEAD.")
	}
	if text := input.EndpointID.Value(); text != nil {
		key, err := scalar.ParseUUID(*text)
		if err != nil {
			return model.RedeliverWebhooksPayload{}, errs.Field("endpointId", "This is not a uuid.")
		}
		p.EndpointID = &key
	}
	n, err := r.Webhooks.RedeliverMany(ctx, p)
	return model.RedeliverWebhooksPayload{Count: n}, err
}

// deliveryID reads a delivery's id as a client writes it.
func deliveryID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errs.Field("id", "This is not the number of a delivery.")
	}
	return id, nil
}

func deliveryFilter(f *model.WebhookDeliveryFilter) *webhook.DeliveryFilter {
	if f == nil {
		return nil
	}
	out := &webhook.DeliveryFilter{EndpointID: f.EndpointID.Value(), Event: f.Event.Value(), CreatedAt: f.CreatedAt.Value()}
	if s := f.Status.Value(); s != nil {
		in, eq := s.In.Value(), s.Eq.Value()
		switch {
		case eq == nil:
			out.Statuses = in
		case in == nil || slices.Contains(in, *eq):
			out.Statuses = []webhook.Status{*eq}
		default:
			out.Statuses = []webhook.Status{}
		}
	}
	return out
}
