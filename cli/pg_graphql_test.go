package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The running program passes operations of pg_graphql's dialect on, or says at both doors that the extension is missing.
func TestPgGraphQL(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	s := serveAPI(t, w.environ("GRAPHQL_INTROSPECTION=off"))
	client := w.caller(s)
	createDocument(t, client, "Passed on")
	post := func(path, key, query string) answer {
		body, err := json.Marshal(map[string]string{"query": query})
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(string(body)))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		if key != "" {
			r.Header.Set("X-Api-Key", key)
		}
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		a := answer{status: response.StatusCode, text: string(text)}
		require.NoError(t, json.Unmarshal(text, &a), a.text)
		return a
	}
	const query = `{ documentsCollection(first: 2) { edges { node { id title createdAt } } } }`
	installed := one[bool](t, w, `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_graphql')`)
	for _, path := range []string{"/graphql", "/graphql/pg"} {
		a := post(path, "", query)
		require.Equal(t, http.StatusUnauthorized, a.status, a.text)
		a = post(path, w.key, query)
		if installed {
			require.Equal(t, http.StatusOK, a.status, a.text)
			require.Contains(t, a.text, "Passed on")
		} else {
			require.Equal(t, http.StatusNotImplemented, a.status, a.text)
			require.Equal(t, []string{"NOT_IMPLEMENTED"}, a.codes())
			require.Contains(t, a.text, "pg_graphql")
		}
	}
	a := post("/graphql/pg", w.key, `{ __schema { types { name } } }`)
	require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), "introspection is off")

	var data struct {
		Capabilities []struct {
			Name      string
			Installed bool
		}
	}
	client.get(t, &data, `{ capabilities { name installed } }`, nil)
	require.Contains(t, data.Capabilities, struct {
		Name      string
		Installed bool
	}{"pg_graphql", installed})
	require.Contains(t, ok(t, w.environ(), "doctor"), "pg_graphql")
}
