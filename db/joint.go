package db

import (
	"context"
	"sync"
)

// joint is one transaction for all that is done with a context. Statements of one connection go one after another, so those
// of several goroutines wait for each other.
type joint struct {
	mu   sync.Mutex
	tx   *Tx
	over bool // the transaction has ended; a context may outlive it

	later deferred
}

// deferred is what waits for the commit. It has a lock of its own: who adds to it may be within a statement.
type deferred struct {
	mu   sync.Mutex
	list []func()
	over bool
}

// add is false when the commit has been, or never will be.
func (f *deferred) add(fn func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.list = append(f.list, fn)
	}
	return !f.over
}

func (f *deferred) take() []func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	return f.list
}

type jointKey struct{ db *DB }

// Together runs fn in one transaction, which everything that is done through this database with fn's context joins: a
// statement that fails is undone alone, as it would be otherwise, and an error or panic of fn undoes all. It runs fn once,
// since fn may touch the outside world, and does not nest. It is for callers that cannot hand a Tx down, such as a whole
// GraphQL operation; statements cost two round trips more.
func (d *DB) Together(ctx context.Context, fn func(ctx context.Context) error) error {
	j := &joint{}
	err := d.do(ctx, func(tx *Tx) error {
		j.tx = tx
		defer j.end()
		return fn(context.WithValue(ctx, jointKey{d}, j))
	})
	later := j.later.take()
	if err != nil {
		return fromPG(err)
	}
	for _, fn := range later {
		fn()
	}
	return nil
}

// AfterCommit runs fn when what was done with ctx is committed: at once, or within Together at its end. What Together undoes
// never runs. fn must not block.
func (d *DB) AfterCommit(ctx context.Context, fn func()) {
	if j := d.joint(ctx); j == nil || !j.later.add(fn) {
		fn()
	}
}

// joint is the transaction of the context, nil when it has none.
func (d *DB) joint(ctx context.Context) *joint {
	j, _ := ctx.Value(jointKey{d}).(*joint)
	return j
}

func (j *joint) end() {
	j.mu.Lock()
	j.over = true
	j.mu.Unlock()
}

// run is false when the transaction is over.
func (j *joint) run(ctx context.Context, st statement) (bool, error) {
	return j.do(ctx, func(tx *Tx) error { return tx.run(ctx, st) })
}

func (j *joint) do(ctx context.Context, fn func(tx *Tx) error) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over {
		return false, nil
	}
	return true, j.tx.Do(ctx, fn)
}
