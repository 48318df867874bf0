package transport

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/errs"
	"stackforge/transport/internal/fixture"
)

// TestForeignClients drives the server with the clients that browsers use, and runs a public audit of GraphQL over HTTP. They are
// installed by npm ci in testdata/clients; without them the test is skipped.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("testdata/clients/node_modules"); err != nil {
		t.Skip("run npm ci in transport/testdata/clients")
	}
	w := start(t, func(c *Config) {
		c.ShareKey = func(context.Context) string { return "everybody" }
		c.Authenticate = func(ctx context.Context, _ *http.Request, payload map[string]any) (context.Context, time.Time, error) {
			if payload["apiKey"] == "wrong" {
				refused := gqlerror.Errorf("This key is not valid.")
				refused.Extensions = map[string]any{"code": string(errs.Forbidden)}
				return nil, time.Time{}, refused
			}
			return ctx, time.Time{}, nil
		}
	})
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-t.Context().Done():
				return
			case <-tick.C:
				w.resolver.Publish(t.Context(), &fixture.Event{Number: n, Topic: "clock"})
			}
		}
	}()
	for script, url := range map[string]string{"clients.js": "ws" + strings.TrimPrefix(w.url, "http"), "audit.js": w.url} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "node", script, url)
			cmd.Dir = "testdata/clients"
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
		})
	}
}
