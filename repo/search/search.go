// Package search finds documents. Ranking, conditions and their indexes are in the SQL function search_documents_page.
package search

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/tenant"
)

// Params says what to look for; all given conditions must hold.
type Params struct {
	Query      *string // at most 1,000 characters
	Mode       string  // "fts"
	PathPrefix *string
	TagIDs     []int // nil is any
	AllTags    bool  // all of TagIDs instead of one
	Metadata   []byte
	Near       *Near
	Language   string
	First      int // 1 to 100
	After      *string
}

// Near is a circle on the earth: degrees and metres.
type Near struct{ Longitude, Latitude, Radius float64 }

// Hit is a document that was found.
type Hit struct {
	ID        uuid.UUID `db:"id"`
	Rank      float32   `db:"rank"`
	Distance  *float64  `db:"distance"` // metres
	CreatedAt time.Time `db:"created_at"`
}

// Page is one page of hits.
type Page struct {
	Hits []Hit
	Info query.Info
}

// Repo searches the documents of the context's tenant.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// Search returns a page of hits, the best (or nearest) first. It is Validation naming the field.
//
// Index: ix_documents_search and ix_documents_labels (GIN, tenant first), ix_documents_path, ix_documents_location.
func (r *Repo) Search(ctx context.Context, p Params) (Page, error) {
	args, err := p.args(ctx)
	if err != nil {
		return Page{}, err
	}
	if p.First < 1 || p.First > query.MaxFirst {
		return Page{}, errs.Field("first", "This must be from 1 to "+strconv.Itoa(query.MaxFirst)+".")
	}
	if err := p.after(args); err != nil {
		return Page{}, err
	}
	args["limit"] = p.First + 1
	hits, err := db.List[Hit](ctx, db.Read(r.db), `
		-- name: search.Search
		SELECT id, rank, distance, created_at
		FROM search_documents_page(@tenant, @query, @limit, @path, @mode, @tags, @all, `+metadata+`,
			@longitude, @latitude, @radius, @language, @after_distance, @after_rank, @after_created, @after_id)
			WITH ORDINALITY AS h (id, rank, distance, created_at, ord)
		ORDER BY ord`, args)
	if err != nil {
		return Page{}, err
	}
	info := query.Info{HasNext: len(hits) > p.First, HasPrevious: p.After != nil}
	return Page{Hits: hits[:min(len(hits), p.First)], Info: info}, nil
}

// countLimit bounds the work of counting.
const countLimit = 10_000

// Count returns how many hits there are, 10,000 for more. It is Validation naming the field.
func (r *Repo) Count(ctx context.Context, p Params) (int, error) {
	args, err := p.args(ctx)
	if err != nil {
		return 0, err
	}
	args["limit"] = countLimit
	type row struct {
		Count int `db:"count"`
	}
	n, err := db.Get[row](ctx, db.Read(r.db), "count", `
		-- name: search.Count
		SELECT count_documents_found(@tenant, @query, @limit, @path, @mode, @tags, @all, `+metadata+`,
			@longitude, @latitude, @radius, @language) AS count`, args)
	return n.Count, err
}

// metadata is null when there is no condition, and ” for the condition that always holds.
const metadata = `CASE WHEN @metadata::jsonb IS NOT NULL THEN
			(SELECT coalesce(hstore(array_agg(key), array_agg(value)), '') FROM jsonb_each_text(@metadata::jsonb)) END`

func (p Params) args(ctx context.Context) (pgx.NamedArgs, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	args := pgx.NamedArgs{
		"tenant": s.TenantID, "query": p.Query, "path": p.PathPrefix, "mode": p.Mode, "tags": p.TagIDs, "all": p.AllTags,
		"metadata": json.RawMessage(p.Metadata), "longitude": nil, "latitude": nil, "radius": nil, "language": p.Language,
		"after_distance": nil, "after_rank": nil, "after_created": nil, "after_id": nil,
	}
	if len(p.Metadata) == 0 {
		args["metadata"] = nil
	}
	if p.Near != nil {
		args["longitude"], args["latitude"], args["radius"] = p.Near.Longitude, p.Near.Latitude, p.Near.Radius
	}
	return args, nil
}

// cursor is the tuple a page continues behind.
type cursor struct {
	Distance *float64  `json:"d,omitempty"`
	Rank     float32   `json:"r"`
	Created  time.Time `json:"c"`
	ID       uuid.UUID `json:"i"`
}

// Cursor returns the opaque cursor of a hit.
func (h Hit) Cursor() string {
	text, err := json.Marshal(cursor{Distance: h.Distance, Rank: h.Rank, Created: h.CreatedAt, ID: h.ID})
	if err != nil {
		return "" // numbers and times of a row always encode
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func (p Params) after(args pgx.NamedArgs) error {
	if p.After == nil {
		return nil
	}
	var c cursor
	text, err := base64.RawURLEncoding.DecodeString(*p.After)
	if err != nil || len(text) > 1000 || json.Unmarshal(text, &c) != nil || c.ID == uuid.Nil || (c.Distance != nil) != (p.Near != nil) {
		return errs.Field("after", "This is not a cursor of this search.")
	}
	args["after_distance"], args["after_rank"], args["after_created"], args["after_id"] = c.Distance, c.Rank, c.Created, c.ID
	return nil
}
