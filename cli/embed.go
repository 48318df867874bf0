package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"stackforge/app"
	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/tenancy"
)

type embedCmd struct {
	Missing      bool      `help:"Make the vectors of documents without one; so it is without --model-changed, too."`
	ModelChanged bool      `help:"Make the vectors anew that another model made."`
	Tenant       uuid.UUID `help:"Of this tenant only."`
	Batch        int       `default:"64" help:"Texts a request, 1 to 256."`
	Concurrency  int       `default:"4" help:"Requests at a time, 1 to 64."`
	Rate         float64   `help:"Documents a second at most."`
}

// Validate checks the limits of the flags.
func (c embedCmd) Validate() error {
	switch {
	case c.Batch < 1 || c.Batch > 256:
		return errs.Field("batch", "--batch must be from 1 to 256.")
	case c.Concurrency < 1 || c.Concurrency > 64:
		return errs.Field("concurrency", "--concurrency must be from 1 to 64.")
	case c.Rate < 0:
		return errs.Field("rate", "--rate must be more than 0.")
	}
	return nil
}

// Run makes vectors that are missing. It can be stopped at any time: the next run goes on. The exit code is 0 only when
// nothing is left out.
func (c embedCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleOwner, func(owner *db.DB, url string) error {
		tenants, err := c.tenants(ctx, owner)
		if err != nil {
			return err
		}
		pool, err := p.open(ctx, url, db.RoleWorker, "task-runner")
		if err != nil {
			return err
		}
		defer pool.Close(5 * time.Second)
		e, err := p.embedder(pool)
		if err != nil {
			return err
		}
		return c.fill(ctx, p, e, tenants)
	})
}

func (c embedCmd) tenants(ctx context.Context, owner *db.DB) ([]uuid.UUID, error) {
	list, err := tenancy.New(owner).List(ctx)
	if err != nil {
		return nil, err
	}
	var out []uuid.UUID
	for _, t := range list {
		if c.Tenant == uuid.Nil || c.Tenant == t.ID {
			out = append(out, t.ID)
		}
	}
	if c.Tenant != uuid.Nil && len(out) == 0 {
		return nil, errs.New(errs.NotFound, "There is no such tenant.")
	}
	return out, nil
}

func (c embedCmd) fill(ctx context.Context, p *program, e *app.Embedder, tenants []uuid.UUID) error {
	params := app.FillParams{
		Missing: c.Missing || !c.ModelChanged, Changed: c.ModelChanged, Batch: c.Batch, Concurrency: c.Concurrency, Rate: c.Rate,
	}
	m := &embedMeter{meter: p.newMeter("documents", 0)}
	for _, id := range tenants {
		n, err := e.Lacking(actAs(ctx, id), params)
		if err != nil {
			return err
		}
		m.total += n
	}
	m.shown = m.start
	for _, id := range tenants {
		params.Progress = m.progress
		params.Refused = func(doc uuid.UUID, err error) {
			m.clear()
			p.say("document %s of tenant %s is left out: %s", doc, id, err)
		}
		done, err := e.Fill(actAs(ctx, id), params)
		m.add(done)
		if err != nil {
			m.clear()
			p.print("%s", m.summary())
			if ctx.Err() != nil {
				p.say("stopped; the next run goes on from here")
				return errReported
			}
			return err
		}
	}
	m.clear()
	p.print("%s", m.summary())
	if m.done.Refused > 0 || m.done.Changed > 0 {
		return errReported
	}
	return nil
}

// embedMeter counts what is done of all tenants.
type embedMeter struct {
	*meter
	done app.Filled // of the tenants before this one
}

func (m *embedMeter) add(f app.Filled) {
	m.done.Stored += f.Stored
	m.done.Changed += f.Left()
	m.done.Refused += f.Refused
}

func (m *embedMeter) progress(f app.Filled) {
	stored := m.done.Stored + f.Stored
	m.show(stored+m.done.Refused+f.Refused, stored)
}

func (m *embedMeter) summary() string {
	took := time.Since(m.start)
	text := fmt.Sprintf("made the vectors of %d documents in %s, %.0f/s", m.done.Stored, took.Round(10*time.Millisecond), float64(m.done.Stored)/took.Seconds())
	if m.done.Refused > 0 {
		text += fmt.Sprintf("; %d refused by the service", m.done.Refused)
	}
	if m.done.Changed > 0 {
		text += fmt.Sprintf("; %d kept changing, run this again", m.done.Changed)
	}
	return text
}

// embedder makes vectors by the service of the configuration, else in this process; those of queries also by the one before.
func (p *program) embedder(pool *db.DB) (*app.Embedder, error) {
	e := p.config.Embedding
	service := func(url string, key, model string) (*app.OpenAI, error) {
		return app.NewOpenAI(app.OpenAIConfig{BaseURL: strings.TrimSuffix(url, "/v1/embeddings"), Key: key, Model: model})
	}
	var former []app.Provider
	if e.PreviousURL != "" {
		o, err := service(e.PreviousURL, string(e.PreviousAPIKey), e.PreviousModel)
		if err != nil {
			return nil, err
		}
		former = append(former, o)
	}
	if e.URL == "" {
		return app.NewEmbedder(pool, app.Local{}, former...), nil
	}
	o, err := service(e.URL, string(e.APIKey), e.Model)
	if err != nil {
		return nil, err
	}
	return app.NewEmbedder(pool, o, former...), nil
}
