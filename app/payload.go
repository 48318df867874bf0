package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"

	"stackforge/crypt"
	"stackforge/errs"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// Payloads encrypts the payloads of jobs and decrypts them: by the keys of its source, or by pgsodium for what that encrypted.
type Payloads struct {
	jobs   *job.Repo
	keys   *crypt.Source // nil: none
	counts *PayloadCounts
}

// PayloadCounts is what was done to payloads.
type PayloadCounts struct{ Encrypted, Decrypted, Failed atomic.Int64 }

// NewPayloads returns Payloads. Without keys (nil) only pgsodium can encrypt, where the database server has preloaded it.
// Several may share the counts; nil is for nobody to see.
func NewPayloads(jobs *job.Repo, keys *crypt.Source, counts *PayloadCounts) *Payloads {
	if counts == nil {
		counts = &PayloadCounts{}
	}
	return &Payloads{jobs: jobs, keys: keys, counts: counts}
}

const noKeys = "Payloads cannot be encrypted here: this server has no PAYLOAD_ENCRYPTION_KEY."

// Enqueue is job.Repo's, for a job whose payload may have to be encrypted. It is errs.NotImplemented without keys.
func (p *Payloads) Enqueue(ctx context.Context, j job.EnqueueParams) (_ job.Job, duplicate bool, err error) {
	if j.Encrypt {
		scope, err := tenant.From(ctx)
		if err != nil {
			return job.Job{}, false, err
		}
		reserved, err := p.jobs.Reserve(ctx, []job.EnqueueParams{j})
		if err == nil && reserved[0].Err != nil {
			err = reserved[0].Err
		}
		if err != nil {
			return job.Job{}, false, job.Single(err)
		}
		if err := p.seal(scope.TenantID, &j, reserved[0].ID); err != nil {
			return job.Job{}, false, err
		}
	}
	return p.jobs.Enqueue(ctx, j)
}

// EnqueueMany is job.Repo's, for jobs whose payloads may have to be encrypted. It is errs.NotImplemented without keys.
func (p *Payloads) EnqueueMany(ctx context.Context, jobs []job.EnqueueParams, skip bool) ([]job.Outcome, error) {
	if !slices.ContainsFunc(jobs, func(j job.EnqueueParams) bool { return j.Encrypt }) {
		return p.jobs.EnqueueMany(ctx, jobs, skip)
	}
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	reserved, err := p.jobs.Reserve(ctx, jobs)
	if err != nil {
		return nil, err
	}
	out := make([]job.Outcome, len(jobs))
	var good []job.EnqueueParams
	var at []int
	for i, r := range reserved {
		j := jobs[i]
		switch {
		case r.Err != nil && !skip:
			return nil, r.Err
		case r.Err != nil:
			out[i] = job.Outcome{Index: i, Err: r.Err}
			continue
		case j.Encrypt:
			if err := p.seal(scope.TenantID, &j, r.ID); err != nil {
				return nil, err
			}
		}
		good, at = append(good, j), append(at, i)
	}
	made, err := p.jobs.EnqueueMany(ctx, good, skip)
	for k, o := range made {
		o.Index = at[k]
		if o.Err != nil {
			o.Err.Field = strings.Replace(o.Err.Field, fmt.Sprintf("[%d]", k), fmt.Sprintf("[%d]", at[k]), 1)
		}
		out[at[k]] = o
	}
	return out, err
}

// seal puts the encrypted payload in the place of the payload.
func (p *Payloads) seal(tenantID uuid.UUID, j *job.EnqueueParams, id int64) error {
	if p.keys == nil {
		return errs.New(errs.NotImplemented, noKeys)
	}
	payload := j.Payload
	if len(payload) == 0 || string(payload) == "null" {
		payload = json.RawMessage("{}")
	}
	text, err := p.keys.Ring().Encrypt(tenantID, id, payload)
	if err != nil {
		return errs.Wrap(errs.Internal, err, "The payload could not be encrypted.")
	}
	j.ID, j.PayloadEncrypted, j.Payload = &id, &text, nil
	p.counts.Encrypted.Add(1)
	return nil
}

// Encrypt keeps the encrypted form of a job's payload beside it, or in its place when redact is set. What is encrypted
// already stays. It is errs.NotFound when there is no such job, errs.NotImplemented without keys.
func (p *Payloads) Encrypt(ctx context.Context, id int64, redact bool) (job.Job, error) {
	for range 3 {
		j, err := p.jobs.GetEncrypted(ctx, id)
		if err != nil {
			return job.Job{}, err
		}
		if j.Redacted() || j.Encrypted && !redact {
			return j, nil
		}
		if p.keys == nil {
			j, err = p.jobs.EncryptBySodium(ctx, id, redact)
			if errs.Is(err, errs.NotImplemented) {
				return job.Job{}, errs.Wrap(errs.NotImplemented, err, noKeys)
			}
			return j, err
		}
		text, err := p.keys.Ring().Encrypt(j.TenantID, id, j.Payload)
		if err != nil {
			return job.Job{}, errs.Wrap(errs.Internal, err, "The payload could not be encrypted.")
		}
		p.counts.Encrypted.Add(1)
		if j, err = p.jobs.PutEncrypted(ctx, id, j.Payload, text, redact); !errs.Is(err, errs.NotFound) {
			return j, err
		}
		// Somebody changed the payload meanwhile.
	}
	return job.Job{}, errs.New(errs.Conflict, "The payload keeps changing; try again.")
}

// Decrypt returns the payload of a job that is encrypted. It is errs.NotFound when there is no such job or nothing of it is
// encrypted, and otherwise as Open's.
func (p *Payloads) Decrypt(ctx context.Context, id int64) (json.RawMessage, error) {
	j, err := p.jobs.GetEncrypted(ctx, id)
	if err != nil {
		return nil, err
	}
	if !j.Encrypted {
		return nil, errs.New(errs.NotFound, "Nothing of this job is encrypted.")
	}
	return p.Open(ctx, j)
}

// Open decrypts the payload of a job that was read with its encrypted form, for the tenant of the context. It is
// errs.InvalidPayload when that cannot be decrypted, errs.NotImplemented when this server has nothing to do it with; neither
// goes away by itself.
func (p *Payloads) Open(ctx context.Context, j job.Job) (json.RawMessage, error) {
	out, err := p.open(ctx, j, *j.PayloadEncrypted)
	if err != nil {
		p.counts.Failed.Add(1)
		return nil, err
	}
	p.counts.Decrypted.Add(1)
	return out, nil
}

func (p *Payloads) open(ctx context.Context, j job.Job, text string) (json.RawMessage, error) {
	if !strings.HasPrefix(text, crypt.Scheme) {
		if id, ok := job.SodiumID(text); ok && id != j.ID {
			return nil, undecryptable()
		}
		out, err := p.jobs.DecryptBySodium(ctx, text)
		switch {
		case errs.Is(err, errs.InvalidPayload):
			return nil, undecryptable()
		case errs.Is(err, errs.NotImplemented):
			return nil, errs.Wrap(errs.NotImplemented, err, "The payload was encrypted by pgsodium, which this PostgreSQL server has not preloaded.")
		}
		return out, err
	}
	if p.keys == nil {
		return nil, errs.New(errs.NotImplemented, "The payload is encrypted, and this server has no PAYLOAD_ENCRYPTION_KEY.")
	}
	out, err := p.keys.Ring().Decrypt(j.TenantID, j.ID, text)
	if errors.Is(err, crypt.ErrUnknownKey) {
		out, err = p.keys.Fresh().Decrypt(j.TenantID, j.ID, text)
	}
	switch {
	case errors.Is(err, crypt.ErrUnknownKey):
		return nil, &errs.Error{Code: errs.InvalidPayload, Field: "payload", Message: "The encrypted payload cannot be decrypted: its key is not among this server's."}
	case err != nil:
		return nil, undecryptable()
	}
	return out, nil
}

func undecryptable() *errs.Error {
	return &errs.Error{Code: errs.InvalidPayload, Field: "payload", Message: "The encrypted payload cannot be decrypted: it was changed, or is another job's."}
}
