// Package seed loads demonstration data: a small fixed set that makes every documented search hit, and any number of
// generated records that are the same on every database.
package seed

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/tenant"
)

// MaxCount bounds Options.Count.
const MaxCount = 1_000_000

// keyName is the name of the API keys that this package makes; RotateKeys ends those with this name only.
const keyName = "seed"

// Options is what to load beside the fixed set.
type Options struct {
	Count      int  // generated documents, jobs, users and files, each, per tenant; 0 to MaxCount
	RotateKeys bool // end the keys of earlier runs and make new ones
	// Encrypt encrypts the payload of a job; with it some of the fixed jobs have theirs encrypted.
	Encrypt func(tenantID uuid.UUID, job int64, payload []byte) (string, error)
	Log     zerolog.Logger
}

// Report says what was added; a second run with the same options adds nothing.
type Report struct {
	Tenants   int64
	Users     int64
	Documents int64
	Jobs      int64
	Files     int64
	Messages  int64
	Keys      []Key // made by this run
	Duration  time.Duration
}

// Key is an API key. The plaintext cannot be had again.
type Key struct {
	TenantID   uuid.UUID
	TenantName string
	Plaintext  string
}

// Run loads the data. owner acts as the tables' owner. What is there already stays as it is: rows by their fixed ids,
// jobs by their unique keys, API keys by their name. Each kind is one transaction, generated ones in chunks; a run that
// was interrupted is finished by the next.
// It is Validation for a Count outside its limits.
func Run(ctx context.Context, owner *db.DB, o Options) (Report, error) {
	if o.Count < 0 || o.Count > MaxCount {
		return Report{}, errs.Field("SEED_COUNT", "This must be from 0 to 1,000,000.")
	}
	start := time.Now()
	r := runner{db: owner, log: o.Log, encrypt: o.Encrypt}
	for _, part := range []func(context.Context) error{r.tenants, r.users, r.documents, r.jobs, r.files, r.messages} {
		if err := part(ctx); err != nil {
			return r.report, err
		}
	}
	if err := r.generate(ctx, o.Count); err != nil {
		return r.report, err
	}
	if err := r.refresh(ctx); err != nil {
		return r.report, err
	}
	if err := r.keys(ctx, o.RotateKeys); err != nil {
		return r.report, err
	}
	r.report.Duration = time.Since(start)
	return r.report, nil
}

type runner struct {
	db      *db.DB
	log     zerolog.Logger
	encrypt func(tenantID uuid.UUID, job int64, payload []byte) (string, error)
	report  Report
}

// step runs fn in a transaction that no other run of this package overlaps, and logs how many rows it added.
func (r *runner) step(ctx context.Context, what string, total *int64, fn func(tx *db.Tx) (int64, error)) error {
	var n int64
	err := r.db.Do(ctx, func(tx *db.Tx) error {
		if _, err := db.Exec(ctx, tx, `
			-- name: seed.Lock
			SELECT pg_advisory_xact_lock(hashtext('seed'))`); err != nil {
			return err
		}
		var err error
		n, err = fn(tx)
		return err
	})
	if err != nil {
		return err
	}
	if total != nil {
		*total += n
	}
	r.log.Info().Str("part", what).Int64("added", n).Msg("seed")
	return nil
}

func (r *runner) tenants(ctx context.Context) error {
	return r.step(ctx, "tenants", &r.report.Tenants, func(tx *db.Tx) (int64, error) {
		ids, names := []uuid.UUID{}, []string{}
		for _, t := range Tenants() {
			ids, names = append(ids, t.ID), append(names, t.Name)
		}
		return db.Exec(ctx, tx, `
			-- name: seed.Tenants
			INSERT INTO tenants (id, name)
			SELECT id, name FROM unnest(@ids::uuid[], @names::text[]) AS t (id, name)
			ON CONFLICT DO NOTHING`, pgx.NamedArgs{"ids": ids, "names": names})
	})
}

func (r *runner) users(ctx context.Context) error {
	return r.step(ctx, "users", &r.report.Users, func(tx *db.Tx) (int64, error) {
		ids, err := insertUsers(ctx, tx, fixedUsers())
		return int64(len(ids)), err
	})
}

func (r *runner) documents(ctx context.Context) error {
	return r.step(ctx, "documents", &r.report.Documents, func(tx *db.Tx) (int64, error) {
		return insertDocuments(ctx, tx, fixedDocuments())
	})
}

func (r *runner) jobs(ctx context.Context) error {
	return r.step(ctx, "jobs", &r.report.Jobs, func(tx *db.Tx) (int64, error) {
		n, err := insertJobs(ctx, tx, fixedJobs(), true)
		if err == nil && r.encrypt != nil {
			err = encryptJobs(ctx, tx, r.encrypt)
		}
		return n, err
	})
}

func (r *runner) files(ctx context.Context) error {
	return r.step(ctx, "files", &r.report.Files, func(tx *db.Tx) (int64, error) {
		return insertFiles(ctx, tx, fixedFiles())
	})
}

// messages sends the fixed messages unless the queue is there already.
func (r *runner) messages(ctx context.Context) error {
	return r.step(ctx, "messages", &r.report.Messages, func(tx *db.Tx) (int64, error) {
		return insertMessages(ctx, tx, id(1), "notifications", fixedMessages())
	})
}

func (r *runner) refresh(ctx context.Context) error {
	return r.step(ctx, "statistics", nil, func(tx *db.Tx) (int64, error) {
		return db.Exec(ctx, tx, `
			-- name: seed.Refresh
			SELECT refresh_tenant_document_stats()`)
	})
}

// keys makes one API key for each tenant that has had none from here.
func (r *runner) keys(ctx context.Context, rotate bool) error {
	var made []Key
	err := r.step(ctx, "keys", nil, func(tx *db.Tx) (int64, error) {
		made = nil
		for _, t := range Tenants() {
			k, err := makeKey(tenant.With(ctx, tenant.Scope{TenantID: t.ID, Scopes: []string{"*"}}), tx, t, rotate)
			if err != nil {
				return 0, err
			}
			made = append(made, k...)
		}
		return int64(len(made)), nil
	})
	r.report.Keys = made
	return err
}

func makeKey(ctx context.Context, tx *db.Tx, t Tenant, rotate bool) ([]Key, error) {
	args := pgx.NamedArgs{"tenant": t.ID, "name": keyName}
	if rotate {
		if _, err := db.Exec(ctx, tx, `
			-- name: seed.RevokeKeys
			UPDATE api_keys SET revoked_at = now() WHERE tenant_id = @tenant AND name = @name AND revoked_at IS NULL`, args); err != nil {
			return nil, err
		}
	}
	known, err := db.Get[bool](ctx, tx, "answer", `
		-- name: seed.HasKey
		SELECT EXISTS (SELECT FROM api_keys WHERE tenant_id = @tenant AND name = @name)`, args)
	if err != nil || known && !rotate {
		return nil, err
	}
	_, plaintext, err := apikey.New(tx).Create(ctx, keyName, []string{"*"}, nil)
	return []Key{{TenantID: t.ID, TenantName: t.Name, Plaintext: plaintext}}, err
}
