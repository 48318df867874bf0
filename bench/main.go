// Command bench measures the product: every figure beside a peer or a physical limit that is measured in the same run, so
// that the ratio says something on any machine. docs/benchmarks.md tells how, and what came out.
//
//	go run ./bench [-only read,page,rest,realtime,sockets,jobs,webhooks,search,import,dashboard,encryption,files,messages,tenants,start] [-seconds 10] [-bin bin/stackforge] [-strict] [-keep]
//	               [-lanes full,bare] [-documents 100000] [-vectors 20000] [-many 1000] [-file 1024]
//
// It runs a PostgreSQL of its own with durable settings in a temporary folder, and the built program in processes of its
// own. Nothing but loopback and unix sockets is used. The exit code is 0 also when a bar is missed, unless -strict.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // the root of all
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == "bare" {
		err = serveBare(ctx, os.Args[2:])
	} else if len(os.Args) == 3 && os.Args[1] == "sockets" {
		err = serveSockets(ctx, os.Args[2])
	} else {
		err = run(ctx)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// part is one group of figures.
type part struct {
	name string
	run  func(b *bench, ctx context.Context) error
}

func parts() []part {
	return []part{
		{"read", (*bench).readPart},
		{"page", (*bench).pagePart},
		{"rest", (*bench).restPart},
		{"realtime", (*bench).realtimePart},
		{"sockets", (*bench).socketsPart},
		{"jobs", (*bench).jobsPart},
		{"webhooks", (*bench).webhooksPart},
		{"search", (*bench).searchPart},
		{"import", (*bench).importPart},
		{"dashboard", (*bench).dashboardPart},
		{"encryption", (*bench).encryptionPart},
		{"files", (*bench).filesPart},
		{"messages", (*bench).messagesPart},
		{"tenants", (*bench).tenantsPart},
		{"start", (*bench).startPart},
	}
}

// options are the flags.
type options struct {
	bin     string
	keep    bool
	only    []string
	seconds int
	strict  bool
	file    int // MiB

	// Of search: the number of documents, and so on.
	corpus  int
	lanes   []string
	many    int
	vectors int
}

func parse() (options, error) {
	var o options
	var only, lanesOnly string
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&only, "only", "", "parts to run, separated by commas: read, page, rest, realtime, sockets, jobs, webhooks, search, import, dashboard, encryption, files, messages, tenants, start (default all)")
	fs.IntVar(&o.seconds, "seconds", 10, "time of each measured side of a part")
	fs.StringVar(&o.bin, "bin", "bin/stackforge", "the program to measure")
	fs.BoolVar(&o.strict, "strict", false, "exit with 1 when a bar is missed")
	fs.IntVar(&o.file, "file", 1024, "files: MiB of the file that is sent")
	fs.BoolVar(&o.keep, "keep", false, "keep the temporary folder, with the logs of the processes")
	fs.StringVar(&lanesOnly, "lanes", "full,bare", "search: with all extensions of the server, with PostgreSQL's contrib only, or both")
	fs.IntVar(&o.corpus, "documents", 100_000, "search: documents of the tenant")
	fs.IntVar(&o.vectors, "vectors", 20_000, "search: how many of them have a vector; the index of 100,000 takes minutes to make")
	fs.IntVar(&o.many, "many", 0, "search: also a tenant of 1,000 documents among so many, beside the same alone; loading 1,000 takes many minutes")
	if err := fs.Parse(os.Args[1:]); err != nil {
		return o, err
	}
	if o.seconds < 2 || o.seconds > 600 {
		return o, errors.New("-seconds must be from 2 to 600")
	}
	if o.file < 16 || o.file > 5120 {
		return o, errors.New("-file must be from 16 to 5120")
	}
	if o.corpus < 1000 || o.vectors < 0 || o.vectors > o.corpus {
		return o, errors.New("-documents must be at least 1000, and -vectors from 0 to -documents")
	}
	if o.many != 0 && o.many < 2*manyBlock {
		return o, fmt.Errorf("-many must be at least %d", 2*manyBlock)
	}
	o.lanes = strings.Split(lanesOnly, ",")
	for _, name := range o.lanes {
		if !slices.Contains(lanes(), name) {
			return o, fmt.Errorf("-lanes: there is no lane %q", name)
		}
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(parts(), func(p part) bool { return p.name == name }) {
			return o, fmt.Errorf("-only: there is no part %q", name)
		}
	}
	bin, err := filepath.Abs(o.bin)
	if err == nil {
		_, err = os.Stat(bin)
	}
	o.bin = bin
	return o, err
}

func run(ctx context.Context) error {
	o, err := parse()
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer b.close(context.WithoutCancel(ctx))
	for _, p := range parts() {
		if len(o.only) > 0 && !slices.Contains(o.only, p.name) {
			continue
		}
		start := time.Now()
		b.logf("%s …", p.name)
		if err := p.run(b, ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// One part that cannot run must not hide the others.
			b.report.failed(p.name, err)
		}
		b.logf("%s took %s", p.name, time.Since(start).Round(time.Second))
	}
	b.report.print(os.Stdout)
	if o.strict && b.report.missed() {
		return errors.New("a bar was missed")
	}
	return nil
}
