// Package searchsettings reads and changes how searches of a tenant read words (synonyms, stop words), completes what
// somebody types, and builds the indexes that serve the searches of single tenants.
package searchsettings

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/query"
	"stackforge/tenant"
)

// Settings is how searches of a tenant read words.
type Settings struct {
	StopWords []string // folded and sorted; never nil
}

// Synonyms are what a search for a term finds, too.
type Synonyms struct {
	ID        uuid.UUID
	Term      string // folded: lower case, without accents
	Synonyms  []string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// SynonymsParams are a term and its synonyms.
type SynonymsParams struct {
	Term     string   // 1 to 5 words, 1 to 100 characters
	Synonyms []string // 1 to 50, each like the term
	BothWays bool     // the term becomes a synonym of each of them
}

// Repo reads and changes the settings of the caller's tenant. Every method is errs.Unauthenticated without a caller in the
// context. What is written is folded as the words of documents are; rules and limits are in the database.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// CountSynonyms returns how many terms have synonyms.
func (r *Repo) CountSynonyms(ctx context.Context) (int, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	return db.Get[int](ctx, db.Read(r.db), "count", `
		-- name: searchsettings.CountSynonyms
		SELECT count(*)
		FROM search_synonyms
		WHERE tenant_id = @tenant`,
		pgx.NamedArgs{"tenant": s.TenantID})
}

// Get returns the settings; those of a tenant that has set nothing are empty.
func (r *Repo) Get(ctx context.Context) (Settings, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Settings{}, err
	}
	return db.Get[Settings](ctx, db.Read(r.db), "setting", `
		-- name: searchsettings.Get
		SELECT coalesce((SELECT stop_words FROM search_settings WHERE tenant_id = @tenant), '{}') AS stop_words`,
		pgx.NamedArgs{"tenant": s.TenantID})
}

// ListSynonyms returns a page of terms in alphabetical order. It is errs.Validation, naming the argument, for a page that
// cannot be.
//
// Index: search_synonyms_term_key.
func (r *Repo) ListSynonyms(ctx context.Context, p query.Page) ([]Synonyms, query.Info, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, query.Info{}, err
	}
	w := query.NewWhere(s.TenantID)
	return query.Fetch(w, p, byTerm(), func(win query.Window) ([]Synonyms, error) {
		return db.List[Synonyms](ctx, db.Read(r.db), `
			-- name: searchsettings.ListSynonyms
			SELECT id,
			       term,
			       synonyms,
			       created_at,
			       updated_at
			FROM search_synonyms
			WHERE `+query.And("tenant_id = $1", win.Where)+`
			`+win.OrderBy, w.Args()...)
	})
}

// RemoveSynonyms takes the synonyms of a term away and returns them. It is errs.NotFound when it has none.
func (r *Repo) RemoveSynonyms(ctx context.Context, term string) (Synonyms, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Synonyms{}, err
	}
	return db.Get[Synonyms](ctx, r.db, "term", `
		-- name: searchsettings.RemoveSynonyms
		SELECT id,
		       term,
		       synonyms,
		       created_at,
		       updated_at
		FROM remove_search_synonyms(@tenant, @term)`,
		pgx.NamedArgs{"tenant": s.TenantID, "term": term})
}

// SetStopWords makes these the words that searches leave out: at most 1,000. It is errs.Validation, naming words or words[n].
func (r *Repo) SetStopWords(ctx context.Context, words []string) (Settings, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Settings{}, err
	}
	return db.Get[Settings](ctx, r.db, "setting", `
		-- name: searchsettings.SetStopWords
		SELECT stop_words
		FROM set_search_stop_words(@tenant, coalesce(@words::text[], '{}'))`,
		pgx.NamedArgs{"tenant": s.TenantID, "words": words})
}

// SetSynonyms makes these the synonyms of a term, in place of those it has. It is errs.Validation, naming term, synonyms
// or synonyms[n], also for the tenant's 5,001st term.
func (r *Repo) SetSynonyms(ctx context.Context, p SynonymsParams) (Synonyms, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Synonyms{}, err
	}
	return db.Get[Synonyms](ctx, r.db, "term", `
		-- name: searchsettings.SetSynonyms
		SELECT id,
		       term,
		       synonyms,
		       created_at,
		       updated_at
		FROM set_search_synonyms(@tenant, @term, @synonyms, @both)`,
		pgx.NamedArgs{"tenant": s.TenantID, "term": p.Term, "synonyms": p.Synonyms, "both": p.BothWays})
}

// Cursor returns the place of a term in ListSynonyms, for Page.After.
func Cursor(s Synonyms) string { return byTerm().Cursor(s.Term, s.ID.String()) }

func byTerm() query.Order {
	return query.Order{Name: "synonyms", Column: "term", Type: `text`, ID: "id", IDType: "uuid"}
}
