package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"stackforge/errs"
	"stackforge/repo/embedding"
)

// FillParams says which vectors Fill makes and how fast.
type FillParams struct {
	Missing     bool          // of documents without one
	Changed     bool          // of documents whose vector another model made
	Batch       int           // texts a request, 1 to 256; default 64
	Concurrency int           // requests at a time; default 4
	Rate        float64       // documents a second at most; 0 is no limit
	Backoff     time.Duration // wait after the first failure of a request, doubled with each further one up to a minute; default 1 s
	Progress    func(Filled)  // is called after each batch, by one goroutine at a time
	Refused     func(id uuid.UUID, err error)
}

// Filled is what Fill has done.
type Filled struct {
	Stored  int
	Changed int // not stored, because the text changed meanwhile; a later pass takes them up
	Refused int // left out, because the provider does not take the text

	left int
}

// Left is how many still lacked a vector when Fill ended because they had kept changing.
func (f Filled) Left() int { return f.left }

const (
	fillTries  = 8  // of a request
	fillPasses = 3  // over documents that change meanwhile
	fillDoubts = 10 // a provider that refuses so many texts and takes none is set up wrongly
	fillStore  = 30 * time.Second
)

// Fill makes and stores the vectors that the context's tenant lacks. What is done is in the rows: after an error, a cancelled
// context or a kill, the next call goes on where this one ended. It returns ctx's error, the provider's once it has failed eight
// times in a row for passing reasons, and at once for what no retry mends.
func (e *Embedder) Fill(ctx context.Context, p FillParams) (Filled, error) {
	if p.Batch < 1 || p.Batch > maxTexts {
		p.Batch = 64
	}
	if p.Concurrency < 1 {
		p.Concurrency = 4
	}
	if p.Backoff <= 0 {
		p.Backoff = time.Second
	}
	f := &filler{e: e, p: p}
	for range fillPasses {
		changed := f.done.Changed
		if err := f.pass(ctx); err != nil {
			return f.done, err
		}
		if f.done.left = f.done.Changed - changed; f.done.left == 0 {
			break
		}
	}
	return f.done, nil
}

// Lacking returns how many vectors Fill would make.
func (e *Embedder) Lacking(ctx context.Context, p FillParams) (int, error) {
	n, err := e.repo.Count(ctx, e.Model())
	if !p.Missing {
		n.Missing = 0
	}
	if !p.Changed {
		n.Changed = 0
	}
	return n.Missing + n.Changed, err
}

// filler is one call of Fill.
type filler struct {
	e    *Embedder
	p    FillParams
	pace pace

	mu      sync.Mutex
	done    Filled
	refused map[uuid.UUID]bool // not offered again in a later pass
}

// pass walks over what lacks a vector once.
func (f *filler) pass(ctx context.Context) error {
	if f.p.Missing {
		if err := f.walk(ctx, f.e.repo.Missing); err != nil {
			return err
		}
	}
	if !f.p.Changed {
		return nil
	}
	models, err := f.e.repo.Models(ctx)
	if err != nil {
		return err
	}
	for _, m := range models {
		if m == f.e.Model() {
			continue
		}
		if err := f.walk(ctx, func(ctx context.Context, after uuid.UUID, n int) ([]embedding.Text, error) {
			return f.e.repo.OfModel(ctx, m, after, n)
		}); err != nil {
			return err
		}
	}
	return nil
}

// walk reads batches and hands them to as many requests as may run at a time; it reads no further than those can take.
func (f *filler) walk(ctx context.Context, next func(ctx context.Context, after uuid.UUID, n int) ([]embedding.Text, error)) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(f.p.Concurrency + 1) // and the reader
	g.Go(func() error {
		var after uuid.UUID
		for {
			texts, err := next(gctx, after, f.p.Batch)
			if err != nil || len(texts) == 0 {
				return err
			}
			after = texts[len(texts)-1].ID
			if texts = slices.DeleteFunc(texts, func(t embedding.Text) bool { return f.wasRefused(t.ID) }); len(texts) > 0 {
				g.Go(func() error { return f.fill(gctx, texts) })
			}
		}
	})
	if err := g.Wait(); ctx.Err() == nil {
		return err
	}
	return ctx.Err()
}

func (f *filler) wasRefused(id uuid.UUID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused[id]
}

// fill makes and stores the vectors of texts. Texts among which there is one that the provider refuses are halved until it
// stands alone.
func (f *filler) fill(ctx context.Context, texts []embedding.Text) error {
	vectors, err := f.embed(ctx, texts)
	var refused *Refused
	switch {
	case errors.As(err, &refused) && len(texts) == 1:
		return f.refuse(texts[0].ID, err)
	case errors.As(err, &refused):
		half := len(texts) / 2
		if err := f.fill(ctx, texts[:half]); err != nil {
			return err
		}
		return f.fill(ctx, texts[half:])
	case err != nil:
		return err
	}
	rows := make([]embedding.Vector, len(texts))
	for i, t := range texts {
		rows[i] = embedding.Vector{ID: t.ID, Version: t.Version, Numbers: vectors[i]}
	}
	// Vectors that are made already are worth storing, also when it is time to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fillStore)
	defer cancel()
	stored, err := f.e.repo.Store(ctx, f.e.Model(), rows)
	if err != nil {
		return err
	}
	f.report(func(d *Filled) { d.Stored += stored; d.Changed += len(rows) - stored })
	return nil
}

func (f *filler) refuse(id uuid.UUID, err error) error {
	f.mu.Lock()
	if f.refused == nil {
		f.refused = map[uuid.UUID]bool{}
	}
	f.refused[id] = true
	f.mu.Unlock()
	if f.p.Refused != nil {
		f.p.Refused(id, err)
	}
	f.report(func(d *Filled) { d.Refused++ })
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done.Stored == 0 && f.done.Refused >= fillDoubts {
		return errs.Wrap(errs.Validation, err, fmt.Sprintf("The embedding service has refused the first %d texts; look at its settings.", fillDoubts))
	}
	return nil
}

func (f *filler) report(change func(*Filled)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.done)
	if f.p.Progress != nil {
		f.p.Progress(f.done)
	}
}

// embed makes the vectors of texts, again and again while the provider fails for passing reasons.
func (f *filler) embed(ctx context.Context, texts []embedding.Text) ([][]float32, error) {
	in := make([]string, len(texts))
	for i, t := range texts {
		in[i] = DocumentText(t.Title, t.Body)
	}
	wait := f.p.Backoff
	for try := 1; ; try++ {
		if err := f.pace.wait(ctx, len(texts), f.p.Rate); err != nil {
			return nil, err
		}
		out, err := f.e.provider.Embed(ctx, in)
		if err == nil || ctx.Err() != nil || try == fillTries || !errs.Retryable(err) {
			return out, err
		}
		var busy *Busy
		pause := wait + rand.N(wait/2+1) //nolint:gosec // jitter is no secret
		if errors.As(err, &busy) && busy.After > pause {
			pause = busy.After
		}
		f.pace.pause(pause)
		wait = min(2*wait, time.Minute)
	}
}

// pace spreads requests over time: documents a second, and nothing while the provider wants to be left alone.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

// wait returns when it is time for n documents more, or ctx's error.
func (p *pace) wait(ctx context.Context, n int, rate float64) error {
	for {
		p.mu.Lock()
		now := time.Now()
		left := p.next.Sub(now)
		if left <= 0 {
			if rate > 0 {
				p.next = now.Add(time.Duration(float64(n) / rate * float64(time.Second)))
			}
			p.mu.Unlock()
			return ctx.Err()
		}
		p.mu.Unlock()
		t := time.NewTimer(left)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// pause lets nobody go for a while.
func (p *pace) pause(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.next) {
		p.next = until
	}
}
