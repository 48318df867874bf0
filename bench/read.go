package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Bars of the read path: shares of what the bare handler reaches.
const (
	readBar = 0.60
	restBar = 0.75
	pageBar = 0.50
)

const connections = 16

// fields are all scalar fields of a document, and its author.
const fields = `id nodeId hashid tenantId authorId title body language metadata path tagIds longitude latitude externalId ` +
	`embeddingModel version createdAt updatedAt author { id email }`

const (
	readQuery = `{"query":"query Read($id: ID!) { document(id: $id) { ` + fields + ` } }","variables":{"id":"` + placeholder + `"}}`
	pageQuery = `{"query":"query Page { documents(first: 20) { ` + fields + ` } }"}`
	listQuery = `{"query":"query List { documents(first: 20) { id } }"}`
)

// contest is one operation, asked of the product and of bare handlers.
type contest struct {
	part, query string
	get         string   // of REST, instead of the query
	paths       []string // of the bare variants
	names       []string
	bar         float64
	trips       float64 // round trips to the database that one request may make
}

func (b *bench) readPart(ctx context.Context) error {
	return b.contest(ctx, contest{
		part: "read", query: readQuery, paths: []string{"/document/" + placeholder}, names: []string{"bare"}, bar: readBar, trips: 1,
	})
}

func (b *bench) restPart(ctx context.Context) error {
	return b.contest(ctx, contest{
		part: "rest", get: "/documents/" + placeholder, paths: []string{"/documents/" + placeholder}, names: []string{"bare"}, bar: restBar, trips: 1,
	})
}

// request is what the product is asked.
func (c contest) request(key string) []byte {
	if c.get != "" {
		return request("GET", c.get, key, "")
	}
	return request("POST", "/graphql", key, c.query)
}

func (b *bench) pagePart(ctx context.Context) error {
	return b.contest(ctx, contest{
		part: "page", query: pageQuery, paths: []string{"/page", "/joined"}, names: []string{"bare, two statements", "bare, one join"}, bar: pageBar, trips: 2,
	})
}

func (b *bench) contest(ctx context.Context, c contest) error {
	d, err := b.ready(ctx)
	if err != nil {
		return err
	}
	sql, err := b.observe(ctx, d, c)
	if err != nil {
		return err
	}
	product, err := b.serve(ctx, "serve", d.url)
	if err != nil {
		return err
	}
	defer product.stop()
	peer, err := b.serveBare(ctx, d, sql)
	if err != nil {
		return err
	}
	defer peer.stop()

	ours, err := newSide("product", product.addr, c.request(d.key), connections)
	if err != nil {
		return err
	}
	defer ours.close()
	sides := []*side{ours}
	for i, path := range c.paths {
		s, err := newSide(c.names[i], peer.addr, request("GET", path, "", ""), connections)
		if err != nil {
			return err
		}
		defer s.close()
		sides = append(sides, s)
	}
	if err := equal(d.ids, sides); err != nil {
		return err
	}
	if err := compare(ctx, d.ids, b.each(), sides...); err != nil {
		return err
	}
	best := sides[1]
	for _, s := range sides[2:] {
		if s.rate() > best.rate() {
			best = s
		}
	}
	for _, s := range sides[1:] {
		if s != best {
			b.report.note(c.part, "requests, 16 connections", ours.String(), s.name+": "+s.String(), fmt.Sprintf("%.2f", ours.over(s)))
		}
	}
	b.report.ratio(c.part, "requests, 16 connections", ours.String(), best.name+": "+best.String(), ours.over(best), c.bar)
	return nil
}

// equal checks that all sides answer with the same bytes.
func equal(ids []string, sides []*side) error {
	for i := range 50 {
		id := ids[i*len(ids)/50]
		var want []byte
		for _, s := range sides {
			got, err := s.callers[0].do(id)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if want == nil {
				want = bytes.Clone(got)
			}
			if !bytes.Equal(want, got) {
				return fmt.Errorf("%s answers something else than the product:\n%.1500s\n%.1500s", s.name, got, want)
			}
		}
	}
	return nil
}

// observe runs the operation a few hundred times through a proxy that counts round trips and learns the statements.
func (b *bench) observe(ctx context.Context, d *dataset, c contest) (statements, error) {
	var out statements
	p, err := newProxy(ctx, b.dir, d.url)
	if err != nil {
		return out, err
	}
	defer p.close()
	s, err := b.serve(ctx, "observed", p.URL)
	if err != nil {
		return out, err
	}
	defer s.stop()
	// All are needed for their statements; only the last one, that of the part, is counted.
	const requests = 500
	for _, q := range []contest{{query: readQuery}, {query: pageQuery}, {query: listQuery}, c} {
		call, err := newCaller(s.addr, q.request(d.key))
		if err != nil {
			return out, err
		}
		for i := range 2 * requests {
			if i == requests {
				p.reset()
			}
			if _, err := call.do(d.ids[(i*7919)%len(d.ids)]); err != nil {
				return out, err
			}
		}
		_ = call.conn.Close()
	}
	b.trips(c, p.counts(), requests)
	var missing [4]error
	out.Scope, missing[0] = p.text("scope")
	out.Get, missing[1] = p.text("document.Get")
	out.Page, missing[2] = p.text("document.ListWithAuthors")
	out.List, missing[3] = p.text("document.List")
	return out, errors.Join(missing[:]...)
}

// trips reports what went over the database's connections for that many requests.
func (b *bench) trips(c contest, counts map[string]int, requests int) {
	total := 0
	var kinds []string
	for batch, n := range counts {
		total += n
		if n*20 > requests { // the rest is background work
			kinds = append(kinds, strings.ReplaceAll(batch, " + ", "+"))
		}
	}
	sort.Strings(kinds)
	each := float64(total) / float64(requests)
	// Background work (heartbeats of health, use of keys) has connections too: a twentieth of a trip is no trip of the request.
	b.report.bound(c.part, "round trips to the database per request", fmt.Sprintf("%.2f", each), strings.Join(kinds, ", "), "",
		fmt.Sprintf("≤ %.0f", c.trips), each < c.trips+0.05)
}

// serveBare starts the peer.
func (b *bench) serveBare(ctx context.Context, d *dataset, sql statements) (*server, error) {
	text, err := json.Marshal(sql)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.dir, "statements.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := b.start(ctx, "bare", self, nil, "bare", "-addr", addr, "-url", d.url, "-tenant", d.tenant.String(), "-sql", file)
	if err != nil {
		return nil, err
	}
	return &server{p, addr}, p.answers(ctx, addr)
}
