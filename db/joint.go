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
}

type jointKey struct{ db *DB }

// Together runs fn in one transaction, which everything that is done through this database with fn's context joins: a
// statement that fails is undone alone, as it would be otherwise, and an error or panic of fn undoes all. It runs fn once,
// since fn may touch the outside world, and does not nest. It is for callers that cannot hand a Tx down, such as a whole
// GraphQL operation; statements cost two round trips more.
func (d *DB) Together(ctx context.Context, fn func(ctx context.Context) error) error {
	return fromPG(d.do(ctx, func(tx *Tx) error {
		j := &joint{tx: tx}
		defer j.end()
		return fn(context.WithValue(ctx, jointKey{d}, j))
	}))
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
