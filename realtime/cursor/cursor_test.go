package cursor_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/realtime/cursor"
)

func snapshot(r *rand.Rand) cursor.Snapshot {
	s := cursor.Snapshot{Max: 1000 + r.Uint64N(1<<40)}
	x := s.Max
	for range r.IntN(5) {
		x -= 1 + r.Uint64N(100)
		s.Open = append(s.Open, x)
	}
	slices.Reverse(s.Open)
	return s
}

func TestEncode(t *testing.T) {
	t.Parallel()

	t.Run("what was written is read again", func(t *testing.T) {
		t.Parallel()

		r := rand.New(rand.NewPCG(1, 2))
		for range 1000 {
			p := cursor.Position{Epoch: int32(r.Uint32()), Seen: snapshot(r)}
			if r.IntN(2) == 0 {
				p.Until = cursor.Snapshot{Max: p.Seen.Max + r.Uint64N(1000), Open: p.Seen.Open}
				p.ID = r.Int64N(1 << 50)
			}
			got, err := cursor.Parse("jobs", p.Encode("jobs"))
			require.NoError(t, err)
			require.Equal(t, p, got)
			s, err := cursor.ParseSnapshot(p.Seen.String())
			require.NoError(t, err)
			require.Equal(t, p.Seen, s)
		}
	})

	t.Run("it is short while nothing else is in progress", func(t *testing.T) {
		t.Parallel()

		p := cursor.Position{Epoch: -5, Seen: cursor.Snapshot{Max: 1_000_000}}
		require.LessOrEqual(t, len(p.Encode("jobs")), 20)
		p = p.To(cursor.Snapshot{Max: 1_000_001})
		p.ID = 1_000_000
		require.LessOrEqual(t, len(p.Encode("jobs")), 28)
	})
}

func TestParse(t *testing.T) {
	t.Parallel()

	good := cursor.Position{Epoch: 7, Seen: cursor.Snapshot{Max: 100, Open: []uint64{90, 95}}}.Encode("jobs")

	t.Run("another stream's cursor is refused", func(t *testing.T) {
		t.Parallel()

		_, err := cursor.Parse("documents", good)
		require.ErrorIs(t, err, cursor.ErrInvalid)
	})

	t.Run("a cursor with one character changed is refused", func(t *testing.T) {
		t.Parallel()

		for i := range good {
			bad := []byte(good)
			bad[i] = 'A' + (bad[i]+1)%26
			if string(bad) == good {
				continue
			}
			_, err := cursor.Parse("jobs", string(bad))
			require.ErrorIs(t, err, cursor.ErrInvalid, "%s", bad)
		}
	})

	for _, text := range []string{"", "A", "AAAAAAAAAAAAAAAA", good + "A", good[:len(good)-2], "ü"} {
		t.Run("no cursor: "+text, func(t *testing.T) {
			t.Parallel()

			_, err := cursor.Parse("jobs", text)
			require.ErrorIs(t, err, cursor.ErrInvalid)
		})
	}
}

func TestParseSnapshot(t *testing.T) {
	t.Parallel()

	for _, text := range []string{"", "1:2", "0:1:", "3:2:", "1:5:5", "2:5:1", "1:5:3,2", "1:5:3,3", "1:5:x", "a:b:"} {
		t.Run("no snapshot: "+text, func(t *testing.T) {
			t.Parallel()

			_, err := cursor.ParseSnapshot(text)
			require.ErrorIs(t, err, cursor.ErrInvalid)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(cursor.Position{Epoch: 7, Seen: cursor.Snapshot{Max: 100, Open: []uint64{90, 95}}}.Encode("jobs"))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := cursor.Parse("jobs", text)
		if err == nil {
			require.Equal(t, text, p.Encode("jobs"))
		}
	})
}
