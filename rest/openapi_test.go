package rest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// document is what these tests look at in the OpenAPI document.
type openAPI struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string
		Security    []map[string][]string
		Responses   map[string]any
	}
	Components struct{ Schemas, Responses map[string]any }
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	nobody := caller{t: t, d: d}
	a := nobody.do(http.MethodGet, "/documentation/json", "")
	require.Equal(t, http.StatusOK, a.status)
	var doc openAPI
	require.NoError(t, json.Unmarshal([]byte(a.text), &doc))
	require.True(t, strings.HasPrefix(doc.OpenAPI, "3.1"))
	var routes []string
	for path, item := range doc.Paths {
		for method, op := range item {
			routes = append(routes, strings.ToUpper(method)+" "+path)
			require.NotEmpty(t, op.OperationID, path)
			open := []string{"/health", "/metrics", "/documentation/json"}
			isOpen := slices.Contains(open, path) || method == "put" && path == "/files/{id}/content" // its URL is the credential
			require.Equal(t, !isOpen, len(op.Security) > 0, path)
			if len(op.Security) > 0 {
				require.Contains(t, op.Responses, "401", path)
			}
			require.Contains(t, op.Responses, "429", path)
		}
	}
	for _, want := range []string{
		"POST /auth/token", "POST /documents", "GET /documents/{id}", "PUT /documents/{id}", "DELETE /documents/{id}", "GET /documents/search",
		"POST /jobs", "GET /jobs", "GET /jobs/{id}", "GET /jobs/events", "GET /ws/jobs", "POST /jobs/{id}/encrypt", "POST /jobs/{id}/decrypt",
		"GET /dashboard/{tenantId}", "PUT /webhook", "DELETE /webhook", "POST /messages", "GET /messages", "DELETE /messages", "POST /graphql", "GET /health", "GET /metrics", "GET /documentation/json",
	} {
		require.Contains(t, routes, want)
	}
	require.NotContains(t, slices.Collect(maps.Keys(doc.Components.Schemas)), "ErrorModel")
	// Whatever is said of a component, it is there.
	for _, ref := range regexp.MustCompile(`"#/components/(\w+)/(\w+)"`).FindAllStringSubmatch(a.text, -1) {
		switch ref[1] {
		case "schemas":
			require.Contains(t, doc.Components.Schemas, ref[2])
		case "responses":
			require.Contains(t, doc.Components.Responses, ref[2])
		default:
			require.Fail(t, ref[0])
		}
	}
	require.Contains(t, nobody.do(http.MethodGet, "/documentation/yaml", "").text, "openapi: 3.1")
}

// TestDocumentationPage asks that the page names only files of this server that are there, and runs no script of its own.
func TestDocumentationPage(t *testing.T) {
	t.Parallel()
	nobody := caller{t: t, d: open(t, options{})}
	require.Equal(t, "/documentation/", nobody.do(http.MethodGet, "/documentation", "").header.Get("Location"))
	page := nobody.do(http.MethodGet, "/documentation/", "")
	require.Equal(t, http.StatusOK, page.status)
	policy := page.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "script-src 'self';")
	require.Contains(t, policy, "default-src 'none'")
	require.NotRegexp(t, `<script>|\son\w+=|https?://`, page.text)
	files := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.text, -1)
	require.GreaterOrEqual(t, len(files), 4)
	for _, f := range files {
		a := nobody.do(http.MethodGet, f[1], "")
		require.Equal(t, http.StatusOK, a.status, f[1])
		require.NotEmpty(t, a.text)
		packed := nobody.do(http.MethodGet, f[1], "", "Accept-Encoding", "gzip")
		if packed.header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(packed.text))
			require.NoError(t, err)
			text, err := io.ReadAll(z)
			require.NoError(t, err)
			require.Equal(t, a.text, string(text), f[1])
		}
		require.Equal(t, http.StatusNotModified, nobody.do(http.MethodGet, f[1], "", "If-None-Match", a.header.Get("ETag")).status, f[1])
	}
	nobody.fails(404, "NOT_FOUND", http.MethodGet, "/documentation/nope.js", "")
}

// TestForeignClients lints the document with a public linter, and drives the server with a client that a public generator
// made from it. They are installed by npm ci in testdata/clients; without them the test is skipped.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	tools, err := filepath.Abs(filepath.Join("testdata", "clients"))
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(tools, "node_modules")); err != nil {
		t.Skip("run npm ci in rest/testdata/clients")
	}
	d := openShelf(t)
	c := d.tenant(t)
	dir := t.TempDir()
	doc := filepath.Join(dir, "openapi.json")
	require.NoError(t, os.WriteFile(doc, []byte(c.do(http.MethodGet, "/documentation/json", "").text), 0o600))
	tool := func(name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join(tools, "node_modules", ".bin", name)}, args...)...)
		cmd.Dir = dir
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Run(), "%s: %s", name, out.String())
	}
	config := filepath.Join(dir, "redocly.yaml")
	require.NoError(t, os.WriteFile(config, []byte("extends: [recommended]\n"), 0o600))
	tool("redocly", "lint", "--config", config, "--max-problems", "50", doc)
	tool("openapi-typescript", doc, "-o", filepath.Join(dir, "api.d.ts"))
	require.NoError(t, os.Symlink(filepath.Join(tools, "node_modules"), filepath.Join(dir, "node_modules")))
	source, err := os.ReadFile(filepath.Join(tools, "client.ts"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "client.ts"), source, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o600))
	tool("tsc", "--strict", "--module", "nodenext", "--target", "es2022", "--skipLibCheck", "--lib", "es2022,dom", "client.ts")
	cmd := exec.CommandContext(t.Context(), "node", "client.js", d.url, c.key, c.scope.UserID.String(), c.scope.TenantID.String())
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "all is well")
}
