package importer

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBar(t *testing.T) {
	t.Parallel()
	p := Progress{Bytes: 50, TotalBytes: 100, Lines: 25000, Rate: 5100.4, ETA: 7 * time.Second}
	now := time.Unix(0, 0)
	var out bytes.Buffer
	b := NewBar(&out)
	b.clock, b.shown = func() time.Time { return now }, now

	b.Show(p)
	now = now.Add(4900 * time.Millisecond)
	b.Show(p)
	require.Empty(t, out.String(), "elsewhere a line every five seconds")
	now = now.Add(100 * time.Millisecond)
	b.Show(p)
	b.Close()
	require.Equal(t, "50 %  25,000 lines  5,100/s  7s left\n", out.String())

	out.Reset()
	b.width = 60
	b.Show(p)
	require.Empty(t, out.String(), "not more often than the eye sees")
	now = now.Add(redraw)
	b.Show(p)
	b.Close()
	require.Equal(t, "\r\x1b[K[##########..........] 50 %  25,000 lines  5,100/s  7s left\r\x1b[K", out.String())

	for _, width := range []int{1, 5, 20, 37, 45, 200} {
		b.width = width
		require.Less(t, len(b.draw(p)), max(width, 2))
	}
	require.Equal(t, "1 lines  0/s  2 rejected", text(Progress{Lines: 1, Rejected: 2}))
	require.Equal(t, "1,234,567", thousands(1234567))
	require.Equal(t, "123", thousands(123))
}
