package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Bars of search that hold for all modes; those of each are with its question.
const (
	graphQLBar = 300 * time.Microsecond // that GraphQL over HTTP may add to SQL, at p50
	recallBar  = 0.95                   // of the ten nearest vectors
	manyBar    = 1.5                    // a tenant among 1,000 beside the same one alone, at p50
)

// searchPart measures every mode of search in each lane: as SQL by the role of the API, through GraphQL, and beside them the
// plainest statement that answers something like it.
func (b *bench) searchPart(ctx context.Context) error {
	for _, name := range b.lanes {
		if err := b.searchLane(ctx, name); err != nil {
			if ctx.Err() != nil {
				return err
			}
			b.report.failed("search "+name, err) // the other lane can do without
		}
	}
	if b.many > 0 {
		return b.manyTenants(ctx)
	}
	return nil
}

// bareVectors is how many documents have a vector in the bare lane at most, where all are compared one by one.
const bareVectors = 4000

func (b *bench) searchLane(ctx context.Context, name string) error {
	vectors := b.vectors
	if name == "bare" {
		vectors = min(vectors, bareVectors)
	}
	l, err := b.lane(ctx, name, "bench_search_"+name, b.corpus, vectors, lexicon())
	if err != nil {
		return err
	}
	defer l.close(ctx)
	service := l.corpus.vectors.service()
	defer service.Close()
	s, err := b.serve(ctx, "search", l.url, append(l.env, "EMBEDDING_URL="+service.URL)...)
	if err != nil {
		return err
	}
	defer s.stop()
	list, err := l.questions(ctx)
	if err != nil {
		return err
	}
	m, err := l.meter(ctx, s)
	if err != nil {
		return err
	}
	defer m.close(context.WithoutCancel(ctx))
	trip, empty, vector, err := m.limits(ctx, b, service.URL)
	if err != nil {
		return err
	}
	part := "search " + name
	b.report.note(part, "select 1", trip.String(), "", "")
	b.report.note(part, "GraphQL { __typename }", empty.String(), "", "")
	b.report.note(part, "a query's vector from a service that computes nothing", vector.String(), "", "")

	if err := l.indexes(ctx, b, m, list); err != nil {
		return err
	}
	kind, err := l.ownIndex(ctx, b, "--auto")
	if err != nil {
		return err
	}
	b.logf("%s lane, all modes, %s index", name, kind)
	own, err := m.all(ctx, b, list)
	if err != nil {
		return err
	}
	for _, a := range own {
		b.judge(part, kind, a, vector)
	}
	if err := b.recalls(ctx, m, part, list); err != nil {
		return err
	}
	return m.hostile(ctx, b, part)
}

// indexes measures full text with each kind of index but the one that --auto chooses, which is judged.
func (l *lane) indexes(ctx context.Context, b *bench, m *meter, list []question) error {
	var words []question
	for _, q := range list {
		if strings.HasPrefix(q.name, "FTS") {
			words = append(words, q)
		}
	}
	kinds := []string{"shared"}
	if l.has(ctx, "rum") {
		kinds = append(kinds, "rum")
	}
	for _, kind := range kinds {
		b.logf("%s lane, full text, %s index", l.name, kind)
		if kind == "rum" {
			if _, err := l.ownIndex(ctx, b, "--tenant", l.tenant.String(), "--using", kind); err != nil {
				return err
			}
		}
		found, err := m.all(ctx, b, words)
		if err != nil {
			return err
		}
		for _, a := range found {
			b.report.note("search "+l.name, a.name+"; "+kind+" index", a.sql.String(), a.beside+": "+a.peer.String(), ratioOf(a.sql, a.peer))
		}
	}
	return nil
}

func (l *lane) close(ctx context.Context) { _ = l.owner.Close(context.WithoutCancel(ctx)) }

// judge reports a question's figures.
func (b *bench) judge(part, kind string, a *answers, vector *probe) {
	what := a.name
	if strings.HasPrefix(what, "FTS") {
		what += "; " + kind + " index"
	}
	peer := ""
	if a.peer.run != nil {
		peer = a.beside + ": " + a.peer.String()
	}
	if a.sql.p50() > 0 && a.hits > 0 && a.question.sql == findSQL {
		peer += fmt.Sprintf(" (%.1f hits a page)", a.hits)
	}
	if bar := a.bars[strings.TrimPrefix(part, "search ")]; bar > 0 {
		b.report.bound(part, what, a.sql.String(), peer, ratioOf(a.sql, a.peer), "p50 ≤ "+bar.String(), a.sql.p50() <= bar)
	} else {
		b.report.note(part, what, a.sql.String(), peer, ratioOf(a.sql, a.peer))
	}
	if a.graphQL.run == nil {
		return
	}
	adds, less := a.graphQL.p50()-a.sql.p50(), ""
	if a.whole.run != nil {
		adds, less = a.graphQL.p50()-a.whole.p50(), " to its statement's "+fine(a.whole.p50())
	}
	if a.vector() {
		adds -= vector.p50()
		less += ", without the vector's " + fine(vector.p50())
	}
	b.report.bound(part, "— through GraphQL", a.graphQL.String(), "adds "+fine(adds)+less, "", "adds ≤ 0.3 ms", adds <= graphQLBar)
}

func ratioOf(a, b *probe) string {
	if len(a.times) == 0 || len(b.times) == 0 || b.p50() == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", float64(a.p50())/float64(b.p50()))
}

// recalls reports what the index of vectors misses.
func (b *bench) recalls(ctx context.Context, m *meter, part string, list []question) error {
	if m.lane.name != "full" {
		return nil
	}
	for _, q := range list {
		if !strings.HasPrefix(q.name, "SEMANTIC") {
			continue
		}
		share, err := m.recall(ctx, q)
		if err != nil {
			return err
		}
		b.report.bound(part, "recall of the ten nearest: "+q.name, fmt.Sprintf("%.3f", share), "exact order, 40 queries", "", fmt.Sprintf("≥ %.2f", recallBar), share >= recallBar)
	}
	return nil
}
