package cli

import (
	"context"
	"time"

	"github.com/google/uuid"

	"stackforge/app"
	"stackforge/db"
	"stackforge/repo/tenancy"
	"stackforge/seed"
)

// firstSeed loads the demonstration data when there is no tenant, prints the keys that only now can be shown, and returns
// the first tenant.
func (p *program) firstSeed(ctx context.Context, url string) (uuid.UUID, error) {
	c := p.dbConfig(url, db.RoleOwner, "task-runner")
	c.MinConns = -1
	c.QueryTimeout = 10 * time.Minute
	h, err := db.Open(ctx, c)
	if err != nil {
		return uuid.Nil, err
	}
	defer h.Close(5 * time.Second)
	list, err := tenancy.New(h).List(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	if len(list) > 0 {
		return list[0].ID, nil
	}
	if err := p.seed(ctx, h, seed.Options{Count: p.config.Seed.Count, Log: p.log}); err != nil {
		return uuid.Nil, err
	}
	if list, err = tenancy.New(h).List(ctx); err != nil || len(list) == 0 {
		return uuid.Nil, err
	}
	return list[0].ID, nil
}

type seedCmd struct {
	RotateKeys bool `help:"Revoke the keys of an earlier seed and make new ones."`
}

// Run loads the demonstration data; what is there stays.
func (c seedCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		return p.seed(ctx, h, seed.Options{Count: p.config.Seed.Count, RotateKeys: c.RotateKeys, Log: p.log})
	})
}

func (p *program) seed(ctx context.Context, h *db.DB, o seed.Options) error {
	keys, err := p.payloadKeys()
	if err != nil {
		return err
	}
	if keys != nil {
		o.Encrypt = keys.Ring().Encrypt
	}
	r, err := seed.Run(ctx, h, o)
	if err != nil {
		return err
	}
	if err := p.embedSeed(ctx, h, o); err != nil {
		return err
	}
	if err := p.seedFiles(ctx, h, o); err != nil {
		return err
	}
	if len(r.Keys) == 0 {
		return nil
	}
	p.say("")
	p.say("  API keys, shown this once:")
	for _, k := range r.Keys {
		p.say("    %s  %s  (%s)", k.TenantID, k.Plaintext, k.TenantName)
	}
	return nil
}

// embedSeed makes the vectors of a small seed, so that all modes of search have something to find at once. It costs nobody's
// money: a provider is asked by jobs and by stackforge embed only.
func (p *program) embedSeed(ctx context.Context, h *db.DB, o seed.Options) error {
	if p.config.Embedding.URL != "" || o.Count > 1000 {
		return nil
	}
	e := app.NewEmbedder(h, app.Local{})
	for _, t := range seed.Tenants() {
		if _, err := e.Fill(actAs(ctx, t.ID), app.FillParams{Missing: true}); err != nil {
			return err
		}
	}
	return nil
}
