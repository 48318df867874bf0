package search

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// DocumentedParams is a search by the documented SQL function; all given conditions must hold.
type DocumentedParams struct {
	Query                       string // 1 to MaxQuery characters
	Mode                        string // FTS, Fuzzy, Soundex or Metaphone
	Limit                       int    // 1 to 100
	PathPrefix                  *string
	TagIDs                      []int // any of them; nil is any at all
	Longitude, Latitude, Radius *float64
}

// DocumentedHit is a row of the documented SQL function.
type DocumentedHit struct {
	ID        uuid.UUID `db:"id"`
	Title     string    `db:"title"`
	Rank      float32   `db:"fts_rank"`
	Trigrams  float32   `db:"trigram_score"` // 0 to 1
	CreatedAt time.Time `db:"created_at"`
	Path      *string   `db:"path"`
	Distance  *float64  `db:"distance_m"` // metres
}

// Documented returns what search_documents finds, the best (or nearest) first. It is Validation naming the field.
//
// Index: as Search.
func (r *Repo) Documented(ctx context.Context, p DocumentedParams) ([]DocumentedHit, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(p.Query) > MaxQuery {
		return nil, errs.Field("query", "A query has at most 1,000 characters.")
	}
	return db.List[DocumentedHit](ctx, db.Read(r.db), `
		-- name: search.Documented
		SELECT id, title, fts_rank, trigram_score, created_at, path::text AS path, distance_m
		FROM search_documents(@tenant, @query, @limit, @path, @mode, @tags, @longitude, @latitude, @radius) WITH ORDINALITY
		ORDER BY ordinality`, pgx.NamedArgs{
		"tenant": s.TenantID, "query": p.Query, "limit": p.Limit, "path": p.PathPrefix, "mode": p.Mode, "tags": p.TagIDs,
		"longitude": p.Longitude, "latitude": p.Latitude, "radius": p.Radius,
	})
}
