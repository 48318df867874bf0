package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Bars of the import.
const (
	importBar = 5000 // documents a second
	growthBar = 1.25 // resident memory at the end over that at a quarter: flat, but for the collector's mood
	leastRows = 10_000
	madeRows  = 60_000
)

// importPart loads a real index of packages into an empty tenant, and then copies the rows that came of it into a plain
// table without an index: what the disk and one connection can do at best.
func (b *bench) importPart(ctx context.Context) error {
	d, err := b.database(ctx, "bench_import")
	if err != nil {
		return err
	}
	file, source, err := b.documents(ctx)
	if err != nil {
		return err
	}
	p, err := b.start(ctx, "import", b.bin, settings(d.url, "127.0.0.1:0", b.dir), "import", "documents", "--tenant", d.tenant.String(), file)
	if err != nil {
		return err
	}
	samples := p.watch()
	text, _ := os.ReadFile(p.log)
	if p.err != nil {
		return fmt.Errorf("import: %w: %s", p.err, p.tail())
	}
	m := regexp.MustCompile(`([\d,]+) lines in (\S+) .*?([\d,]+) created`).FindSubmatch(text)
	if m == nil {
		return fmt.Errorf("import said %q", p.tail())
	}
	took, err := time.ParseDuration(string(m[2]))
	if err != nil {
		return err
	}
	created, err := strconv.ParseFloat(strings.ReplaceAll(string(m[3]), ",", ""), 64)
	if err != nil {
		return err
	}
	rate := created / took.Seconds()
	plain, err := copyPlain(ctx, d, created)
	if err != nil {
		return err
	}
	b.report.bound("import", "documents with all indexes, from "+source, count(rate)+"/s", "COPY of the same rows, no index: "+count(plain)+"/s",
		fmt.Sprintf("%.2f", rate/plain), "≥ "+count(importBar)+"/s", rate >= importBar)
	quarter, last, peak := samples[len(samples)/4], samples[len(samples)-1], int64(0)
	for _, s := range samples {
		peak = max(peak, s)
	}
	growth := float64(last) / float64(quarter)
	b.report.bound("import", "resident memory at the end", mib(last), "at a quarter of the time: "+mib(quarter)+", peak: "+mib(peak),
		fmt.Sprintf("%.2f", growth), "≤ 1.25", growth <= growthBar)
	return nil
}

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// watch samples the resident memory of a process until it ends; there is at least one sample.
func (p *process) watch() []int64 {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	out := []int64{1}
	for {
		select {
		case <-p.done:
			return out
		case <-tick.C:
			// A process that is ending has no memory any more.
			if n, err := rss(p.cmd.Process.Pid); err == nil && n > 0 {
				out = append(out, n)
			}
		}
	}
}

// documents returns a file to import: Debian's package index where apt has one, else made-up lines of the same shape.
func (b *bench) documents(ctx context.Context) (file, source string, err error) {
	file = filepath.Join(b.dir, "documents.ndjson")
	out, err := os.Create(file) //nolint:gosec // in the folder of this run
	if err != nil {
		return "", "", err
	}
	defer out.Close() // flushed below
	if n := b.debian(ctx, out); n >= leastRows {
		return file, "Debian's package index", nil
	}
	if err := out.Truncate(0); err != nil {
		return "", "", err
	}
	if _, err := out.Seek(0, 0); err != nil {
		return "", "", err
	}
	w := bufio.NewWriter(out)
	r, list := rand.New(rand.NewPCG(1, 2)), strings.Fields(words) //nolint:gosec // the same lines at every run
	text := func(n int) string {
		var s strings.Builder
		for range n {
			s.WriteString(list[r.IntN(len(list))] + " ")
		}
		return s.String()
	}
	for i := range madeRows {
		fmt.Fprintf(w, `{"externalId":"made:%d","title":"%s","body":"%s","path":"made.part%d","tagIds":[%d,%d],"metadata":{"section":"%s","version":"%d.%d"}}`+"\n",
			i, text(6), text(100), i%60, i%60, 100+i%7, list[i%len(list)], i%9, i%13)
	}
	return file, "made-up lines", w.Flush()
}

// debian writes apt's index as documents and returns how many lines there are, 0 without apt.
func (b *bench) debian(ctx context.Context, out *os.File) int {
	apt := exec.CommandContext(ctx, "apt-cache", "dumpavail")
	index, err := apt.StdoutPipe()
	if err != nil || apt.Start() != nil {
		return 0
	}
	turn := exec.CommandContext(ctx, b.bin, "debian-index", "--tags", filepath.Join(b.dir, "tags.txt")) //nolint:gosec // the measured program
	turn.Stdin, turn.Stdout, turn.Env, turn.Dir = index, out, environment(), b.dir
	failed := turn.Run()
	_ = index.Close()
	if apt.Wait() != nil || failed != nil {
		return 0
	}
	text, _ := os.ReadFile(out.Name())
	return bytes.Count(text, []byte("\n"))
}

// copyPlain times COPY of the documents' own columns into a table without indexes, and returns rows a second.
func copyPlain(ctx context.Context, d *dataset, rows float64) (float64, error) {
	c, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return 0, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	const columns = "tenant_id, id, author_id, external_id, title, body, language, metadata, path, tag_ids, longitude, latitude, version, created_at, updated_at"
	var data bytes.Buffer
	if _, err := c.PgConn().CopyTo(ctx, &data, "COPY (SELECT "+columns+" FROM documents) TO STDOUT"); err != nil {
		return 0, err
	}
	if _, err := c.Exec(ctx, "CREATE TABLE plain AS SELECT "+columns+" FROM documents WITH NO DATA; CHECKPOINT"); err != nil {
		return 0, err
	}
	begin := time.Now()
	tag, err := c.PgConn().CopyFrom(ctx, &data, "COPY plain ("+columns+") FROM STDIN")
	if err != nil {
		return 0, err
	}
	if float64(tag.RowsAffected()) != rows {
		return 0, fmt.Errorf("%d rows were copied, %.0f imported", tag.RowsAffected(), rows)
	}
	return rows / time.Since(begin).Seconds(), nil
}
