package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/searchsettings"
)

type searchCmd struct {
	Index   searchIndexCmd   `cmd:"" help:"Give large tenants a full-text index of their own, or take it away."`
	Status  searchStatusCmd  `cmd:"" help:"Show how the searches of large tenants are served."`
	Rebuild searchRebuildCmd `cmd:"" help:"Make the vocabulary of a tenant, or of all, anew from its documents."`
}

type searchIndexCmd struct {
	Tenant       *uuid.UUID `xor:"which" required:"" help:"The tenant's id."`
	Auto         bool       `xor:"which" required:"" help:"Every tenant: a gin index for large ones, the shared index for the others; drops what a failed build or a tenant that is gone left."`
	Using        string     `enum:"shared,gin,rum" default:"gin" help:"With --tenant: which index (${enum})."`
	MinDocuments int64      `default:"20000" help:"With --auto: how many documents make a tenant large."`
	Most         int        `default:"20" help:"With --auto: how many tenants, the largest, may have an index of their own; each costs every statement on documents some planning."`
	DryRun       bool       `help:"Only say what would be done."`
}

// Validate refuses what cannot be meant.
func (c searchIndexCmd) Validate() error {
	if c.MinDocuments < 1 {
		return fmt.Errorf("--min-documents must be at least 1")
	}
	if c.Most < 0 {
		return fmt.Errorf("--most must not be negative")
	}
	if c.Auto && c.Using == string(searchsettings.OwnRUM) {
		return fmt.Errorf("--using rum needs --tenant: it is no choice of --auto")
	}
	return nil
}

// Run builds and drops indexes.
func (c searchIndexCmd) Run(ctx context.Context, p *program) error {
	return p.withIndexes(ctx, func(x *searchsettings.Indexes) error {
		changes, err := c.changes(ctx, x)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			p.print("nothing to do")
			return nil
		}
		for _, change := range changes {
			p.print("%s  %s -> %s  (%s)", change.TenantID, change.NotedKind, change.To, change.Why)
		}
		if c.DryRun {
			return nil
		}
		start := time.Now()
		if err := x.Apply(ctx, changes, func(text string) { p.say("%s", text) }); err != nil {
			return err
		}
		p.say("done in %s", time.Since(start).Round(time.Millisecond))
		return nil
	})
}

func (c searchIndexCmd) changes(ctx context.Context, x *searchsettings.Indexes) ([]searchsettings.Change, error) {
	if c.Tenant != nil {
		return x.For(ctx, *c.Tenant, searchsettings.IndexKind(c.Using))
	}
	list, err := x.List(ctx, c.MinDocuments)
	return searchsettings.Auto(list, c.MinDocuments, c.Most), err
}

type searchStatusCmd struct {
	MinDocuments int64 `default:"20000" help:"How many documents make a tenant large."`
}

// Run shows the large tenants and every index of a single tenant.
func (c searchStatusCmd) Run(ctx context.Context, p *program) error {
	return p.withIndexes(ctx, func(x *searchsettings.Indexes) error {
		list, err := x.List(ctx, c.MinDocuments)
		if err != nil {
			return err
		}
		return p.table("TENANT\tNAME\tDOCUMENTS\tWORDS\tVECTORS\tPENDING\tSERVED BY\tOWN INDEX\tSIZE", func(row func(...any)) {
			for _, i := range list {
				name, index, size := "(gone)", "-", "-"
				if i.TenantName != nil {
					name = *i.TenantName
				}
				if i.IndexName != nil {
					index, size = string(*i.IndexKind)+" "+*i.IndexName, megabytes(*i.IndexBytes)
					if !*i.IndexValid {
						index += " (not valid)"
					}
				}
				row(i.TenantID, name, i.Documents, i.Words, i.Vectors, i.Changes, i.NotedKind, index, size)
			}
		})
	})
}

type searchRebuildCmd struct {
	Tenant *uuid.UUID `help:"The tenant's id; all tenants without it."`
}

// Run rebuilds vocabularies, one transaction for each tenant.
func (c searchRebuildCmd) Run(ctx context.Context, p *program) error {
	return p.withIndexes(ctx, func(x *searchsettings.Indexes) error {
		tenants, err := x.Tenants(ctx)
		if err != nil {
			return err
		}
		if c.Tenant != nil {
			if !slices.Contains(tenants, *c.Tenant) {
				return errs.New(errs.NotFound, "There is no such tenant.")
			}
			tenants = []uuid.UUID{*c.Tenant}
		}
		for _, id := range tenants {
			words, err := x.Rebuild(ctx, id)
			if err != nil {
				return fmt.Errorf("tenant %s: %w", id, err)
			}
			p.print("%s  %d words", id, words)
		}
		return nil
	})
}

// indexTimeout bounds what the operator's commands read and rebuild; building an index has no limit.
const indexTimeout = time.Hour

// withIndexes runs fn as the owner.
func (p *program) withIndexes(ctx context.Context, fn func(x *searchsettings.Indexes) error) error {
	url, stop, err := p.database(ctx, false)
	if err != nil {
		return err
	}
	defer stop()
	c := p.dbConfig(url, db.RoleOwner, "task-runner")
	c.MinConns, c.QueryTimeout = -1, indexTimeout
	h, err := db.Open(ctx, c)
	if err != nil {
		return err
	}
	defer h.Close(5 * time.Second)
	return fn(searchsettings.NewIndexes(h, func(ctx context.Context) (*db.Session, error) { return db.OpenSession(ctx, c) }))
}

// megabytes shows a size in MiB.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
