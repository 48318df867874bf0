// Package importer loads documents from NDJSON (one JSON object a line, plain or gzip) into one tenant: streaming, in
// batches on several connections, under the tenant's row-level security.
//
// A line that names an existing document, by id or else by externalId, changes that document when it differs (absent
// fields keep, null clears) and does nothing when it is equal; so the same file can be imported again after it was
// interrupted or changed. A line with neither is a new document at every run.
package importer

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// Limits of a batch and of a line.
const (
	DefaultBatchLines = 1000
	DefaultWorkers    = 2
	MaxBatchBytes     = 4 << 20
	MaxLineBytes      = 8 << 20
	MaxWorkers        = 16
)

// Options is what to import, and for whom.
type Options struct {
	TenantID uuid.UUID
	AuthorID uuid.UUID // of documents whose line names none; a user of the tenant

	Reader     io.Reader // NDJSON; gzip is recognised by its first bytes
	TotalBytes int64     // size of the input as it is read (compressed), 0 when unknown; for the progress only

	BatchLines int // lines a batch, default DefaultBatchLines; a batch ends at 4 MiB as well
	Workers    int // connections, default DefaultWorkers, at most MaxWorkers

	Rejects    io.Writer      // gets one line of NDJSON for each fault of a line; nil drops them
	OnProgress func(Progress) // called after each batch, never by two goroutines at once; may be nil
}

// Report counts the lines: Lines = Created + Updated + Unchanged + Rejected, blank lines are none.
type Report struct {
	Lines     int64
	Created   int64
	Updated   int64
	Unchanged int64
	Rejected  int64
	Duration  time.Duration
}

// Progress is how far an import is.
type Progress struct {
	Bytes      int64 // read so far
	TotalBytes int64 // 0 when unknown
	Lines      int64 // settled so far
	Rejected   int64
	Rate       float64       // lines a second since the start
	ETA        time.Duration // time left; 0 when unknown
}

// Run imports all of the input. A faulty line is written to Rejects and stops nothing. Lines of one externalId (or of
// one id, without externalId) take effect in their order.
//
// The error is nil when the whole input was read, whatever was rejected. It is Validation when a compressed input is
// damaged or ends too early (what came before is imported), Unavailable when ctx ended or the database went away, and
// what writing to Rejects returned. The report is right in every case; run the same input again to finish.
func Run(ctx context.Context, h *db.DB, o Options) (Report, error) {
	start := time.Now()
	if o.BatchLines <= 0 {
		o.BatchLines = DefaultBatchLines
	}
	if o.Workers <= 0 {
		o.Workers = DefaultWorkers
	}
	o.Workers = min(o.Workers, MaxWorkers)
	ctx = tenant.With(ctx, tenant.Scope{TenantID: o.TenantID, UserID: o.AuthorID, Scopes: []string{"documents:write"}})

	r := &run{db: h, options: o, start: start, rejects: newRejects(o.Rejects)}
	err := r.all(ctx)
	if ferr := r.rejects.flush(); err == nil {
		err = ferr
	}
	report := r.report()
	report.Duration = time.Since(start)
	return report, err
}

// run is the state of one import.
type run struct {
	db      *db.DB
	options Options
	start   time.Time
	rejects *rejects
	bytes   atomic.Int64

	created, updated, unchanged atomic.Int64
}

// all reads on one goroutine and writes on Workers others. Lines of one key go to one worker, so that they keep their
// order and two workers never wait for the same row.
func (r *run) all(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	queues := make([]chan *batch, r.options.Workers)
	for i := range queues {
		queues[i] = make(chan *batch, 1)
		g.Go(func() error {
			for b := range queues[i] {
				if err := r.write(gctx, b); err != nil {
					return err
				}
				r.progress()
			}
			return nil
		})
	}
	var damage error
	g.Go(func() error {
		defer func() {
			for _, q := range queues {
				close(q)
			}
		}()
		var err error
		damage, err = r.read(gctx, queues)
		return err
	})
	if err := g.Wait(); err != nil {
		return errs.From(err)
	}
	return damage
}

func (r *run) report() Report {
	rep := Report{
		Created: r.created.Load(), Updated: r.updated.Load(), Unchanged: r.unchanged.Load(), Rejected: r.rejects.lines(),
	}
	rep.Lines = rep.Created + rep.Updated + rep.Unchanged + rep.Rejected
	return rep
}

func (r *run) progress() {
	if r.options.OnProgress == nil {
		return
	}
	r.rejects.mu.Lock() // one caller at a time
	defer r.rejects.mu.Unlock()
	p := Progress{Bytes: r.bytes.Load(), TotalBytes: r.options.TotalBytes, Rejected: r.rejects.count}
	p.Lines = r.created.Load() + r.updated.Load() + r.unchanged.Load() + p.Rejected
	elapsed := time.Since(r.start)
	p.Rate = float64(p.Lines) / elapsed.Seconds()
	if p.TotalBytes > p.Bytes && p.Bytes > 0 {
		p.ETA = time.Duration(float64(elapsed) * float64(p.TotalBytes-p.Bytes) / float64(p.Bytes))
	}
	r.options.OnProgress(p)
}
