package nodeid_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/nodeid"
)

func TestDecode(t *testing.T) {
	t.Parallel()

	kind, id, ok := nodeid.Decode(nodeid.Encode("Job", "42"))
	require.True(t, ok)
	require.Equal(t, "Job", kind)
	require.Equal(t, "42", id)

	for _, bad := range []string{"", "x", "Sm9iOjQy", nodeid.Encode("Job", "42") + "!"} {
		_, _, ok := nodeid.Decode(bad)
		require.False(t, ok, bad)
	}
}
