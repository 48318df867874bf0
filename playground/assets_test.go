package playground

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type manifest struct {
	Packages []struct{ Name, Version, License string } `json:"packages"`
	Sources  map[string]string                         `json:"sources"`
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	content, err := files.ReadFile("assets/manifest.json")
	require.NoError(t, err)
	var m manifest
	require.NoError(t, json.Unmarshal(content, &m))
	return m
}

func TestAssets(t *testing.T) {
	t.Parallel()

	t.Run("they were built from the sources that are here", func(t *testing.T) {
		t.Parallel()
		have := map[string]string{}
		entries, err := os.ReadDir("web")
		require.NoError(t, err)
		for _, entry := range entries {
			switch filepath.Ext(entry.Name()) {
			case ".js", ".jsx", ".mjs", ".css", ".html", ".svg":
			default:
				if entry.Name() != "package-lock.json" {
					continue
				}
			}
			content, err := os.ReadFile(filepath.Join("web", entry.Name()))
			require.NoError(t, err)
			sum := sha256.Sum256(content)
			have[entry.Name()] = hex.EncodeToString(sum[:])
		}
		require.Contains(t, have, "examples.js")
		require.Equal(t, readManifest(t).Sources, have, "stale: run npm ci && npm run build in playground/web")
	})

	t.Run("every package inside has a licence we accept and its text", func(t *testing.T) {
		t.Parallel()
		texts, err := files.ReadFile("assets/LICENSES.txt")
		require.NoError(t, err)
		packages := readManifest(t).Packages
		require.NotEmpty(t, packages)
		for _, p := range packages {
			require.Contains(t, []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "OFL-1.1"}, p.License, p.Name)
			require.Contains(t, string(texts), p.Name+" "+p.Version+" ("+p.License+")")
		}
	})

	t.Run("they stay small", func(t *testing.T) {
		t.Parallel()
		total := 0
		for name, content := range readAssets(t) {
			if filepath.Ext(name) != ".woff2" {
				content = compress(content)
			}
			total += len(content)
		}
		require.Less(t, total, 650_000, "bytes that a first visit may cost, compressed")
	})
}

func readAssets(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	require.NoError(t, fs.WalkDir(files, "assets", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(path)
		all[path] = content
		return err
	}))
	return all
}

// Addresses that occur in the bundle without being loaded: names of XML namespaces, links that a person can follow, and
// texts of errors and descriptions.
const namedHosts = "www.w3.org react.dev codemirror.net github.com en.wikipedia.org commonmark.org example.com"

func TestOffline(t *testing.T) {
	t.Parallel()
	address := regexp.MustCompile(`(?:https?|wss?)://[a-zA-Z0-9.-]+\.[a-zA-Z]+`)
	load := regexp.MustCompile(`(?i)\b(?:src|import|importScripts|fetch|Worker|WebSocket|EventSource|url)\s*(?:=|:|\()?\s*["'` + "`" + `]?(?:https?:|wss?:)?//[a-z0-9]`)

	t.Run("the patterns find what they are for", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{
			`<script src="https://cdn.example.com/a.js">`, `import("https://cdn.example.com/a.js")`,
			`import a from"//cdn.example.com/a.js";import "https://cdn.example.com/b.js"`,
			`@import url(//cdn.example.com/a.css)`, `@import "https://cdn.example.com/a.css"`,
			`fetch("https://api.example.com")`, "new WebSocket(`wss://api.example.com`)", `{src:"https://a.example.com/x.png"}`,
		} {
			require.Regexp(t, load, text)
		}
		require.Regexp(t, address, `href:"https://cdn.example.com/a.css"`)
	})

	t.Run("no script, style, font or request goes to another host", func(t *testing.T) {
		t.Parallel()
		for path, content := range readAssets(t) {
			switch filepath.Ext(path) {
			case ".js", ".css", ".html", ".svg":
			default:
				continue
			}
			require.Empty(t, load.FindAllString(string(content), -1), path)
			for _, found := range address.FindAllString(string(content), -1) {
				parsed, err := url.Parse(found)
				require.NoError(t, err)
				require.Contains(t, strings.Fields(namedHosts), parsed.Host, "in %s: is it loaded, or only named?", path)
			}
		}
	})
}
