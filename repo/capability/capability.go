// Package capability tells which PostgreSQL extensions this database uses.
package capability

import (
	"context"

	"stackforge/db"
)

// Capability is one extension as this database has it.
type Capability = db.Capability

// Repo asks the database.
type Repo struct{ db db.Handle }

// New returns a Repo on the database.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// List returns every extension the product can use, in the order of its creation.
func (r *Repo) List(ctx context.Context) ([]Capability, error) { return db.Capabilities(ctx, r.db) }
