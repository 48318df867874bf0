// Package search finds documents. Ranking, conditions and their indexes are in the SQL functions it calls: find_documents
// finds a page, and others count, group, mark and explain what the same search finds.
package search

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/tenant"
)

// Hit is a document that was found.
type Hit struct {
	Document Document
	Author   Author // set when Params.Authors asks for it
	Score    float64
	Distance *float64 // metres
	Scores   Scores
	place    json.RawMessage
}

// Scores is what a score is made of.
type Scores struct {
	Words      *float64 // how well the words fit, nil when none took part
	Similarity *float64 // of the vectors, nil when none took part
}

// Page is one page of hits.
type Page struct {
	Hits  []Hit
	Info  query.Info
	Found *Found // what else there is to know of the search
}

// Repo searches the documents of the context's tenant.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// Search returns a page of hits with their documents in one round trip, the best (or nearest) first. It is Validation
// naming the field.
//
// Index: by mode, see docs/queries/search.Search.md; then documents_pkey for each hit.
func (r *Repo) Search(ctx context.Context, p Params) (Page, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Page{}, err
	}
	if err := p.Validate(); err != nil {
		return Page{}, err
	}
	after, err := p.place()
	if err != nil {
		return Page{}, err
	}
	request, err := p.request()
	if err != nil {
		return Page{}, err
	}
	email, users := "", ""
	if p.Authors {
		email, users = ", u.email::text AS author_email, u.created_at AS author_created_at", `
		JOIN app_users u ON u.tenant_id = d.tenant_id AND u.id = d.author_id`
	}
	found := r.found(p, request)
	if p.Counts && !found.showsCount() {
		go func() { _, _ = found.Count(ctx) }() // whoever asks for it gets its answer and its error
	}
	hits, err := db.List[Hit](ctx, db.Read(r.db), `
		-- name: search.Search
		SELECT f.score, f.distance, f.words, f.similarity, f.cursor, `+columns(p.Bodies)+email+`
		FROM find_documents($1, $2, $3, $4, $5) WITH ORDINALITY
			AS f (id, score, distance, created_at, words, similarity, cursor, ord)
		CROSS JOIN LATERAL (SELECT * FROM documents WHERE tenant_id = $1 AND id = f.id OFFSET 0) AS d`+users+`
		ORDER BY f.ord`, s.TenantID, request, p.vector(), p.First+1, after)
	if err != nil {
		return Page{}, p.blame(err)
	}
	info := query.Info{HasNext: len(hits) > p.First, HasPrevious: p.After != nil || p.Offset > 0}
	hits = hits[:min(len(hits), p.First)]
	found.ids = ids(hits)
	if !info.HasNext && found.showsCount() {
		_, _ = found.count.get(func() (Count, error) { return Count{Hits: len(hits), Exact: true}, nil })
	}
	return Page{Hits: hits, Info: info, Found: found}, nil
}

// Ask is Search for what there is to know beside the hits; no statement runs yet. It is Validation naming the field.
func (r *Repo) Ask(p Params) (*Found, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if _, err := p.place(); err != nil {
		return nil, err
	}
	request, err := p.request()
	return r.found(p, request), err
}

// ScanRow reads the hit, its document, and the author's columns when there are any; db.List uses it.
func (h *Hit) ScanRow(row pgx.Rows) error {
	d := &h.Document
	into := []any{
		&h.Score, &h.Distance, &h.Scores.Words, &h.Scores.Similarity, (*[]byte)(&h.place),
		(*[16]byte)(&d.ID), (*[16]byte)(&d.TenantID), (*[16]byte)(&d.AuthorID), &d.ExternalID, &d.Title, &d.Body,
		&d.Language, (*[]byte)(&d.Metadata), &d.Path,
		&d.TagIDs, &d.Longitude, &d.Latitude, &d.EmbeddingModel, &d.Version, &d.CreatedAt, &d.UpdatedAt,
	}
	if len(row.FieldDescriptions()) > len(into) {
		into = append(into, &h.Author.Email, &h.Author.CreatedAt)
	}
	err := row.Scan(into...)
	h.Author.ID, h.Author.TenantID = d.AuthorID, d.TenantID
	return err
}

// blame names the cursor when nothing else is to blame: anybody can make one up, and SQL reads what is in it.
func (p Params) blame(err error) error {
	if e := errs.From(err); p.After != nil && e.Code == errs.Validation && e.Field == "" {
		return errBadCursor()
	}
	return inArgument(err)
}

func ids(hits []Hit) []uuid.UUID {
	out := make([]uuid.UUID, len(hits))
	for i := range hits {
		out[i] = hits[i].Document.ID
	}
	return out
}
