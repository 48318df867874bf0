package hashid_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/hashid"
)

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	usual   = letters + "1234567890"
)

// The values were written by the pg_hashids extension.
func TestKnownValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		salt, alphabet string
		minLength      int
		numbers        []int64
		want           string
	}{
		{"", usual, 0, []int64{1001}, "jNl"},
		{"", usual, 0, []int64{123}, "Mj3"},
		{"", usual, 0, []int64{0}, "gY"},
		{"", usual, 0, []int64{42}, "9x"},
		{"", usual, 0, []int64{1}, "jR"},
		{"", usual, 0, []int64{5}, "nR"},
		{"This is my salt", usual, 0, []int64{1234567}, "Pdzxp"},
		{"This is my salt", usual, 10, []int64{1234567}, "PlRPdzxpR7"},
		{"This is my salt", "abcdefghijABCDEFGHIJ1234567890", 10, []int64{1234567}, "3GJ956J9Bj"},
		{"salt", usual, 0, []int64{0}, "OW"},
		{"salt", usual, 0, []int64{1}, "XG"},
		{"salt", usual, 8, []int64{42}, "1zkWe3e5"},
		{"salt", usual, 0, []int64{math.MaxInt64}, "x9jv4Xod02Go9"},
		{"salt", usual, 0, []int64{-1}, "P1xzGL6wGlZn1"},
		{"salt", usual, 0, []int64{1, 2, 3}, "JWiouV"},
		{"salt", usual, 12, []int64{1, 2, 3}, "Ba8JWiouVk12"},
		{"supacommerce", usual, 8, []int64{1}, "d3eoq1Lb"},
		{"supacommerce", usual, 8, []int64{2}, "8PezEk7n"},
		{"supacommerce", usual, 8, []int64{10}, "mpkyveQR"},
		{"supacommerce", usual, 8, []int64{100}, "Q2elbm1b"},
		{"supacommerce", usual, 8, []int64{12345}, "3eozZKkL"},
		{"supacommerce", usual, 8, []int64{1000000}, "2elxvame"},
		{"s3cret", usual, 8, []int64{1}, "kN2dNQgD"},
		{"s3cret", usual, 8, []int64{2}, "Pk7Vb71K"},
		{"jobs", letters, 0, []int64{42}, "Ykd"},
	} {
		t.Run(c.want, func(t *testing.T) {
			t.Parallel()
			got, err := hashid.Encode(c.salt, c.alphabet, c.minLength, c.numbers...)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			back, err := hashid.Decode(c.salt, c.alphabet, c.minLength, got)
			require.NoError(t, err)
			require.Equal(t, c.numbers, back)
		})
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	_, err := hashid.Encode("salt", usual, 0)
	require.ErrorIs(t, err, hashid.ErrEmpty)
	_, err = hashid.Encode("salt", "abcdefghijklmno", 0, 1)
	require.ErrorIs(t, err, hashid.ErrAlphabet)
	_, err = hashid.Encode("salt", "abcdefghijklmnop qrst", 0, 1)
	require.ErrorIs(t, err, hashid.ErrAlphabet)
	_, err = hashid.Encode("sält", usual, 0, 1)
	require.ErrorIs(t, err, hashid.ErrSalt)

	other, err := hashid.Encode("salt", usual, 0, 5)
	require.NoError(t, err)
	long := strings.Repeat("z", 40)
	for _, hash := range []string{"", " ", "0", "zzzz", "é", "\xff\xfe", "jR-", other, long, "OW XG"} {
		_, err := hashid.Decode("other", usual, 0, hash)
		require.ErrorIs(t, err, hashid.ErrInvalid, "%q", hash)
	}
}

func TestPublicIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []int64{0, 1, 42, 1 << 31, math.MaxInt64, -1, math.MinInt64} {
		hash := hashid.Job(id)
		require.Empty(t, strings.Trim(hash, letters), "letters only")
		back, ok := hashid.ParseJob(hash)
		require.True(t, ok)
		require.Equal(t, id, back)
	}
	id := uuid.MustParse("00000000-0000-0000-0000-000000000001")
	back, ok := hashid.ParseDocument(hashid.Document(id))
	require.True(t, ok)
	require.Equal(t, id, back)

	two, err := hashid.Encode("stackforge.jobs", letters, 0, 1, 2)
	require.NoError(t, err)
	for _, hash := range []string{"", "42", two, hashid.Document(id), hashid.Job(7) + "a", strings.Repeat("a", 33)} {
		_, ok := hashid.ParseJob(hash)
		require.False(t, ok, "%q", hash)
	}
	wide, err := hashid.Encode("stackforge.documents", usual, 0, 1<<32, 2, 3, 4)
	require.NoError(t, err)
	three, err := hashid.Encode("stackforge.documents", usual, 0, 1, 2, 3)
	require.NoError(t, err)
	for _, hash := range []string{"", "42", wide, three, hashid.Job(7), id.String(), strings.Repeat("a", 65)} {
		_, ok := hashid.ParseDocument(hash)
		require.False(t, ok, "%q", hash)
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("salt", int64(1), int64(-1), uint8(3), 12)
	f.Add("", int64(0), int64(math.MaxInt64), uint8(1), 0)
	f.Fuzz(func(t *testing.T, salt string, a, b int64, n uint8, minLength int) {
		numbers := make([]int64, n%8+1)
		for i := range numbers {
			numbers[i] = a + int64(i)*b
		}
		minLength = min(max(minLength, 0), 100)
		hash, err := hashid.Encode(salt, usual, minLength, numbers...)
		if err != nil {
			require.ErrorIs(t, err, hashid.ErrSalt)
			return
		}
		require.GreaterOrEqual(t, len(hash), minLength)
		back, err := hashid.Decode(salt, usual, minLength, hash)
		require.NoError(t, err)
		require.Equal(t, numbers, back)
	})
}

// What decodes at all is what its numbers encode to.
func FuzzDecode(f *testing.F) {
	f.Add("jR")
	f.Add("JWiouV")
	f.Fuzz(func(t *testing.T, hash string) {
		numbers, err := hashid.Decode("salt", usual, 0, hash)
		if err != nil {
			return
		}
		again, err := hashid.Encode("salt", usual, 0, numbers...)
		require.NoError(t, err)
		require.Equal(t, hash, again)
	})
}

func BenchmarkJob(b *testing.B) {
	for i := range b.N {
		hashid.Job(int64(i) << 20)
	}
}

func BenchmarkParseJob(b *testing.B) {
	hash := hashid.Job(1 << 40)
	for range b.N {
		hashid.ParseJob(hash)
	}
}

func BenchmarkDocument(b *testing.B) {
	id := uuid.MustParse("0190b5a1-7c3e-7abc-8def-0123456789ab")
	for range b.N {
		hashid.Document(id)
	}
}

func random(rng *rand.Rand) int64 { return int64(rng.Uint64() >> rng.UintN(64)) }

func randomID(rng *rand.Rand) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], rng.Uint64())
	return id
}

func seedName(s uint64) string { return "seed " + strconv.FormatUint(s, 10) }
