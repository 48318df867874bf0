package importer

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const index = `Package: sail
Version: 2.0-1
Section: non-free/games
Priority: optional
Maintainer: Ada <ada@example.com>
Homepage: https://example.com/sail
Tag: game::{strategy,board}, role::program,
 x11::application
Description-md5: 0123
Description: race of boats
 The wind blows, the boats
 sail along.
 .
 Boats:
  * a dinghy
  * a yacht
 and a raft.

Package: old
Version: 1:1.0
Description: newer by its epoch

Package: old
Version: 9.0
Description: older without one

Package: bare


Version: 1
Description: no name, no document

Package: late` + "\xff" + `
Tag: role::program
Section: libs+x`

func TestDebianIndex(t *testing.T) {
	t.Parallel()
	var out, tags bytes.Buffer
	require.NoError(t, DebianIndex(strings.NewReader(index), &out, &tags))
	require.JSONEq(t, `{"1":"game::board","2":"game::strategy","3":"role::program","4":"x11::application"}`, tags.String())
	var docs []debianDocument
	for d := json.NewDecoder(&out); d.More(); {
		var doc debianDocument
		require.NoError(t, d.Decode(&doc))
		docs = append(docs, doc)
	}
	require.Equal(t, []debianDocument{
		{
			ExternalID: "debian:sail", Title: "sail: race of boats",
			Body: "The wind blows, the boats sail along.\n\nBoats:\n * a dinghy\n * a yacht\nand a raft.",
			Path: "debian.non_free.games", TagIDs: []int{1, 2, 3, 4}, Language: "en",
			Metadata: map[string]string{
				"package": "sail", "version": "2.0-1", "priority": "optional", "maintainer": "Ada <ada@example.com>",
				"homepage": "https://example.com/sail",
			},
		},
		{
			ExternalID: "debian:old", Title: "old: newer by its epoch", Path: "debian.unknown", TagIDs: []int{}, Language: "en",
			Metadata: map[string]string{"package": "old", "version": "1:1.0"},
		},
		{
			ExternalID: "debian:bare", Title: "bare", Path: "debian.unknown", TagIDs: []int{}, Language: "en",
			Metadata: map[string]string{"package": "bare"},
		},
		{
			ExternalID: "debian:late\ufffd", Title: "late\ufffd", Path: "debian.libs_x", TagIDs: []int{3}, Language: "en",
			Metadata: map[string]string{"package": "late\ufffd"},
		},
	}, docs)

	out.Reset()
	tags.Reset()
	require.NoError(t, DebianIndex(strings.NewReader(""), &out, &tags))
	require.Empty(t, out.String())
}

func TestOlder(t *testing.T) {
	t.Parallel()
	sorted := []string{"0.9~rc1-1", "0.9~rc1-2", "0.9", "0.9-1", "0.9a", "0.9+b1", "0.10", "0.010.1", "1.0-1", "1.0-1+deb12u1", "1:0.1"}
	for i, a := range sorted {
		require.False(t, older(a, a))
		for _, b := range sorted[i+1:] {
			require.True(t, older(a, b), "%s < %s", a, b)
			require.False(t, older(b, a), "%s < %s", a, b)
		}
	}
	require.False(t, older("1.01", "1.1"))
}

// The package index of this machine, when it has one.
func TestRealIndex(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("reads the whole package index")
	}
	dump, err := exec.CommandContext(t.Context(), "apt-cache", "dumpavail").Output()
	if err != nil || len(dump) == 0 {
		t.Skip("no package index on this machine")
	}
	names := map[string]bool{}
	for l := range bytes.Lines(dump) {
		if name, ok := strings.CutPrefix(string(l), "Package: "); ok {
			names[strings.TrimSpace(name)] = true
		}
	}
	var out, tags bytes.Buffer
	require.NoError(t, DebianIndex(bytes.NewReader(dump), &out, &tags))
	require.Equal(t, len(names), bytes.Count(out.Bytes(), []byte("\n")))
	for l := range bytes.Lines(out.Bytes()) {
		key, faults := line{text: l}.check()
		require.Empty(t, faults)
		require.True(t, names[strings.TrimPrefix(key, "debian:")], key)
	}
}
