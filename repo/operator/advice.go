package operator

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
)

// Advice is what indexes would change for a statement.
type Advice struct {
	Method      string // "hypopg", or "plan" without that extension
	CostBefore  float64
	CostAfter   *float64 // nil when nobody can know
	Suggestions []Suggestion
	Notes       []string
}

// Suggestion is an index that would help.
type Suggestion struct {
	Statement      string
	Table          string
	EstimatedBytes *int64
}

// Bounds of one advice. Beyond them candidates are left out.
const (
	maxCandidates = 24
	adviceTimeout = "3s"
	leastGain     = 0.95 // of the cost before
)

// Advise plans a statement as the API's role, with the caller's tenant, as a server plans a prepared one: whatever values stand
// in it. Nothing is executed. With hypopg it tries indexes that are not there. It is errs.Validation on query for what is
// not one statement, cannot be planned, or touches what the API may not.
func (r *Repo) Advise(ctx context.Context, query string) (Advice, error) {
	text, err := statement(query)
	if err != nil {
		return Advice{}, err
	}
	var out Advice
	err = r.db.Do(ctx, func(tx *db.Tx) error {
		a := advisor{tx: tx, name: `"advice_` + rand.Text() + `"`}
		var aerr error
		out, aerr = a.advise(ctx, text)
		return aerr
	})
	return out, err
}

// advisor works on one prepared statement in one transaction.
type advisor struct {
	tx   *db.Tx
	name string // of the prepared statement, quoted
	call string // EXECUTE name(NULL, …)
	hypo bool
}

func (a *advisor) advise(ctx context.Context, text string) (Advice, error) {
	type have struct {
		Hypo                    bool
		Mode, Timeout, Readonly string
	}
	h, err := db.Get[have](ctx, a.tx, "setting", `
		-- name: operator.AdviceSettings
		SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'hypopg') AS hypo,
		       set_config('plan_cache_mode', 'force_generic_plan', true) AS mode,
		       set_config('statement_timeout', @timeout, true) AS timeout,
		       set_config('transaction_read_only', 'on', true) AS readonly`,
		pgx.NamedArgs{"timeout": adviceTimeout})
	if err != nil {
		return Advice{}, err
	}
	a.hypo = h.Hypo
	// The text goes through the protocol that takes one statement only. What it does wrong must not end the transaction,
	// or the statement would stay prepared in the connection.
	err = a.tx.Do(ctx, func(tx *db.Tx) error {
		_, perr := db.Exec(ctx, tx, "PREPARE "+a.name+" AS "+text)
		return perr
	})
	if err != nil {
		return Advice{}, refused(err)
	}
	var out Advice
	err = a.tx.Do(ctx, func(*db.Tx) error {
		var perr error
		out, perr = a.prepared(ctx)
		return perr
	})
	if a.hypo {
		if _, rerr := db.Exec(ctx, a.tx, `SELECT hypopg_reset()`); err == nil {
			err = rerr
		}
	}
	if _, derr := db.Exec(ctx, a.tx, "DEALLOCATE "+a.name); err == nil {
		err = derr
	}
	return out, err
}

// refused says in words of ours why a statement cannot be planned: the server's may tell of what the caller may not see.
func refused(err error) error {
	var out *errs.Error
	switch errs.From(err).Code {
	case errs.Unavailable, errs.Timeout:
		return err
	case errs.Forbidden:
		out = errs.Wrap(errs.Validation, err, "The statement touches what the API may not read or change.")
	default:
		out = errs.Wrap(errs.Validation, err, "The statement cannot be planned: check its spelling and its names.")
	}
	out.Field = "query"
	return out
}

// prepared advises on the statement that is prepared.
func (a *advisor) prepared(ctx context.Context) (Advice, error) {
	n, err := db.Get[int](ctx, a.tx, "statement", `
		-- name: operator.Parameters
		SELECT cardinality(parameter_types)
		FROM pg_prepared_statements
		WHERE name = @name`,
		pgx.NamedArgs{"name": strings.Trim(a.name, `"`)})
	if err != nil {
		return Advice{}, err
	}
	a.call = a.name
	if n > 0 {
		a.call += "(NULL" + strings.Repeat(", NULL", n-1) + ")"
	}
	now, err := a.explain(ctx)
	if err != nil {
		return Advice{}, refused(err)
	}
	candidates, err := a.candidates(ctx, now)
	if err != nil {
		return Advice{}, err
	}
	out := Advice{
		Method: "plan", CostBefore: now.Cost, Suggestions: []Suggestion{},
		Notes: []string{"Costs are the planner's estimates in its own unit, for values that are not known."},
	}
	if a.hypo {
		out.Method = "hypopg"
		return out, a.try(ctx, candidates, &out)
	}
	out.Notes = append(out.Notes, "Without the extension hypopg no index was tried: whether the planner would use one, what it would gain and how large it would be is not known.")
	for _, c := range fromScans(candidates) {
		out.Suggestions = append(out.Suggestions, Suggestion{Statement: c.statement(c.table), Table: c.table})
	}
	return out, nil
}

// node is what is read of a plan.
type node struct {
	Type     string   `json:"Node Type"`
	Schema   string   `json:"Schema"`
	Relation string   `json:"Relation Name"`
	Alias    string   `json:"Alias"`
	Index    string   `json:"Index Name"`
	Cost     float64  `json:"Total Cost"`
	SortKey  []string `json:"Sort Key"`

	Filter     string `json:"Filter"`
	IndexCond  string `json:"Index Cond"`
	Recheck    string `json:"Recheck Cond"`
	HashCond   string `json:"Hash Cond"`
	MergeCond  string `json:"Merge Cond"`
	JoinFilter string `json:"Join Filter"`

	Plans []node `json:"Plans"`
}

func (n *node) walk(visit func(*node)) {
	visit(n)
	for i := range n.Plans {
		n.Plans[i].walk(visit)
	}
}

func (a *advisor) explain(ctx context.Context) (node, error) {
	// A generic plan is kept, and no invalidation tells of hypothetical indexes.
	if _, err := db.Exec(ctx, a.tx, `DISCARD PLANS`); err != nil {
		return node{}, err
	}
	text, err := db.Get[string](ctx, a.tx, "plan", "EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE "+a.call)
	if err != nil {
		return node{}, err
	}
	var out []struct {
		Plan node `json:"Plan"`
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil || len(out) != 1 {
		return node{}, errs.Wrap(errs.Internal, err, "The plan cannot be read.")
	}
	return out[0].Plan, nil
}

// try gives the planner the candidates, keeps those that it uses, and says what they gain together.
func (a *advisor) try(ctx context.Context, candidates []candidate, out *Advice) error {
	made, err := a.make(ctx, candidates)
	if err != nil {
		return err
	}
	with, err := a.explain(ctx)
	if err != nil {
		return err
	}
	var used []candidate
	with.walk(func(n *node) {
		if i, ok := made[n.Index]; ok && !slices.ContainsFunc(used, func(c candidate) bool { return c.key() == candidates[i].key() }) {
			used = append(used, candidates[i])
		}
	})
	out.CostAfter = &out.CostBefore
	if len(used) == 0 {
		return nil
	}
	if made, err = a.make(ctx, used); err != nil {
		return err
	}
	if with, err = a.explain(ctx); err != nil {
		return err
	}
	if with.Cost > leastGain*out.CostBefore {
		out.Notes = append(out.Notes, "Indexes were tried, and none makes it cheaper by 5 % or more.")
		return nil
	}
	after := with.Cost
	out.CostAfter = &after
	sizes, err := a.sizes(ctx)
	if err != nil {
		return err
	}
	byTable := map[string]int{}
	for name, i := range made {
		c := used[i]
		text := c.statement(c.parent)
		at, ok := byTable[text]
		if !ok {
			at = len(out.Suggestions)
			byTable[text] = at
			out.Suggestions = append(out.Suggestions, Suggestion{Statement: text, Table: c.parent, EstimatedBytes: new(int64)})
		}
		*out.Suggestions[at].EstimatedBytes += sizes[name] // of all partitions
	}
	slices.SortFunc(out.Suggestions, func(x, y Suggestion) int { return strings.Compare(x.Statement, y.Statement) })
	return nil
}

// make replaces the hypothetical indexes of the session and returns the place of each in the list by its name.
func (a *advisor) make(ctx context.Context, list []candidate) (map[string]int, error) {
	if _, err := db.Exec(ctx, a.tx, `SELECT hypopg_reset()`); err != nil {
		return nil, err
	}
	out := map[string]int{}
	for i, c := range list {
		name, err := db.Get[string](ctx, a.tx, "index", `
			-- name: operator.TryIndex
			SELECT indexname
			FROM hypopg_create_index(@statement)`,
			pgx.NamedArgs{"statement": c.statement(c.table)})
		if err != nil {
			return nil, err
		}
		out[name] = i
	}
	return out, nil
}

func (a *advisor) sizes(ctx context.Context) (map[string]int64, error) {
	type size struct {
		Name  string
		Bytes int64
	}
	list, err := db.List[size](ctx, a.tx, `
		-- name: operator.HypotheticalSizes
		SELECT indexname AS name, hypopg_relation_size(indexrelid) AS bytes
		FROM hypopg()`)
	out := map[string]int64{}
	for _, s := range list {
		out[s.Name] = s.Bytes
	}
	return out, err
}

// candidate is an index that might help.
type candidate struct {
	table   string // schema-qualified and quoted, as the planner reads it
	parent  string // the table whose partition it is, or itself
	columns []string
	scanned bool // the plan reads rows of the table and throws some away
}

func (c candidate) key() string { return c.table + " " + strings.Join(c.columns, ",") }

func (c candidate) statement(table string) string {
	return fmt.Sprintf("CREATE INDEX ON %s (%s)", table, strings.Join(c.columns, ", "))
}

// fromScans returns the first candidate of each table of which rows are read and thrown away.
func fromScans(list []candidate) []candidate {
	var out []candidate
	for _, c := range list {
		if c.scanned && !slices.ContainsFunc(out, func(o candidate) bool { return o.parent == c.parent }) {
			c.table = c.parent
			out = append(out, c)
		}
	}
	return out
}
