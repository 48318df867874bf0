package search

import (
	"context"
	"strconv"
	"unicode/utf8"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/tenant"
)

// FacetParams says how hits are grouped; what is not asked for costs nothing.
type FacetParams struct {
	Paths          bool
	Level          int // labels of a path that are kept, 1 to MaxLevel
	Tags           bool
	MetadataKeys   bool
	MetadataValues bool
	MetadataOf     []string // keys whose values are counted, at most MaxKeys
	Months         bool
	First          int // values of each list, 1 to query.MaxFirst
}

// Limits of facets.
const (
	MaxLevel = 20
	MaxKeys  = 20
	maxKey   = 200 // characters, as in documents
)

// Facets is how hits are spread.
type Facets struct {
	Paths, Tags, MetadataKeys, Months []FacetCount
	MetadataValues                    []MetadataFacet
}

// FacetCount is a value and how many hits have it.
type FacetCount struct {
	Value string
	Count int
}

// MetadataFacet is how hits are spread over the values of a key.
type MetadataFacet struct {
	Key    string
	Values []FacetCount
}

// The names of facets in SQL; those of a key's values are "metadata." and the key.
const (
	facetPath     = "path"
	facetTag      = "tag"
	facetKey      = "metadataKey"
	facetMetadata = "metadata"
	facetMonth    = "month"
)

// Facets returns how the hits of all pages are spread, over the first 10,000 at most, in one statement. It is Validation
// naming the field.
func (f *Found) Facets(ctx context.Context, p FacetParams) (Facets, error) {
	out := p.empty()
	if err := p.validate(); err != nil {
		return out, err
	}
	request := p.request(out.keys())
	if len(request) == 0 {
		return out, nil
	}
	s, err := tenant.From(ctx)
	if err != nil {
		return out, err
	}
	type row struct {
		Facet     string `db:"facet"`
		Value     string `db:"value"`
		Documents int    `db:"documents"`
	}
	rows, err := db.List[row](ctx, db.Read(f.repo.db), `
		-- name: search.Facets
		SELECT facet, value, documents
		FROM facet_documents($1, $2, $3, $4) WITH ORDINALITY AS f (facet, value, documents, ord)
		ORDER BY ord`, s.TenantID, f.request, request, p.First)
	if err != nil {
		return out, inArgument(err)
	}
	lists := map[string]*[]FacetCount{
		facetPath: &out.Paths, facetTag: &out.Tags, facetKey: &out.MetadataKeys, facetMonth: &out.Months,
	}
	for i := range out.MetadataValues {
		lists[facetMetadata+"."+out.MetadataValues[i].Key] = &out.MetadataValues[i].Values
	}
	for _, r := range rows {
		if list, ok := lists[r.Facet]; ok {
			*list = append(*list, FacetCount{Value: r.Value, Count: r.Documents})
		}
	}
	return out, nil
}

// empty has a list for everything, each key once.
func (p FacetParams) empty() Facets {
	none := func() []FacetCount { return []FacetCount{} }
	out := Facets{Paths: none(), Tags: none(), MetadataKeys: none(), Months: none(), MetadataValues: []MetadataFacet{}}
	seen := map[string]bool{}
	for _, key := range p.MetadataOf {
		if !seen[key] {
			seen[key] = true
			out.MetadataValues = append(out.MetadataValues, MetadataFacet{Key: key, Values: none()})
		}
	}
	return out
}

func (f Facets) keys() []string {
	out := make([]string, len(f.MetadataValues))
	for i := range f.MetadataValues {
		out[i] = f.MetadataValues[i].Key
	}
	return out
}

func (p FacetParams) validate() error {
	var list errs.List
	if p.Level < 1 || p.Level > MaxLevel {
		list.Add("paths.level", "This must be from 1 to "+strconv.Itoa(MaxLevel)+".")
	}
	if len(p.MetadataOf) > MaxKeys {
		list.Add("metadataValuesOf", "At most "+strconv.Itoa(MaxKeys)+" keys are allowed.")
	}
	for i, key := range p.MetadataOf {
		if utf8.RuneCountInString(key) > maxKey {
			list.Add("metadataValuesOf["+strconv.Itoa(i)+"]", "A key has at most "+strconv.Itoa(maxKey)+" characters.")
		}
	}
	if p.First < 1 || p.First > query.MaxFirst {
		list.Add("first", "This must be from 1 to "+strconv.Itoa(query.MaxFirst)+".")
	}
	return list.Err()
}

func (p FacetParams) request(keys []string) map[string]any {
	out := map[string]any{}
	if p.Paths {
		out[facetPath] = map[string]int{"level": p.Level}
	}
	if p.Tags {
		out[facetTag] = struct{}{}
	}
	if p.MetadataKeys {
		out[facetKey] = struct{}{}
	}
	if p.MetadataValues && len(keys) > 0 {
		out[facetMetadata] = map[string][]string{"keys": keys}
	}
	if p.Months {
		out[facetMonth] = struct{}{}
	}
	return out
}
