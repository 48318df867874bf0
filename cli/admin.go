package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/repo/operator"
	"stackforge/repo/tenancy"
)

type migrateCmd struct{}

// Run migrates and says what was done.
func (migrateCmd) Run(ctx context.Context, p *program) error {
	url, stop, err := p.database(ctx, false)
	if err != nil {
		return err
	}
	defer stop()
	r, err := p.migrate(ctx, url)
	for _, name := range r.Applied {
		p.print("applied %s", name)
	}
	if n := len(r.Functions); n > 0 {
		p.print("applied %d functions", n)
	}
	if err == nil && len(r.Applied)+len(r.Functions) == 0 {
		p.print("nothing to do")
	}
	return err
}

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make an API key; stdout is the key alone."`
	List   keyListCmd   `cmd:"" help:"List a tenant's API keys."`
	Revoke keyRevokeCmd `cmd:"" help:"End an API key at once."`
	Rotate keyRotateCmd `cmd:"" help:"Give an API key a new secret; stdout is the key alone."`

	MakePayload   keyMakePayloadCmd   `cmd:"" help:"Make keys for PAYLOAD_ENCRYPTION_KEY; stdout is the keyset alone."`
	RotatePayload keyRotatePayloadCmd `cmd:"" help:"Add a new key for payloads of jobs and encrypt them all anew."`
}

type keyCreateCmd struct {
	Tenant   uuid.UUID     `required:"" help:"The tenant's id."`
	Name     string        `required:"" help:"What the key is for."`
	Scopes   []string      `help:"Its permissions, such as documents:read,jobs:*; all of the tenant by default."`
	Operator bool          `help:"May look at the whole server (operator:read), which no tenant can grant; without --scopes nothing else."`
	Expires  time.Duration `help:"When it ends, from now, such as 720h; never by default."`
}

// Run makes a key and prints it.
func (c keyCreateCmd) Run(ctx context.Context, p *program) error {
	scopes := c.Scopes
	switch {
	case c.Operator:
		scopes = append(scopes, "operator:read")
	case len(scopes) == 0:
		scopes = []string{"*"}
	}
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		if _, err := tenancy.New(h).Get(ctx, c.Tenant); err != nil {
			return err
		}
		var expires *time.Time
		if c.Expires != 0 {
			t := time.Now().Add(c.Expires)
			expires = &t
		}
		_, plaintext, err := apikey.New(h).Create(actAs(ctx, c.Tenant, "operator:*"), c.Name, scopes, expires)
		if err != nil {
			return err
		}
		p.print("%s", plaintext)
		return nil
	})
}

type keyListCmd struct {
	Tenant uuid.UUID `required:"" help:"The tenant's id."`
}

// Run lists the keys of a tenant.
func (c keyListCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		list, err := apikey.New(h).List(actAs(ctx, c.Tenant))
		if err != nil {
			return err
		}
		return p.table("ID\tPREFIX\tNAME\tSCOPES\tEXPIRES\tREVOKED\tLAST USED", func(row func(...any)) {
			for _, k := range list {
				row(k.ID, k.Prefix, k.Name, strings.Join(k.Scopes, ","), when(k.ExpiresAt), when(k.RevokedAt), when(k.LastUsedAt))
			}
		})
	})
}

type keyRevokeCmd struct {
	Tenant uuid.UUID `required:"" help:"The tenant's id."`
	ID     uuid.UUID `arg:"" help:"The key's id."`
}

// Run ends a key.
func (c keyRevokeCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		return apikey.New(h).Revoke(actAs(ctx, c.Tenant), c.ID, true)
	})
}

type keyRotateCmd struct {
	Tenant  uuid.UUID     `required:"" help:"The tenant's id."`
	ID      uuid.UUID     `arg:"" help:"The key's id."`
	Overlap time.Duration `default:"1h" help:"For how long the old secret goes on, at most 720h."`
}

// Run gives a key a new secret and prints it.
func (c keyRotateCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleOwner, func(h *db.DB, _ string) error {
		_, plaintext, err := apikey.New(h).Rotate(actAs(ctx, c.Tenant), c.ID, c.Overlap)
		if err != nil {
			return err
		}
		p.print("%s", plaintext)
		return nil
	})
}

type doctorCmd struct{}

// Run shows the extensions of the database and, to its owner, partitions, slow statements and what the audit lacks.
func (doctorCmd) Run(ctx context.Context, p *program) error {
	return p.withDB(ctx, db.RoleLogin, func(h *db.DB, _ string) error {
		list, err := db.Capabilities(ctx, h)
		if err != nil {
			return err
		}
		err = p.table("EXTENSION\tVERSION\tSTATE\tWITHOUT IT", func(row func(...any)) {
			for _, c := range list {
				state := "not on this server"
				if c.Installed {
					state = "in use"
				} else if c.Available {
					state = "on offer, not in use"
				}
				row(c.Name, c.Version, state, c.Fallback)
			}
		})
		if err != nil {
			return err
		}
		return p.diagnose(ctx, operator.New(h))
	})
}

// diagnose shows what only the owner may see; others are told so.
func (p *program) diagnose(ctx context.Context, r *operator.Repo) error {
	partitions, err := r.Partitions(ctx)
	if errs.Is(err, errs.Forbidden) {
		p.say("Partitions, slow statements and audit are shown to the owner of the database.")
		return nil
	}
	if err != nil {
		return err
	}
	p.print("")
	err = p.table("PARTITIONED\tBY\tPARTITIONS\tAHEAD\tROWS OUTSIDE\tKEPT", func(row func(...any)) {
		for _, t := range partitions {
			row(t.Parent, t.Period, t.Partitions, fmt.Sprintf("%d of %d", t.MadeAhead, t.Premade), t.DefaultRows, text(t.Retention))
		}
	})
	if err != nil {
		return err
	}
	audit, err := r.AuditSettings(ctx)
	if err != nil {
		return err
	}
	p.print("")
	for _, m := range audit.Missing {
		p.print("audit: %s", m)
	}
	if len(audit.Missing) == 0 {
		p.print("audit: complete")
	}
	slow, err := r.SlowQueries(ctx, 10)
	if errs.Is(err, errs.NotImplemented) {
		p.print("slow statements: %s", err)
		return nil
	}
	if err != nil {
		return err
	}
	p.print("")
	return p.table("STATEMENT\tCALLS\tTOTAL S\tMEAN MS\tMAX MS\tTEXT", func(row func(...any)) {
		for _, q := range slow {
			row(text(q.Name), q.Calls, fmt.Sprintf("%.1f", q.TotalSeconds), fmt.Sprintf("%.2f", q.MeanMs), fmt.Sprintf("%.1f", q.MaxMs), text(q.Snippet))
		}
	})
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func (p *program) table(head string, fill func(row func(...any))) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, head)
	fill(func(cells ...any) {
		text := make([]string, len(cells))
		for i, c := range cells {
			text[i] = fmt.Sprint(c)
		}
		fmt.Fprintln(w, strings.Join(text, "\t"))
	})
	return w.Flush()
}

func when(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}
