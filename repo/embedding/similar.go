package embedding

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/tenant"
)

// Filter says which documents; all given conditions must hold. Its JSON is what search_condition reads.
type Filter struct {
	PathPrefix *string         `json:"pathPrefix,omitempty"`
	TagIDs     []int           `json:"tagIds,omitzero"` // nil is any
	TagMatch   string          `json:"tagMatch,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"` // an object of strings: has all of them
	AuthorID   *uuid.UUID      `json:"authorId,omitempty"`
	CreatedAt  *query.Time     `json:"-"`
}

// Hit is a document that was found.
type Hit struct {
	ID         uuid.UUID `db:"id"`
	Similarity float64   `db:"similarity"` // cosine, -1 to 1
}

// Check is Validation naming vector for what is no vector.
func Check(vector []float32) error {
	zero := true
	for _, x := range vector {
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			return errs.Field("vector", "A vector has finite numbers only.")
		}
		zero = zero && x == 0
	}
	switch {
	case len(vector) != Dimensions:
		return errs.Field("vector", "A vector has 1,536 numbers.")
	case zero:
		return errs.Field("vector", "A vector of zeros has no direction.")
	}
	return nil
}

// Similar returns up to first documents, the most similar first, without the one that is excluded. It is Validation naming first,
// vector or a field of filter.
//
// Index: ix_documents_embedding, or those of the filter when few documents are left; see docs/vectors.md.
func (r *Repo) Similar(ctx context.Context, q Query, f Filter, exclude *uuid.UUID, first int) ([]Hit, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	if first < 1 || first > query.MaxFirst {
		return nil, errs.Field("first", "This must be from 1 to "+strconv.Itoa(query.MaxFirst)+".")
	}
	for _, v := range q.Vectors {
		if err := Check(v); err != nil {
			return nil, err
		}
	}
	conditions, err := f.conditions()
	if err != nil {
		return nil, err
	}
	hits, err := db.List[Hit](ctx, db.Read(r.db), `
		-- name: embedding.Similar
		SELECT id, similarity
		FROM similar_documents($1, $2, $3, $4, $5, $6) WITH ORDINALITY AS f (id, similarity, created_at, ord)
		ORDER BY f.ord`, s.TenantID, q.numbers(), q.Models, conditions, exclude, first)
	return hits, inFilter(err)
}

func (f Filter) conditions() (json.RawMessage, error) {
	from, to := f.span()
	text, err := json.Marshal(struct {
		Filter
		CreatedFrom string `json:"createdFrom,omitempty"`
		CreatedTo   string `json:"createdTo,omitempty"`
	}{f, from, to})
	if err != nil {
		return nil, errs.Field("filter", "This cannot be written as JSON.")
	}
	return text, nil
}

// span turns comparisons with a moment into "from this, before that"; "" is open. Rows have whole microseconds.
func (f Filter) span() (from, to string) {
	if f.CreatedAt == nil {
		return "", ""
	}
	t := f.CreatedAt
	var least, end time.Time
	up := func(v time.Time) time.Time { return v.Add(time.Microsecond - 1).Truncate(time.Microsecond) }
	next := func(v time.Time) time.Time { return v.Truncate(time.Microsecond).Add(time.Microsecond) }
	for v, round := range map[*time.Time]func(time.Time) time.Time{t.Gte: up, t.Eq: up, t.Gt: next} {
		if v != nil && round(*v).After(least) {
			least = round(*v)
		}
	}
	for v, round := range map[*time.Time]func(time.Time) time.Time{t.Lt: up, t.Lte: next, t.Eq: next} {
		if v != nil && (end.IsZero() || round(*v).Before(end)) {
			end = round(*v)
		}
	}
	if t.IsNull != nil && *t.IsNull { // it never is
		end = time.Unix(0, 0)
		least = end
	}
	return stamp(least), stamp(end)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// inFilter names the fields of conditions as the schema does: within filter.
func inFilter(err error) error {
	var one *errs.Error
	if errors.As(err, &one) && one.Field != "" && one.Field != "vector" && !strings.HasPrefix(one.Field, "filter.") {
		one.Field = "filter." + one.Field
	}
	return err
}
