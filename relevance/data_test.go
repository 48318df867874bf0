package main

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestSet(t *testing.T) {
	t.Parallel()

	s, err := readSet()
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(s.packages), 600)

	known := map[string]bool{}
	for _, line := range s.packages {
		var p struct{ ExternalID, Title, Path, Body string }
		require.NoError(t, json.Unmarshal([]byte(line), &p))
		require.NotEmpty(t, p.Body, p.ExternalID)
		require.False(t, known[p.ExternalID], "%s is there twice", p.ExternalID)
		known[p.ExternalID] = true
	}

	asked, count := map[string]bool{}, map[string]int{}
	for _, n := range s.needs {
		require.NotEmpty(t, n.Queries, n.Need)
		require.Contains(t, n.judged(), 3, "%s: something must be what is looked for", n.Need)
		for id, grade := range n.Relevant {
			require.Contains(t, []int{1, 2, 3}, grade, n.Need)
			if n.Collection == debian {
				require.True(t, known[id], "%s: there is no package %s", n.Need, id)
				continue
			}
			require.Contains(t, seedTenants(), n.Collection)
			require.NoError(t, uuid.Validate(id), n.Need)
		}
		for _, q := range n.Queries {
			key := n.Collection + " " + q.Class + " " + q.Text + " " + q.Language
			require.False(t, asked[key], "%q is asked twice", q.Text)
			asked[key] = true
			count[q.Class]++
		}
	}
	for _, c := range classes() {
		require.GreaterOrEqual(t, count[c], 12, "queries of class %s", c)
	}
}
