package worker

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"

	"stackforge/app"
	"stackforge/errs"
)

// HandlerDeps is what the handlers work with.
type HandlerDeps struct {
	Embedder embedder
	Files    fileCleaner
	Mailer   mailer
	Runs     cleaner
	Stats    refresher
}

type embedder interface {
	Document(ctx context.Context, id uuid.UUID) (app.Embedded, error)
}

type fileCleaner interface {
	Cleanup(ctx context.Context, hours int) (app.Cleaned, error)
}

type mailer interface {
	Send(ctx context.Context, m app.Mail) error
}

type cleaner interface {
	DocumentCount(ctx context.Context) (int64, error)
}

type refresher interface {
	Refresh(ctx context.Context) error
}

// Handlers is the table of all job types. A type that is new here needs a row in job_types as well: see docs/jobs.md.
func Handlers(d HandlerDeps) Table {
	return Table{
		"cleanup_files":      {Do: d.cleanupFiles, Timeout: 30 * time.Minute}, // a large bucket is a long list
		"generate_embedding": {Do: d.generateEmbedding, Timeout: 2 * time.Minute},
		"reindex_search":     {Do: d.reindexSearch, Timeout: 2 * time.Minute},
		"send_email":         {Do: d.sendEmail, Timeout: time.Minute},
	}
}

const maxHours = 1_000_000 // a century, and nothing is older

func (d HandlerDeps) cleanupFiles(ctx context.Context, r *Run) (any, error) {
	var p struct {
		OlderThanHours float64 `json:"older_than_hours"` // 24.0 is an integer to JSON Schema
	}
	if err := r.payload(&p); err != nil {
		return nil, err
	}
	return d.Files.Cleanup(ctx, int(min(p.OlderThanHours, maxHours)))
}

func (d HandlerDeps) generateEmbedding(ctx context.Context, r *Run) (any, error) {
	var p struct {
		DocumentID uuid.UUID `json:"document_id"`
	}
	if err := r.payload(&p); err != nil {
		return nil, err
	}
	return d.Embedder.Document(ctx, p.DocumentID)
}

func (d HandlerDeps) reindexSearch(ctx context.Context, r *Run) (any, error) {
	var p struct {
		TenantID uuid.UUID `json:"tenant_id"`
	}
	if err := r.payload(&p); err != nil {
		return nil, err
	}
	if p.TenantID != r.Job.TenantID {
		return nil, errs.New(errs.Forbidden, "The tenant_id of reindex_search must be the job's own tenant.")
	}
	if err := d.Stats.Refresh(ctx); err != nil {
		return nil, err
	}
	n, err := d.Runs.DocumentCount(ctx)
	return map[string]int64{"documentCount": n}, err
}

func (d HandlerDeps) sendEmail(ctx context.Context, r *Run) (any, error) {
	var p struct {
		To      string `json:"to"`
		Subject string `json:"subject"`
		Body    string `json:"body"`
	}
	if err := r.payload(&p); err != nil {
		return nil, err
	}
	id := "job-" + strconv.FormatInt(r.Job.ID, 10) + "." + r.Job.TenantID.String()
	return nil, d.Mailer.Send(ctx, app.Mail{ID: id, To: p.To, Subject: p.Subject, Body: p.Body})
}

// payload reads the job's payload. It is errs.InvalidPayload when that does not fit.
func (r *Run) payload(v any) error {
	if err := json.Unmarshal(r.Job.Payload, v); err != nil {
		return errs.Wrap(errs.InvalidPayload, err, "The payload cannot be read.")
	}
	return nil
}
