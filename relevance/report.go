package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// floorsFile is relative to the root of the repository.
const floorsFile = "relevance/data/floors.json"

// slack is how far below the figures -floors puts the floors.
const slack = 0.02

// whole is all queries, meant those of the classes that a mode is meant for.
const whole, meant = "all", "meant"

// table has the figures by mode and then by class, whole or meant.
type table map[string]map[string]figure

func newTable(answers []answer) table {
	lists := map[string]map[string][]figure{}
	for _, a := range answers {
		if lists[a.mode] == nil {
			lists[a.mode] = map[string][]figure{}
		}
		l := lists[a.mode]
		l[a.query.Class] = append(l[a.query.Class], a.figure)
		l[whole] = append(l[whole], a.figure)
		if slices.Contains(modeOf(a.mode).classes, a.query.Class) {
			l[meant] = append(l[meant], a.figure)
		}
	}
	t := table{}
	for m, l := range lists {
		t[m] = map[string]figure{}
		for class, list := range l {
			t[m][class] = mean(list)
		}
	}
	return t
}

func modeOf(name string) mode {
	for _, m := range modes() {
		if m.name == name {
			return m
		}
	}
	return mode{}
}

// report prints the table and what the flags ask for. It fails when -check finds something below its floor.
func report(o options, set set, answers []answer) error {
	t := newTable(answers)
	fmt.Fprint(os.Stdout, t)
	if o.misses != "" {
		fmt.Fprint(os.Stdout, misses(o.misses, answers))
	}
	if o.unjudged {
		fmt.Fprint(os.Stdout, unjudged(set, answers))
	}
	if o.floors {
		text, err := json.MarshalIndent(t.floors(), "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(floorsFile, append(text, '\n'), 0o644) //nolint:gosec // a file of the repository
	}
	if !o.check {
		return nil
	}
	text, err := files.ReadFile("data/floors.json")
	if err != nil {
		return err
	}
	var floors map[string]figure
	if err := strictDecoder(text).Decode(&floors); err != nil {
		return err
	}
	if fell := t.fell(floors); len(fell) > 0 {
		return errors.New(strings.Join(fell, "\n           "))
	}
	fmt.Fprintln(os.Stdout, "Nothing is below its floor.")
	return nil
}

// String is the table for people: a line for each mode, a column for each class.
func (t table) String() string {
	var b strings.Builder
	for _, f := range []struct {
		title string
		of    func(figure) float64
	}{
		{"nDCG@10", func(f figure) float64 { return f.NDCG }},
		{"MRR", func(f figure) float64 { return f.MRR }},
	} {
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		columns := append(classes(), meant, whole)
		fmt.Fprintf(w, "%s\t%s\t\n", f.title, strings.Join(columns, "\t"))
		for _, m := range modes() {
			fmt.Fprintf(w, "%s\t", m.name)
			for _, c := range columns {
				mark := " "
				if slices.Contains(m.classes, c) {
					mark = "*"
				}
				fmt.Fprintf(w, "%.3f%s\t", f.of(t[m.name][c]), mark)
			}
			fmt.Fprintln(w)
		}
		if f.title == "MRR" {
			fmt.Fprint(w, "queries\t")
			for _, c := range append(classes(), "", whole) {
				if c == "" {
					fmt.Fprint(w, "\t")
					continue
				}
				fmt.Fprintf(w, "%d \t", t["HYBRID"][c].n)
			}
			fmt.Fprintln(w)
		}
		_ = w.Flush() // into memory
		b.WriteString("\n")
	}
	b.WriteString("* the mode is meant for such queries; \"meant\" is the mean over those.\n")
	return b.String()
}

// floors are the figures less the slack, down to whole thousandths.
func (t table) floors() map[string]figure {
	out := map[string]figure{}
	down := func(v float64) float64 { return max(0, math.Floor((v-slack)*1000)/1000) }
	for m, classes := range t {
		out[m] = figure{NDCG: down(classes[meant].NDCG), MRR: down(classes[meant].MRR)}
	}
	return out
}

// fell are the figures below their floors, and HYBRID over all queries when it is worse than the better of its parts.
func (t table) fell(floors map[string]figure) []string {
	var out []string
	for _, m := range modes() {
		got, floor := t[m.name][meant], floors[m.name]
		if floor.NDCG == 0 || floor.MRR == 0 {
			out = append(out, m.name+" has no floor")
		}
		if got.NDCG < floor.NDCG {
			out = append(out, fmt.Sprintf("nDCG@10 of %s fell to %.3f, its floor is %.3f", m.name, got.NDCG, floor.NDCG))
		}
		if got.MRR < floor.MRR {
			out = append(out, fmt.Sprintf("MRR of %s fell to %.3f, its floor is %.3f", m.name, got.MRR, floor.MRR))
		}
	}
	hybrid := t["HYBRID"][whole]
	for _, part := range []string{"FTS", "SEMANTIC"} {
		p := t[part][whole]
		if hybrid.NDCG < p.NDCG {
			out = append(out, fmt.Sprintf("nDCG@10 of HYBRID over all queries is %.3f, %s alone has %.3f", hybrid.NDCG, part, p.NDCG))
		}
		if hybrid.MRR < p.MRR {
			out = append(out, fmt.Sprintf("MRR of HYBRID over all queries is %.3f, %s alone has %.3f", hybrid.MRR, part, p.MRR))
		}
	}
	return out
}

// misses lists what a mode answered less than well, worst first within each class that it is meant for.
func misses(name string, answers []answer) string {
	var b strings.Builder
	for _, class := range modeOf(name).classes {
		fmt.Fprintf(&b, "\n%s, %s\n", name, class)
		list := slices.DeleteFunc(slices.Clone(answers), func(a answer) bool {
			return a.mode != name || a.query.Class != class || a.NDCG > 0.7
		})
		slices.SortStableFunc(list, func(a, b answer) int { return int(math.Round((a.NDCG - b.NDCG) * 1e6)) })
		for _, a := range list {
			var hits []string
			for _, h := range a.hits {
				hits = append(hits, fmt.Sprintf("%s/%d", h, a.need.Relevant[h]))
			}
			fmt.Fprintf(&b, "  %.2f %q: %s\n", a.NDCG, a.query.Text, strings.Join(hits, " "))
		}
	}
	return b.String()
}

// pool is how many hits of each answer unjudged looks at.
const pool = 5

// unjudged lists hits without a grade, by need, those first that most answers have.
func unjudged(set set, answers []answer) string {
	var b strings.Builder
	for i := range set.needs {
		n := &set.needs[i]
		count := map[string]int{}
		for _, a := range answers {
			for _, h := range a.hits[:min(len(a.hits), pool)] {
				if a.need == n && n.Relevant[h] == 0 {
					count[h]++
				}
			}
		}
		if len(count) == 0 {
			continue
		}
		ids := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
			if count[a] != count[b] {
				return count[b] - count[a]
			}
			return strings.Compare(a, b)
		})
		fmt.Fprintf(&b, "\n%s: %s\n ", n.Collection, n.Need)
		for _, id := range ids {
			fmt.Fprintf(&b, " %s/%d", id, count[id])
		}
		b.WriteString("\n")
	}
	return b.String()
}
