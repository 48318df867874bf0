package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	searchRuns  = 125 // turns of each figure, when its time allows
	countedRuns = 2   // of a turn; one before them is not counted, because the turns of others leave the caches cold
	leastRuns   = 7
	warmRuns    = 10
)

// probe is one thing that is timed. A nil run is left out.
type probe struct {
	prepare func(i int) error // before each run, not timed; nil for nothing
	run     func(i int) error
	times   []time.Duration // sorted by measure
	spent   time.Duration
}

func (p *probe) String() string {
	if len(p.times) == 0 {
		return "-"
	}
	return fmt.Sprintf("p50 %s, p95 %s", fine(p.p50()), fine(quantile(p.times, .95)))
}

func (p *probe) p50() time.Duration { return quantile(p.times, .5) }

// fine writes a time to two digits behind the point, which searches need.
func fine(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

// once runs the probe and says how long it took.
func (p *probe) once(i int) (time.Duration, error) {
	if p.prepare != nil {
		if err := p.prepare(i); err != nil {
			return 0, err
		}
	}
	begin := time.Now()
	err := p.run(i)
	took := time.Since(begin)
	p.spent += took
	return took, err
}

// measure runs the probes in turn, so that what else the machine does hits all of them alike, each until it has enough
// runs or, if it is slow, has had its time. All run some times before anything counts.
func measure(ctx context.Context, budget time.Duration, probes ...*probe) error {
	for i := range warmRuns + searchRuns {
		for _, p := range probes {
			if p.run == nil || p.spent > budget && len(p.times) >= leastRuns {
				continue
			}
			if i < warmRuns && p.spent > budget/4 {
				continue
			}
			for j := range 1 + countedRuns {
				took, err := p.once((i*(1+countedRuns) + j))
				if err != nil {
					return err
				}
				if i >= warmRuns && j > 0 {
					p.times = append(p.times, took)
				}
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for _, p := range probes {
		slices.Sort(p.times)
	}
	return nil
}

// answers are the figures of one question.
type answers struct {
	question

	sql, graphQL, peer *probe
	whole              *probe  // the statement that GraphQL runs, when it reads more than sql
	hits               float64 // documents of a page, on average
}

// meter measures questions on a lane.
type meter struct {
	lane   *lane
	api    *pgx.Conn // acts as the API
	plain  *pgx.Conn // of the peers: no row security, no kept plans
	caller *caller
	addr   string // the server's
}

// meter connects to the lane's database, and to a server when there is one.
func (l *lane) meter(ctx context.Context, s *server) (*meter, error) {
	m := &meter{lane: l}
	var err error
	if m.api, err = l.act(ctx, l.tenant); err != nil {
		return nil, err
	}
	if m.plain, err = connect(ctx, l.url); err != nil {
		return nil, err
	}
	if _, err := m.plain.Exec(ctx, "SET plan_cache_mode = force_custom_plan"); err != nil {
		return nil, err
	}
	if s != nil {
		m.addr = s.addr
		m.caller, err = newCaller(s.addr, nil)
	}
	return m, err
}

func (m *meter) close(ctx context.Context) {
	_ = m.api.Close(ctx)
	_ = m.plain.Close(ctx)
	if m.caller != nil {
		_ = m.caller.conn.Close()
	}
}

// forms is how many forms of a question are asked in turn.
const forms = 100

// ask prepares the probes of a question.
func (m *meter) ask(ctx context.Context, q question) (*answers, error) {
	a := &answers{question: q, sql: &probe{}, graphQL: &probe{}, peer: &probe{}, whole: &probe{}}
	statements := make([]statement, forms)
	for i := range statements {
		statements[i] = q.statement(m.lane, i)
	}
	a.sql.run = func(i int) error { return statements[i%forms].run(ctx, m.api) }
	if q.peer != nil {
		peers := make([]statement, peerForms)
		for i := range peers {
			peers[i] = q.peer(i)
		}
		a.peer.run = func(i int) error {
			c := m.plain
			if strings.Contains(peers[0].sql, "find_documents") {
				c = m.api
			}
			return peers[i%peerForms].run(ctx, c)
		}
	}
	if m.caller != nil && q.selected != "-" {
		bodies := make([][]byte, forms)
		for i := range bodies {
			body, err := q.graphQL(i)
			if err != nil {
				return nil, err
			}
			bodies[i] = request("POST", "/graphql", m.lane.key, body)
		}
		if q.sql == findSQL {
			a.whole.run = func(i int) error {
				s := statements[i%forms]
				s.sql = wholeSQL
				return s.run(ctx, m.api)
			}
		}
		a.graphQL.run = func(i int) error {
			m.caller.req, m.caller.at = bodies[i%forms], -1
			_, err := m.caller.do("")
			return err
		}
	}
	for i := range 20 {
		n, err := statements[i].count(ctx, m.api)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.name, err)
		}
		a.hits += float64(min(n, 10)) / 20
	}
	return a, nil
}

// count runs the statement and returns its number of rows.
func (s statement) count(ctx context.Context, c *pgx.Conn) (int, error) {
	rows, err := c.Query(ctx, s.sql, s.args...)
	if err != nil {
		return 0, err
	}
	n := 0
	for rows.Next() {
		n++
	}
	rows.Close()
	return n, rows.Err()
}

// all measures the questions, a few at once so that they take turns, and limits beside them: a round trip to the database,
// and one to GraphQL that asks for nothing.
func (m *meter) all(ctx context.Context, b *bench, list []question) ([]*answers, error) {
	out := make([]*answers, 0, len(list))
	for part := range slices.Chunk(list, 6) {
		var probes []*probe
		var names []string
		for _, q := range part {
			a, err := m.ask(ctx, q)
			if err != nil {
				return nil, err
			}
			names = append(names, q.name)
			out = append(out, a)
			probes = append(probes, a.sql, a.whole, a.graphQL, a.peer)
		}
		if err := measure(ctx, b.each()/4, probes...); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(names, "; "), err)
		}
	}
	return out, nil
}

// limits are what nothing can be faster than: a round trip to the database, one to GraphQL that asks for nothing, and one for the
// vector of a query.
func (m *meter) limits(ctx context.Context, b *bench, service string) (trip, empty, vector *probe, err error) {
	one := statement{sql: "SELECT 1"}
	trip = &probe{run: func(int) error { return one.run(ctx, m.api) }}
	body := request("POST", "/graphql", m.lane.key, `{"query":"{ __typename }"}`)
	empty = &probe{run: func(int) error {
		m.caller.req, m.caller.at = body, -1
		_, err := m.caller.do("")
		return err
	}}
	vector = &probe{run: func(i int) error { return fetchVector(ctx, service, fmt.Sprintf("question %d", i%50)) }}
	return trip, empty, vector, measure(ctx, b.each(), trip, empty, vector)
}

// fetchVector asks for the vector of a text and reads it, as the product does for SEMANTIC and HYBRID.
func fetchVector(ctx context.Context, service, text string) error {
	body, err := json.Marshal(map[string]any{"input": []string{text}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, service+"/v1/embeddings", bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var out struct {
		Data []struct {
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	return json.Unmarshal(answer, &out)
}

// recall is the share of the ten nearest documents that the index finds.
func (m *meter) recall(ctx context.Context, q question) (float64, error) {
	const queries = 40
	found, all := 0, 0
	for i := range queries {
		s := q.statement(m.lane, i)
		s.sql = strings.Replace(findSQL, "11", "10", 1)
		got, err := idsOf(ctx, m.api, s)
		if err != nil {
			return 0, err
		}
		want, err := idsOf(ctx, m.plain, exact(m.lane, q.ask(i), m.lane.corpus.vectors.query(q.ask(i).Query), 10))
		if err != nil {
			return 0, err
		}
		for _, id := range want {
			all++
			if slices.Contains(got, id) {
				found++
			}
		}
	}
	return float64(found) / float64(all), nil
}

// idsOf returns the first column.
func idsOf(ctx context.Context, c *pgx.Conn, s statement) ([][16]byte, error) {
	rows, err := c.Query(ctx, s.sql, s.args...)
	if err != nil {
		return nil, err
	}
	var out [][16]byte
	for rows.Next() {
		var id [16]byte
		copy(id[:], rows.RawValues()[0])
		out = append(out, id)
	}
	return out, rows.Err()
}
