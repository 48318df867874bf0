package search

import (
	"context"

	"stackforge/db"
)

// Maintenance keeps the vocabularies and indexes of all tenants up to date. It acts as app_worker.
type Maintenance struct{ db db.Handle }

// NewMaintenance returns a Maintenance.
func NewMaintenance(h db.Handle) *Maintenance { return &Maintenance{db: h} }

// Maintain does one piece of what is waiting and returns how many changes of documents it took up: 0 when nothing is left,
// or another process is at it.
func (m *Maintenance) Maintain(ctx context.Context) (int, error) {
	return db.Get[int](ctx, m.db, "change", `
		-- name: search.Maintain
		SELECT maintain_search()`)
}
