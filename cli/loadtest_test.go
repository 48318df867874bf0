package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/loadtest"
)

// TestLoadtest sends the traffic of all scenarios through both doors to a server and a worker: every answer must be right.
func TestLoadtest(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	s := serveAPI(t, w.environ("RATE_LIMIT_MAX=0"), "--worker")
	file, page := filepath.Join(w.dir, "report.json"), filepath.Join(w.dir, "report.html")
	r := run(t, w.environ(), "loadtest", "--key", w.key, "--url", s.url, "--duration", "3", "--connections", "3", "--seed", "20", "--door", "both",
		"--json", file, "--html", page, "--threshold", "unexpected<1")
	require.Zero(t, r.code, "%s\n%s", r.stdout, r.stderr)
	require.Contains(t, r.stdout, "mixed-workload")

	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var rep loadtest.Report
	require.NoError(t, json.Unmarshal(text, &rep))
	require.Len(t, rep.Scenarios, 2*len(loadtest.Names()))
	for _, x := range rep.Scenarios {
		require.Positive(t, x.Requests, x.Name)
		if x.Name == "websocket-flood" {
			require.Positive(t, x.Frames, x.Door)
		}
	}
	require.FileExists(t, page)
	require.GreaterOrEqual(t, one[int64](t, w, `SELECT count(*) FROM documents`), int64(20))
}

// TestLoadtestMissed is what a pipeline relies on: the exit code.
func TestLoadtestMissed(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	s := serveAPI(t, w.environ("RATE_LIMIT_MAX=0"))
	args := []string{"loadtest", "--key", w.key, "--url", s.url, "--duration", "1", "--connections", "1", "--seed", "0", "--scenario", "dashboard-analytics", "--parallel", "false"}
	r := run(t, w.environ(), append(args, "--threshold", "rate>1000000")...)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stdout, "missed: dashboard-analytics (rest): rate")
	r = run(t, w.environ(), "loadtest", "--url", s.url)
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, "--key")
}
