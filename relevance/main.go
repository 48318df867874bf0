// Command relevance measures how well search ranks: nDCG@10 and MRR of every mode, for every class of queries, over a
// judged set of documents and queries that is part of this folder. docs/relevance.md tells what the set is and how to read
// the table.
//
//	go run ./relevance [-lane full|bare] [-check] [-floors] [-misses mode] [-unjudged] [-sql file] [-database URL]
//
// It loads a database of its own on a throw-away PostgreSQL (or on the server of -database) and searches through the same
// code as the API, with the local embedder, so runs on the same code differ by ties only (0.001). The exit code is 1 when
// -check finds a figure below data/floors.json, or HYBRID below the better of its parts; -floors writes that file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"stackforge/db"
	"stackforge/db/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) //nolint:forbidigo // the root of all
	defer stop()
	if err := run(ctx); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "relevance:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	check, floors, unjudged     bool
	database, lane, misses, sql string
}

func parse() (options, error) {
	var o options
	fs := flag.NewFlagSet("relevance", flag.ContinueOnError)
	fs.StringVar(&o.lane, "lane", "full", "extensions: full (all that the server offers) or bare (contrib only)")
	fs.BoolVar(&o.check, "check", false, "exit with 1 when a figure is below its floor")
	fs.BoolVar(&o.floors, "floors", false, "write data/floors.json anew, a little below the figures; run it in the root of the repository")
	fs.StringVar(&o.misses, "misses", "", "list the queries that this mode (such as FTS) answers worst")
	fs.BoolVar(&o.unjudged, "unjudged", false, "list the hits that nobody has judged, to extend the judgements")
	fs.StringVar(&o.sql, "sql", "", "a file of SQL to run after the migrations, to try another text of a function")
	fs.StringVar(&o.database, "database", "", "a superuser's URL of a server to use (default: one of its own)")
	if err := fs.Parse(os.Args[1:]); err != nil {
		return o, err
	}
	if o.lane != "full" && o.lane != "bare" || fs.NArg() > 0 {
		fs.Usage()
		return o, errors.New("there is no such lane or argument")
	}
	return o, nil
}

func run(ctx context.Context) (err error) {
	o, err := parse()
	if err != nil {
		return err
	}
	set, err := readSet()
	if err != nil {
		return err
	}
	if o.database == "" {
		c, err := cluster.Start(ctx, cluster.Options{Ephemeral: true, ContribOnly: o.lane == "bare", Log: zerolog.Nop()})
		if err != nil {
			return err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			err = errors.Join(err, c.Stop(ctx))
		}()
		o.database = c.URL("postgres")
	}
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()

	start := time.Now()
	if err := s.load(ctx, set); err != nil {
		return fmt.Errorf("load the documents: %w", err)
	}
	loaded := time.Now()
	answers, err := s.ask(ctx, set)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "relevance: loaded in %s, %d searches in %s\n",
		loaded.Sub(start).Round(time.Second), len(answers), time.Since(loaded).Round(time.Second))
	return report(o, set, answers)
}

// extensions is what the lane means to db.Migrate.
func (o options) extensions() db.Extensions {
	if o.lane == "bare" {
		return db.ExtensionsContrib
	}
	return db.ExtensionsAuto
}
