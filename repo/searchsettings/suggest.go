package searchsettings

import (
	"context"

	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/tenant"
)

// Kind says what a suggestion is.
type Kind string

// A Word is what was typed with its last word completed, a Title that of a document.
const (
	Word  Kind = "WORD"
	Title Kind = "TITLE"
)

// Suggestion is how what somebody types may go on.
type Suggestion struct {
	Text      string
	Documents int // that have the completed word, or that title; lags behind by seconds
	Kind      Kind
}

// Suggest completes what somebody types, words first; language "" is any. It is errs.Validation naming prefix (more than
// 200 characters), language or first (1 to 20).
//
// Index: ix_search_words_word, ix_search_words_prefix and ix_documents_title_fold; ix_search_words_trigrams for typos.
func (r *Repo) Suggest(ctx context.Context, prefix, language string, first int) ([]Suggestion, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[Suggestion](ctx, db.Read(r.db), `
		-- name: searchsettings.Suggest
		SELECT text,
		       documents,
		       kind
		FROM suggest_words(@tenant, @prefix, @first, nullif(@language, ''))
			WITH ORDINALITY AS s (text, documents, kind, ord)
		ORDER BY ord`,
		pgx.NamedArgs{"tenant": s.TenantID, "prefix": prefix, "first": first, "language": language})
}
