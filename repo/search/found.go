package search

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/tenant"
)

// Found is what there is to know of a search beside its page. Each question costs one statement when it is first asked
// and none before; it may be asked by many at once.
type Found struct {
	repo    *Repo
	params  Params
	request json.RawMessage
	name    func() string
	ids     []uuid.UUID // of the page's documents

	count once[Count]
	mu    sync.Mutex
	marks map[passages]*once[map[uuid.UUID][]Highlight]
}

func (r *Repo) found(p Params, request json.RawMessage) *Found {
	return &Found{repo: r, params: p, request: request, name: sync.OnceValue(p.name), marks: map[passages]*once[map[uuid.UUID][]Highlight]{}}
}

// once keeps the first answer.
type once[T any] struct {
	sync.Once
	value T
	err   error
}

func (o *once[T]) get(ask func() (T, error)) (T, error) {
	o.Do(func() { o.value, o.err = ask() })
	return o.value, o.err
}

// WordsOnly reports whether the hits were found by words alone although the mode compares vectors.
func (f *Found) WordsOnly() bool { return f.params.WordsOnly }

// Count is how many hits there are.
type Count struct {
	Hits  int  // at most countLimit
	Exact bool // false when there are more
}

// countLimit bounds the work of counting.
const countLimit = 10_000

// Count returns how many hits there are, on all pages; no statement runs when the page showed all. It is Validation naming the field.
func (f *Found) Count(ctx context.Context) (Count, error) {
	return f.count.get(func() (Count, error) {
		s, err := tenant.From(ctx)
		if err != nil {
			return Count{}, err
		}
		n, err := db.Get[int](ctx, db.Read(f.repo.db), "count", `
			-- name: search.Count
			SELECT count_documents_found($1, $2, $3)`, s.TenantID, f.request, countLimit+1)
		return Count{Hits: min(n, countLimit), Exact: n <= countLimit}, inArgument(err)
	})
}

// showsCount reports whether a page that ends the list tells how many there are. Those of Semantic and Hybrid do not reach all that is
// counted, nor do later pages where a RUM index ends the list after 1,000.
func (f *Found) showsCount() bool {
	return f.params.Mode != Semantic && f.params.Mode != Hybrid && f.params.After == nil && f.params.Offset == 0
}

// DidYouMean returns the query with the words that no document has replaced by ones that some do, nil when there is
// nothing to propose. It is Validation naming the field.
func (f *Found) DidYouMean(ctx context.Context) (*string, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	text, err := db.Get[*string](ctx, db.Read(f.repo.db), "suggestion", `
		-- name: search.DidYouMean
		SELECT suggest_query($1, $2)`, s.TenantID, f.request)
	return text, inArgument(err)
}
