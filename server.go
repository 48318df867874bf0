// Command stackforge is a GraphQL-first backend on PostgreSQL: API, worker and their tools in one program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"stackforge/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default handling is back: a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args[1:], cli.OS()))
}
