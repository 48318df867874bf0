package app

import (
	"context"

	"stackforge/errs"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// Reencrypted counts what became of encrypted payloads.
type Reencrypted struct {
	Done    int // encrypted by the primary key now
	Changed int // changed by somebody meanwhile, or gone: the next run sees to them
	Failed  int // cannot be decrypted, and are left as they are
}

// Reencrypt gives the payloads of all tenants that another key or pgsodium encrypted the primary key, batch at a time. It can
// be stopped at any time: what is done carries the new key, and the next run finds the rest. refused is told of those that
// cannot be decrypted. The handles of p and c must act as the owner.
func (p *Payloads) Reencrypt(ctx context.Context, c *job.Ciphertexts, batch int, progress func(Reencrypted), refused func(job.Ciphertext, error)) (Reencrypted, error) {
	var r Reencrypted
	if p.keys == nil {
		return r, errs.New(errs.NotImplemented, noKeys)
	}
	ring := p.keys.Fresh()
	for after := int64(0); ; {
		page, err := c.Page(ctx, after, ring.Current(), batch)
		if err != nil || len(page) == 0 {
			return r, err
		}
		after = page[len(page)-1].ID
		var before []job.Ciphertext
		var texts []string
		for _, old := range page {
			ctx := tenant.With(ctx, tenant.Scope{TenantID: old.TenantID, Scopes: []string{"*"}})
			plain, err := p.open(ctx, job.Job{ID: old.ID, TenantID: old.TenantID}, old.Text)
			switch {
			case err != nil && errs.Retryable(err): // the database, not the payload
				return r, err
			case err != nil:
				r.Failed++
				refused(old, err)
				continue
			}
			text, err := ring.Encrypt(old.TenantID, old.ID, plain)
			if err != nil {
				return r, err
			}
			before, texts = append(before, old), append(texts, text)
		}
		if len(before) > 0 {
			n, err := c.Replace(ctx, before, texts)
			if err != nil {
				return r, err
			}
			r.Done, r.Changed = r.Done+n, r.Changed+len(before)-n
		}
		progress(r)
	}
}
