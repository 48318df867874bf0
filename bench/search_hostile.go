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
)

// hostileBar is what no text may take longer than, in any mode.
const hostileBar = 250 * time.Millisecond

// hostileRuns is how often a text is asked; the shortest counts, so that a figure is the text's and not the machine's.
const hostileRuns = 3

// hostile reports which of the texts that are made to be slow is the slowest through GraphQL: with hits, their highlights, the count
// and what may have been meant. An answer is hits or VALIDATION_FAILED; anything else fails the part.
func (m *meter) hostile(ctx context.Context, b *bench, part string) error {
	type asked struct {
		text, mode string
		took       time.Duration
	}
	var slowest asked
	asks := 0
	modes := []string{"FTS", "FUZZY", "SOUNDEX", "METAPHONE", "HYBRID"}
	for _, text := range m.lane.corpus.hostile() {
		for _, mode := range modes {
			least := time.Duration(0)
			for range hostileRuns {
				took, err := m.askHostile(ctx, mode, text)
				if err != nil {
					return fmt.Errorf("%s %.40q: %w", mode, text, err)
				}
				if least == 0 || took < least {
					least = took
				}
			}
			asks++
			if least > hostileBar/2 {
				b.logf("%s %.60q: %s", mode, text, fine(least))
			}
			if least > slowest.took {
				slowest = asked{text, mode, least}
			}
		}
	}
	b.report.bound(part, fmt.Sprintf("the slowest of %d hostile questions, through GraphQL", asks), fine(slowest.took),
		fmt.Sprintf("%s %.30q, %d characters", slowest.mode, slowest.text, len([]rune(slowest.text))), "", "≤ "+hostileBar.String(), slowest.took <= hostileBar)
	return nil
}

// askHostile asks once and says how long the answer took.
func (m *meter) askHostile(ctx context.Context, mode, text string) (time.Duration, error) {
	body, err := json.Marshal(map[string]any{
		"variables": map[string]string{"mode": mode, "query": text},
		"query": `query ($mode: SearchMode!, $query: String) { searchDocuments(mode: $mode, query: $query, first: 10) {
			nodes { score document { id title } highlights { html } } totalCount didYouMean } }`,
	})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+m.addr+"/graphql", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", m.lane.key)
	begin := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(answer, []byte(`{"data":{`)) && !bytes.Contains(answer, []byte(`"VALIDATION_FAILED"`)) {
		return 0, fmt.Errorf("answer: %.300s", answer)
	}
	return took, nil
}

// hostile are texts of up to 1,000 characters, which is the most there may be, that ask for as much as they can.
func (c *corpus) hostile() []string {
	most := 1000
	fit := func(words []string, separator string) string {
		n, length := 0, 0
		for n < len(words) && length+len(words[n]) <= most {
			length += len(words[n]) + len(separator)
			n++
		}
		return strings.Join(words[:n], separator)
	}
	frequent := c.mostFrequent(300)
	var prefixes, phrases, typos, negated []string
	for i, w := range frequent {
		if p := w[:2] + "*"; !slices.Contains(prefixes, p) && len(prefixes) < 8 {
			prefixes = append(prefixes, p)
		}
		phrases = append(phrases, fmt.Sprintf("%q", w+" "+frequent[(i+1)%len(frequent)]))
		negated = append(negated, "-"+w)
		if len(w) > 3 {
			typos = append(typos, w[1:2]+w[:1]+w[2:])
		}
	}
	longer := func(text string) string { return strings.Repeat(text+" ", most/(len(text)+1)) }
	return []string{
		fit(frequent, " "), fit(frequent, " or "), fit(frequent[:24], " or "), fit(negated[:64], " "), fit(typos, " "), fit(typos, " or "), fit(typos[:12], " "),
		fit(phrases, " "), fit(phrases, " or "), fit(frequent, "-"), fit(frequent, "/"), `"` + fit(frequent[:100], " ") + `"`,
		prefixes[0], strings.Join(prefixes, " "), strings.Join(prefixes, " or "), `"` + strings.Join(prefixes, " ") + `"`, "-" + strings.Join(prefixes, " -"),
		strings.Repeat(prefixes[0]+" ", 8), fit(frequent[:80], " or ") + " or " + strings.Join(prefixes, " or "), fit(prefixes[:7], " ") + " -" + prefixes[7],
		longer(frequent[0]), longer(frequent[0] + " or"), longer(phrases[0]), longer("the of and"), longer("a b c"), longer("or"), longer("ab cd ef gh ij kl mn op qr st uv wx"),
		strings.Repeat("x", most), strings.Repeat("🦀", most), strings.Repeat("שלום ", most/5), strings.Repeat(`"`, most), strings.Repeat("(", most), longer("& | !"), longer("1 22 333"),
	}
}

// mostFrequent are the words that are in most documents, those first that are in more.
func (c *corpus) mostFrequent(n int) []string {
	ranks := make([]int, len(c.words))
	for i := range ranks {
		ranks[i] = i
	}
	slices.SortStableFunc(ranks, func(a, b int) int { return c.counts[b] - c.counts[a] })
	out := []string{wordFifth, wordTenth}
	for _, i := range ranks[:n] {
		out = append(out, c.words[i])
	}
	return out
}
