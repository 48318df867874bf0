package cli

import (
	"context"

	"stackforge/db"
	"stackforge/httpd"
	"stackforge/repo/webhook"
	hooks "stackforge/webhook"
)

// guard keeps webhooks away from the inside.
func (p *program) guard() hooks.Guard {
	return hooks.Guard{AllowPrivate: p.config.Webhook.AllowPrivate}
}

// endpoints changes the endpoints of tenants.
func (p *program) endpoints(h *db.DB, nudge func(ctx context.Context, channel string)) *hooks.Endpoints {
	return hooks.NewEndpoints(webhook.New(h), hooks.EndpointsConfig{
		Guard: p.guard(), Nudge: func(ctx context.Context) { nudge(ctx, hooks.Channel) }, Patience: p.config.Webhook.Timeout + hooks.TestMargin,
	})
}

// dispatcher sends webhooks from a worker process and shows how it does.
func (p *program) dispatcher(pool *db.DB, m *httpd.Metrics, wake waker) *hooks.Dispatcher {
	c := p.config.Webhook
	d := hooks.NewDispatcher(hooks.Config{
		Concurrency: c.Concurrency, PerEndpoint: c.PerEndpoint, Timeout: c.Timeout, Retention: c.Retention,
		Grace: min(p.config.Worker.Shutdown, c.Timeout),
	}, hooks.Deps{
		Queue: webhook.NewQueue(pool), Sender: hooks.NewSender(hooks.SenderConfig{Guard: p.guard(), Timeout: c.Timeout}), Wake: wake, Log: p.log,
	})
	counter := func(name, help string, read func(hooks.Counts) int64) {
		m.Counter(name, help, func() float64 { return float64(read(d.Counts())) })
	}
	counter("webhook_delivered_total", "Attempts that the receiver answered with success.", func(c hooks.Counts) int64 { return c.Delivered })
	counter("webhook_failed_total", "Attempts that failed and will be repeated.", func(c hooks.Counts) int64 { return c.Failed })
	counter("webhook_dead_total", "Attempts after which a delivery was given up.", func(c hooks.Counts) int64 { return c.Dead })
	counter("webhook_refused_total", "Attempts that ended after another worker had taken the delivery over.", func(c hooks.Counts) int64 { return c.Refused })
	m.Gauge("webhook_in_flight", "Requests under way.", func() float64 { return float64(d.InFlight()) })
	m.Gauge("webhook_lag_seconds", "How long the most overdue endpoint or event has waited for a worker.", func() float64 { return d.Stats().Lag })
	m.Gauge("webhook_open_circuits", "Endpoints that are spared because they failed again and again.", func() float64 { return float64(d.Stats().OpenCircuits) })
	m.Gauge("webhook_dead", "Deliveries that were given up and are kept.", func() float64 { return float64(d.Stats().Dead) })
	return d
}
