package hashid_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/hashid"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func TestEqualsSQL(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	start := rand.Uint64()
	rng := rand.New(rand.NewPCG(start, 0))
	jobs := []int64{0, 1, 42, -1}
	docs := []uuid.UUID{uuid.Nil, uuid.Max}
	for range 500 {
		jobs = append(jobs, random(rng))
		docs = append(docs, randomID(rng))
	}
	type row struct {
		Job      string
		Document string
	}
	for i := range docs {
		docs[i][0] &= 0x7f >> (i % 8) // small numbers too
	}
	jobs = jobs[:len(docs)]
	rows, err := db.List[row](t.Context(), d.Owner, `
		-- name: hashid.TestEqualsSQL
		SELECT encode_job_id(t.job) AS job, encode_document_id(t.document) AS document
		FROM unnest($1::bigint[], $2::uuid[]) WITH ORDINALITY AS t (job, document, ord)
		ORDER BY t.ord`, jobs, docs)
	require.NoError(t, err)
	for i, r := range rows {
		require.Equal(t, r.Job, hashid.Job(jobs[i]), "%s, job %d", seedName(start), jobs[i])
		require.Equal(t, r.Document, hashid.Document(docs[i]), "%s, document %s", seedName(start), docs[i])
	}

	// Any salt, alphabet, length and number of numbers.
	for range 200 {
		salt := letters[:rng.IntN(30)]
		alphabet := []string{usual, letters, lower, "0123456789abcdef"}[rng.IntN(4)]
		minLength := rng.IntN(20)
		numbers := make([]int64, rng.IntN(4)+1)
		for i := range numbers {
			numbers[i] = random(rng)
		}
		want, err := db.Get[string](t.Context(), d.Owner, "hash", `
			-- name: hashid.TestEqualsSQL
			SELECT hashid_encode($1, $2, $3, $4)`, numbers, salt, minLength, alphabet)
		require.NoError(t, err)
		got, err := hashid.Encode(salt, alphabet, minLength, numbers...)
		require.NoError(t, err)
		require.Equal(t, want, got, "%s: %v, salt %q, %q, %d", seedName(start), numbers, salt, alphabet, minLength)
	}
}
