package search

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// Explanation is how a page was found.
type Explanation struct {
	Steps   []Step
	Indexes []string // sorted
}

// Step is one statement of a search.
type Step struct {
	Name         string
	Indexes      []string // sorted
	Milliseconds *float64 // planning and execution, nil when it did not run
	Plan         json.RawMessage
}

// Explain returns how the page is found. Statements and whatever is in them stay here: of each plan only names, kinds and
// numbers go out. It is Validation naming the field.
func (f *Found) Explain(ctx context.Context) (Explanation, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Explanation{}, err
	}
	type row struct {
		Step string          `db:"step"`
		Plan json.RawMessage `db:"plan"`
	}
	rows, err := db.List[row](ctx, db.Read(f.repo.db), `
		-- name: search.Explain
		SELECT step, plan
		FROM explain_search($1, $2, $3, $4) WITH ORDINALITY AS e (step, sql, plan, ord)
		ORDER BY ord`, s.TenantID, f.request, f.params.vector(), f.params.First)
	if err != nil {
		return Explanation{}, inArgument(err)
	}
	out := Explanation{Steps: []Step{}, Indexes: []string{}}
	for _, r := range rows {
		read := readPlan
		if r.Step == "indexes" {
			read = readScans
		}
		step, err := read(r.Step, r.Plan)
		if err != nil {
			return Explanation{}, err
		}
		out.Steps = append(out.Steps, step)
		out.Indexes = append(out.Indexes, step.Indexes...)
	}
	out.Indexes = distinct(out.Indexes)
	return out, nil
}

// What of a plan goes out. Conditions, sort keys and outputs have values of the search, and of documents, in them.
func public() []string {
	return []string{
		"Node Type", "Parent Relationship", "Subplan Name", "Join Type", "Strategy", "Partial Mode", "Parallel Aware", "Async Capable",
		"Scan Direction", "Index Name", "Relation Name", "Schema", "Alias", "Function Name", "CTE Name", "Operation", "Command",
		"Startup Cost", "Total Cost", "Plan Rows", "Plan Width",
		"Actual Startup Time", "Actual Total Time", "Actual Rows", "Actual Loops",
		"Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter", "Heap Fetches", "Exact Heap Blocks", "Lossy Heap Blocks",
		"Sort Method", "Sort Space Used", "Sort Space Type", "Peak Memory Usage", "Workers Planned", "Workers Launched",
		"Hash Buckets", "Hash Batches", "Cache Hits", "Cache Misses",
		"Shared Hit Blocks", "Shared Read Blocks", "Shared Dirtied Blocks", "Temp Read Blocks", "Temp Written Blocks",
		"Planning Time", "Execution Time", "Planning", "Plan", "Plans",
		"estimatedRows", "estimatedTitles",
	}
}

func readPlan(name string, text json.RawMessage) (Step, error) {
	var plan any
	if err := json.Unmarshal(text, &plan); err != nil {
		return Step{}, errs.Wrap(errs.Internal, err, "Something went wrong on our side.")
	}
	w := planReader{public: public()}
	text, err := json.Marshal(w.keep(plan))
	if err != nil {
		return Step{}, errs.Wrap(errs.Internal, err, "Something went wrong on our side.")
	}
	step := Step{Name: name, Indexes: distinct(w.indexes), Plan: text}
	if w.timed {
		step.Milliseconds = &w.milliseconds
	}
	return step, nil
}

// readScans reads how often each index was read: also those that functions within a plan read.
func readScans(name string, text json.RawMessage) (Step, error) {
	var scans map[string]int64
	if err := json.Unmarshal(text, &scans); err != nil {
		return Step{}, errs.Wrap(errs.Internal, err, "Something went wrong on our side.")
	}
	return Step{Name: name, Indexes: distinct(slices.Collect(maps.Keys(scans))), Plan: text}, nil
}

type planReader struct {
	public       []string
	indexes      []string
	milliseconds float64
	timed        bool
}

// keep returns what may go out of a value.
func (w *planReader) keep(v any) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, e := range v {
			if _, nested := e.(map[string]any); nested {
				out = append(out, w.keep(e))
			}
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			w.note(key, value)
			if slices.Contains(w.public, key) {
				out[key] = w.keep(value)
			}
		}
		return out
	default:
		return v
	}
}

// note takes indexes and times out of a field.
func (w *planReader) note(key string, value any) {
	switch v := value.(type) {
	case string:
		if key == "Index Name" {
			w.indexes = append(w.indexes, v)
		}
	case float64:
		switch key {
		case "Execution Time", "milliseconds": // the latter of a step that is no statement
			w.milliseconds += v
			w.timed = true
		case "Planning Time":
			w.milliseconds += v
		}
	}
}

func distinct(list []string) []string {
	slices.Sort(list)
	list = slices.Compact(list)
	if list == nil {
		return []string{}
	}
	return list
}
