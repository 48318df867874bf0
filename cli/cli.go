// Package cli is the command line: it reads arguments and configuration, builds the program and runs it. It holds no rule.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"
	"golang.org/x/term"

	"stackforge/app"
	"stackforge/config"
	"stackforge/storage"
	"stackforge/tracing"
)

// System is what a command sees of the world around it.
type System struct {
	Environ  []string
	Stdin    io.Reader
	Stdout   io.Writer
	Stderr   io.Writer
	Terminal bool   // Stderr is one
	Dotenv   string // file with further variables; the environment goes before it
}

// OS returns the process's own surroundings.
func OS() System {
	return System{
		Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())), Dotenv: ".env",
	}
}

// grammar is the tree of commands.
type grammar struct {
	Serve   serveCmd   `cmd:"" help:"Run the API; with --worker a worker too."`
	Worker  workerCmd  `cmd:"" help:"Run a worker."`
	Migrate migrateCmd `cmd:"" help:"Bring the database to the state of this program."`
	Seed    seedCmd    `cmd:"" help:"Load the demonstration data."`
	Import  importCmd  `cmd:"" help:"Load data from a file."`
	Embed   embedCmd   `cmd:"" help:"Make the vectors that documents lack."`
	Tenant  tenantCmd  `cmd:"" help:"Manage tenants."`
	Key     keyCmd     `cmd:"" help:"Manage API keys, and the keys of encrypted payloads."`
	Search  searchCmd  `cmd:"" help:"Manage what serves searches."`
	Doctor  doctorCmd  `cmd:"" help:"Show what the database has and lacks."`
	Debian  debianCmd  `cmd:"" name:"debian-index" hidden:"" help:"Turn Debian's package index on stdin into documents on stdout."`

	Loadtest loadtestCmd `cmd:"" help:"Drive a running server with the traffic of ten scenarios and report."`
}

// program is what every command starts from.
type program struct {
	System
	config config.Config
	log    zerolog.Logger
	tracer *tracing.Tracer // of serve and worker; nil without a collector
	opened *storage.Store  // of files; see store

	payloadCounts *app.PayloadCounts // of API and worker; nil until one of them is built
}

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// errReported ends a command whose failure has been told already.
var errReported = errors.New("failed")

// Run runs one command and returns the exit code: 0, 1 when it failed, 2 for a command line or configuration that is not valid.
func Run(ctx context.Context, args []string, sys System) int {
	var g grammar
	code := -1
	parser, err := kong.New(&g, kong.Name("stackforge"),
		kong.Description("A GraphQL-first backend on PostgreSQL. Settings are environment variables; docs/configuration.md has them all."),
		kong.UsageOnError(), kong.Writers(sys.Stdout, sys.Stderr), kong.Exit(func(c int) { code = c }),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return fail(sys, err, exitUsage)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if code >= 0 { // help was asked for
		return code
	}
	if err != nil {
		parser.FatalIfErrorf(err)
		return exitUsage
	}
	c, err := config.Load(sys.Environ, sys.Dotenv)
	if err != nil {
		return fail(sys, err, exitUsage)
	}
	p := &program{System: sys, config: c}
	p.log = p.logger()
	for _, w := range c.Warnings {
		p.log.Warn().Msg(w)
	}
	if err := command.Run(p); err != nil {
		return fail(sys, err, exitFailed)
	}
	return 0
}

func fail(sys System, err error, code int) int {
	if !errors.Is(err, errReported) {
		fmt.Fprintln(sys.Stderr, "stackforge: "+err.Error())
	}
	return code
}

func (p *program) logger() zerolog.Logger {
	out := p.Stderr
	if p.config.Log.Format == "console" || p.config.Log.Format == "auto" && p.Terminal {
		out = zerolog.ConsoleWriter{Out: p.Stderr, TimeFormat: "15:04:05"}
	}
	level, err := zerolog.ParseLevel(p.config.Log.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

// say writes a line for the person at the terminal; results that other programs read go to stdout by print.
func (p *program) say(format string, args ...any) { fmt.Fprintf(p.Stderr, format+"\n", args...) }

func (p *program) print(format string, args ...any) { fmt.Fprintf(p.Stdout, format+"\n", args...) }

// gcPercent lets the heap grow to five times what is live before it is collected. The live heap of a server is some ten
// megabytes, and Go's default would collect it hundreds of times a second under load.
const gcPercent = 400

// calmCollector sets gcPercent unless GOGC says otherwise.
func (p *program) calmCollector() {
	for _, v := range p.Environ {
		if strings.HasPrefix(v, "GOGC=") {
			return
		}
	}
	debug.SetGCPercent(gcPercent)
}

// path returns a file of the data folder.
func (p *program) path(name string) string { return filepath.Join(p.config.DataDir, name) }

// binary is how this program was called, for hints.
func binary() string {
	if len(os.Args) > 0 {
		return os.Args[0]
	}
	return "stackforge"
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(len(s.Value), 12)]
		}
	}
	return info.Main.Version
}
