package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Shapes of the made-up documents.
const (
	bodyWords  = 60
	titleWords = 5
	areas      = 20 // of 50 topics each: 1,000 paths
	topics     = 50
	tags       = 200
	sources    = 20
	west       = 0.0 // a square of ten degrees: ten kilometres around a point hold some 40 of 100,000 documents
	south      = 45.0
	square     = 10.0
)

// corpus makes documents, the same in every run but for the year, which ends today, and remembers which words are in how many.
type corpus struct {
	documents int
	words     []string
	counts    []int // documents, by word
	titles    []string
	vectors   *vectors

	random *rand.Rand
	offset int   // of the numbers of vectors
	last   []int // the last document that had the word
	now    time.Time
}

func newCorpus(documents int, words []string, v *vectors) *corpus {
	c := &corpus{
		documents: documents, words: words, counts: make([]int, len(words)), vectors: v,
		last: make([]int, len(words)), now: time.Now(),
	}
	c.seed(0)
	return c
}

// seed makes other texts and vectors of the same kind; 0 are the first.
func (c *corpus) seed(n uint64) {
	c.random = rand.New(rand.NewPCG(3, 5+n)) //nolint:gosec // made-up text
	c.offset = int(n) * c.documents          //nolint:gosec // small
}

// corpusColumns are those of row.
const corpusColumns = "tenant_id, author_id, external_id, title, body, metadata, path, tag_ids, longitude, latitude, created_at, updated_at, embedding, embedding_model"

// row appends document n, from 1, as a line for COPY. An embedded one has a vector.
func (c *corpus) row(out []byte, n int, tenant, author string, embedded bool) []byte {
	title, body := c.text(n, titleWords), c.text(n, bodyWords)
	if n%100 == 0 {
		c.titles = append(c.titles, title)
	}
	if n%5 == 0 {
		body += " " + wordFifth
	}
	if n%10 == 3 {
		body += " " + wordTenth
	}
	r := c.random
	moment := c.now.Add(-time.Duration(float64(n) / float64(c.documents) * 365 * 24 * float64(time.Hour))).UTC().Format(time.RFC3339)
	out = fmt.Appendf(out, "%s\t%s\tdoc-%d\t%s\t%s.\t", tenant, author, n, strings.ToUpper(title[:1])+title[1:], body)
	out = fmt.Appendf(out, "source=>s%d,k%d=>v%d\tarea%d.topic%d\t{%d,%d}\t", n%sources, n%7, n%100, r.IntN(areas), r.IntN(topics), 1+r.IntN(tags), 1+r.IntN(tags))
	out = fmt.Appendf(out, "%.6f\t%.6f\t%s\t%s\t", west+square*r.Float64(), south+square*r.Float64(), moment, moment)
	if !embedded {
		return append(out, "\\N\t\\N\n"...)
	}
	return append(c.vectors.text(out, c.vectors.document(c.offset+n)), "\t"+benchModel+"\n"...)
}

// text is some words of document n.
func (c *corpus) text(n, words int) string {
	var b strings.Builder
	for i := range words {
		w := pick(c.random, len(c.words))
		if c.last[w] != n {
			c.last[w] = n
			c.counts[w]++
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.words[w])
	}
	return b.String()
}

// between are words of which each is in a share of the documents from least to most; at most a hundred, of all frequencies
// in between. They have no fewer letters than asked for.
func (c *corpus) between(least, most float64, letters int) []string {
	var all []string
	for i, n := range c.counts {
		share := float64(n) / float64(c.documents)
		if share >= least && share <= most && len(c.words[i]) >= letters {
			all = append(all, c.words[i])
		}
	}
	step := max(1, len(all)/100)
	var out []string
	for i := 0; i < len(all) && len(out) < 100; i += step {
		out = append(out, all[i])
	}
	return out
}
