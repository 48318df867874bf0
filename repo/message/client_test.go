package message_test

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
)

// A published client works unchanged. It needs node, and `npm install` in testdata/clients.
func TestClient(t *testing.T) {
	t.Parallel()

	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	if _, err := os.Stat("testdata/clients/node_modules/pgmq-js"); err != nil {
		t.Skip("the client is not installed: npm install in testdata/clients")
	}
	d := dbtest.New(t)
	c, err := pgx.ParseConfig(d.URL)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), node, "pgmq.js")
	cmd.Dir = "testdata/clients"
	cmd.Env = append(os.Environ(), "PGHOST="+c.Host, "PGPORT="+strconv.Itoa(int(c.Port)), "PGDATABASE="+c.Database)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "all calls answered")
}
