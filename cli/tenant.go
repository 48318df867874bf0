package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"stackforge/app"
	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/repo/searchsettings"
	"stackforge/repo/tenancy"
)

type tenantCmd struct {
	Create tenantCreateCmd `cmd:"" help:"Create a tenant and its first API key."`
	List   tenantListCmd   `cmd:"" help:"List the tenants."`
	Limits tenantLimitsCmd `cmd:"" help:"Show or set what a tenant may have."`
	Export tenantExportCmd `cmd:"" help:"Write all rows of a tenant as lines of JSON."`
	Import tenantImportCmd `cmd:"" help:"Restore a tenant from an export."`
	Delete tenantDeleteCmd `cmd:"" help:"Delete a tenant with all that it has, and print the proof."`
}

type tenantCreateCmd struct {
	Name string `required:"" help:"The tenant's name."`
}

// Run creates the tenant and prints its id and its first key.
func (c tenantCreateCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		t, err := tenancy.New(h).Create(ctx, c.Name)
		if err != nil {
			return err
		}
		_, plaintext, err := apikey.New(h).Create(actAs(ctx, t.ID), "first", []string{"*"}, nil)
		if err != nil {
			return err
		}
		p.print("tenant %s\nkey    %s", t.ID, plaintext)
		p.say("The key is shown this once.")
		return nil
	})
}

type tenantListCmd struct{}

// Run lists the tenants.
func (tenantListCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		list, err := tenancy.New(h).List(ctx)
		if err != nil {
			return err
		}
		return p.table("ID\tNAME\tCREATED", func(row func(...any)) {
			for _, t := range list {
				row(t.ID, t.Name, t.CreatedAt.Format(time.DateTime))
			}
		})
	})
}

type tenantLimitsCmd struct {
	ID  uuid.UUID `arg:"" help:"The tenant's id."`
	Set []string  `arg:"" optional:"" help:"Limits to set, such as documents=10000 users=none: documents, users, apiKeys, jobsPerDay, files, storageBytes, messageQueues, webhookEndpoints, requestsPerMinute."`
}

// Run sets limits, and prints them beside what the tenant has.
func (c tenantLimitsCmd) Run(ctx context.Context, p *program) error {
	limits, err := c.limits()
	if err != nil {
		return err
	}
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		r := tenancy.New(h)
		if _, err := r.Get(ctx, c.ID); err != nil {
			return err
		}
		if len(limits) > 0 {
			if err := r.SetLimits(ctx, c.ID, limits); err != nil {
				return err
			}
		}
		l, err := r.Limits(actAs(ctx, c.ID))
		if err != nil {
			return err
		}
		u, err := r.Usage(actAs(ctx, c.ID))
		if err != nil {
			return err
		}
		return p.table("RESOURCE\tIN USE\tLIMIT", func(row func(...any)) {
			row("documents", u.Documents, most(l.Documents))
			row("users", u.Users, most(l.Users))
			row("apiKeys", u.APIKeys, most(l.APIKeys))
			row("jobsPerDay", u.JobsToday, most(l.JobsPerDay))
			row("files", u.Files, most(l.Files))
			row("storageBytes", u.StorageBytes, most(l.StorageBytes))
			row("messageQueues", u.MessageQueues, most(l.MessageQueues))
			row("webhookEndpoints", u.WebhookEndpoints, most(l.WebhookEndpoints))
			row("requestsPerMinute", "-", most(l.RequestsPerMinute))
		})
	})
}

func (c tenantLimitsCmd) limits() (map[string]*int64, error) {
	out := map[string]*int64{}
	for _, set := range c.Set {
		name, value, _ := strings.Cut(set, "=")
		if value == "none" {
			out[name] = nil
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no limit: give name=number or name=none", set)
		}
		out[name] = &n
	}
	return out, nil
}

func most[T int | int64](v *T) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprint(*v)
}

type tenantExportCmd struct {
	ID  uuid.UUID `arg:"" help:"The tenant's id."`
	Out string    `help:"The file, packed when its name ends with .gz or .zst; stdout by default."`
}

// Run writes the export; a file that is there already is kept.
func (c tenantExportCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		out, err := createPacked(c.Out, p.Stdout)
		if err != nil {
			return err
		}
		start := time.Now()
		t, err := tenancy.NewExporter(h).Export(actAs(ctx, c.ID), out)
		if err = out.done(err); err != nil {
			return err
		}
		p.say("%d rows of %d tables in %s, sha256 %s", t.Rows, len(t.Counts), time.Since(start).Round(time.Millisecond), t.SHA256)
		return nil
	})
}

type tenantImportCmd struct {
	File string `arg:"" help:"The export, packed or not, or - for stdin."`
}

// Run restores a tenant.
func (c tenantImportCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		in, err := openPacked(c.File, p.Stdin)
		if err != nil {
			return err
		}
		defer in.Close()
		header, t, err := tenancy.NewImporter(h).Import(ctx, in)
		if err != nil {
			return err
		}
		p.print("tenant %s (%s): %d rows of %d tables", header.TenantID, header.Name, t.Rows, len(t.Counts))
		p.say("Secrets are in no export: give each API key a new one with `stackforge key rotate`, and each webhook endpoint with rotateWebhookSecret.")
		return nil
	})
}

type tenantDeleteCmd struct {
	ID   uuid.UUID `arg:"" help:"The tenant's id."`
	Yes  bool      `help:"Do not ask for the tenant's name."`
	By   string    `help:"Who asked for it, for the record; the name of your account by default."`
	JSON bool      `name:"json" help:"Print the proof as JSON instead of a table."`

	KeepObjects bool `help:"Delete the records of files also when no storage is configured, and leave the bytes where they are."`
}

// Run deletes the tenant, or goes on with a deletion that was interrupted.
func (c tenantDeleteCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, url string) error {
		r := tenancy.New(h)
		t, err := r.Get(ctx, c.ID)
		if err != nil {
			return err
		}
		deleter, err := c.deleter(ctx, p, h, r)
		if err != nil {
			return err
		}
		if !c.Yes {
			if err := c.confirm(ctx, p, r, t); err != nil {
				return err
			}
		}
		if err := p.dropOwnIndex(ctx, h, url, c.ID); err != nil {
			return err
		}
		said := time.Now()
		proof, err := deleter.Delete(ctx, c.ID, c.by(), func(rows int64) {
			if time.Since(said) > time.Second {
				said = time.Now()
				p.say("%d rows are gone", rows)
			}
		})
		if err != nil {
			p.say("The deletion has begun and cannot be undone; run the command again to go on.")
			return err
		}
		return c.prove(p, proof)
	})
}

// deleter knows the storage. A tenant with files is not deleted without it: nobody would know of the bytes any more.
func (c tenantDeleteCmd) deleter(ctx context.Context, p *program, h *db.DB, r *tenancy.Repo) (app.TenantDeleter, error) {
	d := app.TenantDeleter{Tenants: r}
	store, err := p.store(ctx)
	if err != nil {
		return d, err
	}
	if store != nil {
		d.Objects = p.workerFiles(h)
		return d, nil
	}
	counts, err := r.Counts(ctx, c.ID)
	if n := counts["files"]; err == nil && n > 0 && !c.KeepObjects {
		err = fmt.Errorf("the tenant has %d files and no storage is configured: set the STORAGE_ variables of the API, or give --keep-objects", n)
	}
	return d, err
}

// confirm asks for the name, which nobody types by mistake.
func (c tenantDeleteCmd) confirm(ctx context.Context, p *program, r *tenancy.Repo, t tenancy.Tenant) error {
	counts, err := r.Counts(ctx, t.ID)
	if err != nil {
		return err
	}
	p.say("Tenant %s (%s) has %d documents, %d users and %d jobs. All that it has will be deleted; there is no way back.",
		t.ID, t.Name, counts["documents"], counts["app_users"], counts["jobs"])
	p.say("Type its name to go on:")
	line, _ := bufio.NewReader(p.Stdin).ReadString('\n') // what came before an error may be the whole name
	if strings.TrimRight(line, "\r\n") != t.Name {
		return errs.New(errs.Validation, "This is not the tenant's name; nothing was deleted.")
	}
	return nil
}

func (c tenantDeleteCmd) by() string {
	if c.By != "" {
		return c.By
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// prove prints the counts before and after.
func (c tenantDeleteCmd) prove(p *program, d tenancy.Deletion) error {
	if c.JSON {
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return err
		}
		p.print("%s", text)
		return nil
	}
	err := p.table("TABLE\tROWS BEFORE\tROWS AFTER", func(row func(...any)) {
		for _, name := range slices.Sorted(maps.Keys(d.RowsBefore)) { // of a queue there is not even a table after
			row(name, d.RowsBefore[name], d.RowsAfter[name])
		}
	})
	if d.ObjectsDeleted != nil {
		p.print("objects deleted from storage: %d", *d.ObjectsDeleted)
	}
	p.print("deleted %s by %s, from %s to %s", d.TenantID, d.StartedBy, d.StartedAt.UTC().Format(time.RFC3339), d.FinishedAt.UTC().Format(time.RFC3339))
	return err
}

// dropOwnIndex drops the full-text index that a large tenant may have of its own.
func (p *program) dropOwnIndex(ctx context.Context, h *db.DB, url string, id uuid.UUID) error {
	x := searchsettings.NewIndexes(h, func(ctx context.Context) (*db.Session, error) {
		return db.OpenSession(ctx, p.dbConfig(url, db.RoleOwner, "task-runner"))
	})
	changes, err := x.For(ctx, id, searchsettings.Shared)
	if err != nil || len(changes) == 0 {
		return err
	}
	return x.Apply(ctx, changes, func(text string) { p.say("%s", text) })
}
