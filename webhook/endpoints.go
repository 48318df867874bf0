package webhook

import (
	"context"
	"time"

	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/repo/webhook"
)

// Endpoints changes the endpoints of the caller's tenant: it judges URLs and makes secrets. What only reads is the Repo's.
type Endpoints struct {
	*webhook.Repo
	cfg EndpointsConfig
}

// TestMargin is how much longer than a request a test may take until its outcome is known.
const TestMargin = 5 * time.Second

// EndpointsConfig is what Endpoints works with. Zero values take the defaults named here.
type EndpointsConfig struct {
	Guard    Guard
	Nudge    func(ctx context.Context) // tells dispatchers, after the commit, that something may be due; default nobody is told
	Patience time.Duration             // how long Test waits for the outcome; default 20 s
	Circuit  int                       // as the Dispatcher's; default DefaultCircuit
}

// NewEndpoints returns Endpoints.
func NewEndpoints(r *webhook.Repo, c EndpointsConfig) *Endpoints {
	if c.Nudge == nil {
		c.Nudge = func(context.Context) {}
	}
	c.Patience, c.Circuit = or(c.Patience, 20*time.Second), or(c.Circuit, DefaultCircuit)
	return &Endpoints{Repo: r, cfg: c}
}

// Set makes url the tenant's webhook: it gives the endpoint named default this URL and switches it on, or makes it. secret is
// the new endpoint's, shown this once, and "" when there was one. It is errs.Validation naming url.
func (e *Endpoints) Set(ctx context.Context, url string) (_ webhook.Endpoint, secret string, err error) {
	if err := e.cfg.Guard.CheckURL(url); err != nil {
		return webhook.Endpoint{}, "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return webhook.Endpoint{}, "", err
	}
	secret = newSecret()
	out, err := e.Repo.Set(ctx, url, id, secret)
	if err != nil || out.ID != id {
		secret = ""
	}
	if err == nil {
		e.cfg.Nudge(ctx)
	}
	return out, secret, err
}

// Remove takes the tenant's webhook away, the endpoint named default. It is errs.NotFound when there is none.
func (e *Endpoints) Remove(ctx context.Context) (webhook.Endpoint, error) {
	old, err := e.GetDefault(ctx)
	if err != nil {
		return webhook.Endpoint{}, err
	}
	return e.Delete(ctx, old.ID)
}

// Create makes an endpoint and returns it with its secret, which is shown this once. It is errs.Validation naming the fields,
// and errs.Conflict for a name that is taken or the 51st endpoint.
func (e *Endpoints) Create(ctx context.Context, p webhook.Params) (_ webhook.Endpoint, secret string, err error) {
	if err := e.check(p); err != nil {
		return webhook.Endpoint{}, "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return webhook.Endpoint{}, "", err
	}
	secret = newSecret()
	out, err := e.Repo.Create(ctx, id, p, secret)
	return out, secret, err
}

// Update changes an endpoint; see webhook.Repo.Update.
func (e *Endpoints) Update(ctx context.Context, id uuid.UUID, p webhook.Params) (webhook.Endpoint, error) {
	if err := e.check(p); err != nil {
		return webhook.Endpoint{}, err
	}
	out, err := e.Repo.Update(ctx, id, p)
	if err == nil {
		e.cfg.Nudge(ctx)
	}
	return out, err
}

func (e *Endpoints) check(p webhook.Params) error {
	if p.URL == nil {
		return nil
	}
	return e.cfg.Guard.CheckURL(*p.URL)
}

// maxOverlap bounds for how many hours a former secret goes on signing.
const maxOverlap = 168

// Rotate gives an endpoint a new secret and returns it, shown this once. Former ones go on signing beside it for so many
// hours, 0 to 168; anything else is errs.Validation naming overlapHours.
func (e *Endpoints) Rotate(ctx context.Context, id uuid.UUID, overlapHours int) (_ webhook.Endpoint, secret string, err error) {
	if overlapHours < 0 || overlapHours > maxOverlap {
		return webhook.Endpoint{}, "", errs.Field("overlapHours", "This must be from 0 to 168.")
	}
	secret = newSecret()
	out, err := e.Repo.Rotate(ctx, id, secret, time.Duration(overlapHours)*time.Hour)
	return out, secret, err
}

// Health returns how each endpoint did within the window, by name.
func (e *Endpoints) Health(ctx context.Context, window time.Duration) ([]webhook.Health, error) {
	return e.Repo.Health(ctx, window, e.cfg.Circuit)
}

// Redeliver has one delivery sent again and returns it as it is then; see webhook.Repo.Redeliver.
func (e *Endpoints) Redeliver(ctx context.Context, id int64) (webhook.Delivery, error) {
	if err := e.Repo.Redeliver(ctx, id); err != nil {
		return webhook.Delivery{}, err
	}
	e.cfg.Nudge(ctx)
	return e.Delivery(ctx, id)
}

// RedeliverMany has deliveries sent again; see webhook.Repo.RedeliverMany.
func (e *Endpoints) RedeliverMany(ctx context.Context, p webhook.RedeliverParams) (int, error) {
	n, err := e.Repo.RedeliverMany(ctx, p)
	if n > 0 {
		e.cfg.Nudge(ctx)
	}
	return n, err
}

// Test has a worker send an event webhook.test to an endpoint, nil for the one named default, waits for the outcome, and
// returns the delivery. One that is still pending says that no worker has ended it within the patience. See webhook.Repo.Test
// for errors. It is not for a context of db.Together, in which no worker would see the test.
func (e *Endpoints) Test(ctx context.Context, endpoint *uuid.UUID) (webhook.Delivery, error) {
	if endpoint == nil {
		d, err := e.GetDefault(ctx)
		if err != nil {
			return webhook.Delivery{}, err
		}
		endpoint = &d.ID
	}
	id, err := e.Repo.Test(ctx, *endpoint)
	if err != nil {
		return webhook.Delivery{}, err
	}
	e.cfg.Nudge(ctx)
	waiting, cancel := context.WithTimeout(ctx, e.cfg.Patience)
	defer cancel()
	for gap := 10 * time.Millisecond; ; gap = min(2*gap, 250*time.Millisecond) {
		sleep(waiting, gap)
		d, err := e.Delivery(ctx, id)
		if err != nil || d.FinishedAt != nil || waiting.Err() != nil {
			return d, err
		}
	}
}
