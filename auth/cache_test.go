package auth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCache(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	t.Run("it never holds more than its limit and keeps what was put last", func(t *testing.T) {
		t.Parallel()

		c := newCache[int, int](100)
		for i := range 1000 {
			c.put(i, i, now.Add(time.Duration(i)*time.Second))
			require.LessOrEqual(t, len(c.entries), 100)
			v, ok := c.get(i, now.Add(-time.Second))
			require.True(t, ok)
			require.Equal(t, i, v)
		}
		require.Len(t, c.entries, 100)
	})

	t.Run("replacing an entry evicts none", func(t *testing.T) {
		t.Parallel()

		c := newCache[int, int](2)
		c.put(1, 1, now)
		c.put(2, 2, now)
		c.put(2, 3, now)
		require.Len(t, c.entries, 2)
	})

	t.Run("an entry ends at its time", func(t *testing.T) {
		t.Parallel()

		c := newCache[int, int](2)
		c.put(1, 1, now)
		_, ok := c.get(1, now.Add(-1))
		require.True(t, ok)
		_, ok = c.get(1, now)
		require.False(t, ok)
	})

	t.Run("remove drops what matches", func(t *testing.T) {
		t.Parallel()

		c := newCache[int, int](3)
		c.put(1, 10, now)
		c.put(2, 20, now)
		c.remove(func(v int) bool { return v == 10 })
		require.Len(t, c.entries, 1)
		c.drop(2)
		require.Empty(t, c.entries)
	})
}
