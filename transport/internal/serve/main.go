// Command serve runs the transport on the fixture schema, so that foreign clients and audit suites can be tried on it.
// See transport/testdata/clients.
package main

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/rs/zerolog"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/errs"
	"stackforge/transport"
	"stackforge/transport/internal/fixture"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "address to listen on")
	draft := flag.Bool("draft", false, "answer with the statuses of the 2026 draft")
	every := flag.Duration("every", 100*time.Millisecond, "time between two events of the topic clock")
	flag.Parse()
	log := zerolog.New(os.Stderr).With().Timestamp().Logger()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) //nolint:forbidigo // this is main
	defer stop()
	resolver := fixture.New()
	resolver.Fail = transport.Fail
	handler := transport.New(transport.Config{
		Schema:        fixture.NewExecutableSchema(fixture.Config{Resolvers: resolver}),
		Introspection: func(context.Context) bool { return true },
		ShareKey:      func(context.Context) string { return "everybody" },
		Authenticate:  authenticate,
		Draft2026:     *draft,
		Log:           log,
	})
	go tick(ctx, resolver, *every)

	server := &http.Server{Addr: *listen, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		handler.Shutdown(late)
		_ = server.Shutdown(late)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal().Err(err).Send()
	}
}

// authenticate refuses only those who ask for it.
func authenticate(ctx context.Context, _ *http.Request, payload map[string]any) (context.Context, time.Time, error) {
	if payload["apiKey"] == "wrong" {
		refused := gqlerror.Errorf("This key is not valid.")
		refused.Extensions = map[string]any{"code": string(errs.Forbidden)}
		return nil, time.Time{}, refused
	}
	return ctx, time.Time{}, nil
}

// tick publishes events of the topic clock.
func tick(ctx context.Context, resolver *fixture.Resolver, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			resolver.Publish(ctx, &fixture.Event{Number: n, Topic: "clock", Body: now.Format(time.RFC3339Nano)})
		}
	}
}
