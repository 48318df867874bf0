// Command serve starts a throw-away PostgreSQL in memory, runs a command with TEST_DATABASE_URL (and TEST_LANE) set, and
// stops the server. It exits with the command's code (of which `go run` makes a 1). Several test binaries share one server
// this way.
//
//	go run ./db/dbtest/serve [-lane full|bare] -- go test ./...
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"stackforge/db/cluster"
	"stackforge/db/dbtest"
)

// grace is how long the command may take to end after a signal.
const grace = 20 * time.Second

func main() {
	lane := flag.String("lane", string(dbtest.Lane()), "extensions: full (all that the server offers) or bare (contrib only)")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: serve [-lane full|bare] -- command [argument …]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 || *lane != string(dbtest.Full) && *lane != string(dbtest.Bare) {
		flag.Usage()
		os.Exit(2)
	}
	code, err := run(dbtest.Variant(*lane), flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
	}
	os.Exit(code)
}

func run(lane dbtest.Variant, args []string) (code int, err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()

	c, err := cluster.Start(ctx, cluster.Options{Ephemeral: true, ContribOnly: lane == dbtest.Bare, Log: zerolog.Nop()})
	if err != nil {
		return 1, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if serr := c.Stop(ctx); serr != nil {
			code, err = max(code, 1), errors.Join(err, serr)
		}
	}()

	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // running what the caller names is the purpose
	cmd.Env = append(os.Environ(), "TEST_DATABASE_URL="+c.URL("postgres"), "TEST_LANE="+string(lane))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode(), nil
	default:
		return 1, err
	}
}
