package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/playground/playgroundtest"
)

// A person opens the playground of a real server in a real browser, types the key that the seed showed, reads documents,
// and watches a job that another client enqueues and a worker runs. With PLAYGROUND_SCREENSHOT=1 the picture in docs is
// taken anew.
func TestPlayground(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	w := &world{DB: d, dir: t.TempDir()}
	s := serve(t, w.environ(), "--seed", "--worker")
	key := shownKey(t, s.stderr.String())
	tour := playgroundtest.Tour{BaseURL: s.url, APIKey: key}
	if os.Getenv("PLAYGROUND_SCREENSHOT") != "" { //nolint:forbidigo // it decides about a picture, not about the program
		tour.Screenshots = t.TempDir()
	}
	client := caller{url: s.url, key: key}
	tour.Enqueue = func() { client.enqueue(t, "send_email", mailTo("from the tour")) }
	tour.Run(t)
	if tour.Screenshots == "" {
		return
	}
	picture, err := os.ReadFile(filepath.Join(tour.Screenshots, "playground-documents.png"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("../docs/playground.png", picture, 0o644))
}
