package graph_test

import (
	"context"
	"encoding/json"
	"fmt"

	"stackforge/graph"
	"stackforge/graph/model"
	"stackforge/repo/webhook"
)

type (
	deliveryAnswers struct{}
	deliveryCount   struct{}
	endpointCount   struct{}
)

func (f *fake) WebhookDelivery() graph.WebhookDeliveryResolver { return deliveryAnswers{} }

func (f *fake) WebhookDeliveryConnection() graph.WebhookDeliveryConnectionResolver {
	return deliveryCount{}
}

func (f *fake) WebhookEndpointConnection() graph.WebhookEndpointConnectionResolver {
	return endpointCount{}
}

func (deliveryCount) TotalCount(context.Context, *model.WebhookDeliveryConnection) (int, error) {
	return 77, nil
}

func (endpointCount) TotalCount(context.Context, *model.WebhookEndpointConnection) (int, error) {
	return 77, nil
}

func (deliveryAnswers) Endpoint(_ context.Context, d *webhook.Delivery) (*webhook.Endpoint, error) {
	if d.ID == 3 {
		return nil, nil
	}
	e, _ := anEndpoint(2)
	return &e, nil
}

func anEndpoint(n byte) (webhook.Endpoint, thing) {
	e := webhook.Endpoint{
		ID: id(n), Name: "n", URL: "https://u/?a=\"", Events: []string{}, JobTypes: []string{"a", "b"}, Ordering: webhook.PerEndpoint,
		IsEnabled: true, CreatedAt: moment, UpdatedAt: moment,
	}
	fields := map[string]any{
		"id": quoted(e.ID), "nodeId": quoted(e.NodeID()), "name": text(`"n"`), "url": text(`"https://u/?a=\""`), "description": nil, "events": text(`[]`), "jobTypes": text(`["a","b"]`),
		"ordering": text(`"PER_ENDPOINT"`), "enabled": text("true"), "disabledReason": nil, "createdAt": momentText, "updatedAt": momentText,
	}
	if n%2 == 1 {
		e.Description, e.IsEnabled, e.DisabledReason, e.Ordering = new("d"), false, new(webhook.Gone), webhook.Parallel
		fields["description"], fields["enabled"], fields["disabledReason"], fields["ordering"] = text(`"d"`), text("false"), text(`"GONE"`), text(`"PARALLEL"`)
	}
	return e, thing{"WebhookEndpoint", fields}
}

func aDelivery(n int64) (webhook.Delivery, thing) {
	_, endpoint := anEndpoint(2)
	d := webhook.Delivery{
		ID: n, EndpointID: id(2), EventID: 9, Event: "job.done", Status: webhook.Sending, Attempts: 2, Body: json.RawMessage(`{"n":1}`), CreatedAt: moment,
		Log: json.RawMessage(`[{"attempt": 1, "at": "2026-02-01T09:30:00.123Z", "duration_ms": 5, "response_status": 500, "response": "r", "error": "e"}, {"attempt": 2, "at": "2026-02-01T09:30:00.123Z", "duration_ms": 6}]`),
	}
	at := text(`"2026-02-01T09:30:00.123Z"`)
	fields := map[string]any{
		"id": quoted(fmt.Sprint(n)), "endpoint": endpoint, "endpointId": quoted(id(2)), "eventId": text(`"9"`), "event": text(`"job.done"`), "isTest": text("false"), "status": text(`"SENDING"`),
		"requestBody": text(`{"n":1}`), "attempts": text("2"), "nextAttemptAt": nil, "createdAt": momentText, "finishedAt": nil, "attemptLog": []any{
			thing{"WebhookAttempt", map[string]any{"number": text("1"), "at": at, "durationMs": text("5"), "responseStatus": text("500"), "response": text(`"r"`), "error": text(`"e"`)}},
			thing{"WebhookAttempt", map[string]any{"number": text("2"), "at": at, "durationMs": text("6"), "responseStatus": nil, "response": nil, "error": nil}},
		},
	}
	if n == 3 {
		d.NextAttemptAt, d.FinishedAt, d.IsTest, d.Log = &moment, &moment, true, json.RawMessage(`[]`)
		fields["nextAttemptAt"], fields["finishedAt"], fields["isTest"], fields["attemptLog"], fields["endpoint"] = momentText, momentText, text("true"), []any{}, nil
	}
	return d, thing{"WebhookDelivery", fields}
}

func (*fake) Webhook(context.Context) (*webhook.Endpoint, error) {
	e, _ := anEndpoint(2)
	return &e, nil
}

func (fakeQuery) WebhookDelivery(context.Context, string) (*webhook.Delivery, error) {
	d, _ := aDelivery(2)
	return &d, nil
}

func (brokenQuery) WebhookDelivery(context.Context, string) (*webhook.Delivery, error) {
	d, _ := aDelivery(2)
	return &d, nil
}

func (*fake) WebhookEndpointsConnection(context.Context, *int, *string) (model.WebhookEndpointConnection, error) {
	info, _ := aPageInfo(true)
	a, _ := anEndpoint(2)
	b, _ := anEndpoint(3)
	return model.WebhookEndpointConnection{
		Nodes: []webhook.Endpoint{a, b}, PageInfo: info, Edges: []model.WebhookEndpointEdge{{Node: a, Cursor: "c0"}, {Node: b, Cursor: "c1"}},
	}, nil
}

func (*fake) WebhookDeliveriesConnection(context.Context, *int, *string, *int, *string, *model.WebhookDeliveryFilter, *model.WebhookDeliveryOrder) (model.WebhookDeliveryConnection, error) {
	info, _ := aPageInfo(true)
	a, _ := aDelivery(2)
	b, _ := aDelivery(3)
	return model.WebhookDeliveryConnection{
		Nodes: []webhook.Delivery{a, b}, PageInfo: info, Edges: []model.WebhookDeliveryEdge{{Node: a, Cursor: "c0"}, {Node: b, Cursor: "c1"}},
	}, nil
}

func (*fake) WebhookHealth(context.Context, int) ([]webhook.Health, error) {
	return []webhook.Health{
		{EndpointID: id(2), Name: "n", IsEnabled: true, Circuit: webhook.Closed},
		{
			EndpointID: id(3), Name: "m", Circuit: webhook.HalfOpen, Failures: 1, ResumeAt: &moment, Attempts: 4, Successes: 3, SuccessRate: new(0.75), P50: new(1.5), P95: new(2.5),
			Pending: 5, OldestPendingAt: &moment, Dead: 6, LastSuccessAt: &moment, LastError: new("e"),
		},
	}, nil
}

func (*fake) SetWebhook(context.Context, model.SetWebhookInput) (model.SetWebhookPayload, error) {
	e, _ := anEndpoint(2)
	return model.SetWebhookPayload{Webhook: e, Secret: new("s")}, nil
}

func (*fake) RemoveWebhook(context.Context) (model.RemoveWebhookPayload, error) {
	e, _ := anEndpoint(3)
	return model.RemoveWebhookPayload{Webhook: e}, nil
}

func (*fake) CreateWebhookEndpoint(context.Context, model.CreateWebhookEndpointInput) (model.CreateWebhookEndpointPayload, error) {
	e, _ := anEndpoint(2)
	return model.CreateWebhookEndpointPayload{Endpoint: e, Secret: "s"}, nil
}

func (*fake) UpdateWebhookEndpoint(context.Context, model.UpdateWebhookEndpointInput) (model.UpdateWebhookEndpointPayload, error) {
	e, _ := anEndpoint(2)
	return model.UpdateWebhookEndpointPayload{Endpoint: e}, nil
}

func (*fake) DeleteWebhookEndpoint(context.Context, model.DeleteWebhookEndpointInput) (model.DeleteWebhookEndpointPayload, error) {
	e, _ := anEndpoint(2)
	return model.DeleteWebhookEndpointPayload{Endpoint: e}, nil
}

func (*fake) RotateWebhookSecret(context.Context, model.RotateWebhookSecretInput) (model.RotateWebhookSecretPayload, error) {
	e, _ := anEndpoint(2)
	return model.RotateWebhookSecretPayload{Endpoint: e, Secret: "s"}, nil
}

func (*fake) TestWebhook(context.Context, model.TestWebhookInput) (model.TestWebhookPayload, error) {
	d, _ := aDelivery(3)
	return model.TestWebhookPayload{Delivery: d}, nil
}

func (*fake) RedeliverWebhook(context.Context, model.RedeliverWebhookInput) (model.RedeliverWebhookPayload, error) {
	d, _ := aDelivery(2)
	return model.RedeliverWebhookPayload{Delivery: d}, nil
}

func (*fake) RedeliverWebhooks(context.Context, model.RedeliverWebhooksInput) (model.RedeliverWebhooksPayload, error) {
	return model.RedeliverWebhooksPayload{Count: 7}, nil
}

// webhookRoots are the root fields of webhooks.
func webhookRoots(info thing) []root {
	endpoint := func(n byte) thing { _, x := anEndpoint(n); return x }
	delivery := func(n int64) thing { _, x := aDelivery(n); return x }
	payload := func(kind string, fields map[string]any) thing { return thing{kind + "Payload", fields} }
	health := func(fields map[string]any) thing {
		for _, name := range []string{"resumeAt", "successRate", "p50Ms", "p95Ms", "oldestPendingAt", "lastSuccessAt", "lastError"} {
			if _, ok := fields[name]; !ok {
				fields[name] = nil
			}
		}
		return thing{"WebhookHealth", fields}
	}
	allHealth := root{"query", `webhookHealth`, []any{
		health(map[string]any{
			"endpointId": quoted(id(2)), "name": text(`"n"`), "enabled": text("true"), "circuit": text(`"CLOSED"`), "failures": text("0"), "attempts": text("0"),
			"successes": text("0"), "pending": text("0"), "dead": text("0"),
		}),
		health(map[string]any{
			"endpointId": quoted(id(3)), "name": text(`"m"`), "enabled": text("false"), "circuit": text(`"HALF_OPEN"`), "failures": text("1"), "resumeAt": momentText,
			"attempts": text("4"), "successes": text("3"), "successRate": text("0.75"), "p50Ms": text("1.5"), "p95Ms": text("2.5"), "pending": text("5"),
			"oldestPendingAt": momentText, "dead": text("6"), "lastSuccessAt": momentText, "lastError": text(`"e"`),
		}),
	}}
	return []root{
		{"query", `webhook`, endpoint(2)},
		{"query", `webhookDelivery(id: 2)`, delivery(2)},
		{"query", `webhookEndpointsConnection`, connection("WebhookEndpoint", []any{endpoint(2), endpoint(3)}, info)},
		{"query", `webhookDeliveriesConnection`, connection("WebhookDelivery", []any{delivery(2), delivery(3)}, info)},
		allHealth, allHealth, allHealth, // as often as it takes for each of its many fields to be selected
		{"mutation", `setWebhook(input: {url: "u"})`, payload("SetWebhook", map[string]any{"webhook": endpoint(2), "secret": text(`"s"`)})},
		{"mutation", `removeWebhook`, payload("RemoveWebhook", map[string]any{"webhook": endpoint(3)})},
		{"mutation", `createWebhookEndpoint(input: {name: "n", url: "u"})`, payload("CreateWebhookEndpoint", map[string]any{"endpoint": endpoint(2), "secret": text(`"s"`)})},
		{"mutation", `updateWebhookEndpoint(input: {id: "x"})`, payload("UpdateWebhookEndpoint", map[string]any{"endpoint": endpoint(2)})},
		{"mutation", `deleteWebhookEndpoint(input: {id: "x"})`, payload("DeleteWebhookEndpoint", map[string]any{"endpoint": endpoint(2)})},
		{"mutation", `rotateWebhookSecret(input: {id: "x"})`, payload("RotateWebhookSecret", map[string]any{"endpoint": endpoint(2), "secret": text(`"s"`)})},
		{"mutation", `testWebhook(input: {})`, payload("TestWebhook", map[string]any{"delivery": delivery(3)})},
		{"mutation", `redeliverWebhook(input: {id: 2})`, payload("RedeliverWebhook", map[string]any{"delivery": delivery(2)})},
		{"mutation", `redeliverWebhooks(input: {})`, payload("RedeliverWebhooks", map[string]any{"count": text("7")})},
	}
}
