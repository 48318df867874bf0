package hashid

import (
	"encoding/binary"
	"sync"

	"github.com/google/uuid"
)

// Salts and alphabets of the public ids; the SQL functions encode_job_id and encode_document_id hold the same.
const (
	lettersOnly = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	withDigits  = lettersOnly + "1234567890"

	jobSalt      = "stackforge.jobs"
	documentSalt = "stackforge.documents"
)

// Longer texts are no ids of ours and are not looked at.
const (
	maxJob      = 32
	maxDocument = 64
)

//nolint:gochecknoglobals // constants that take a computation
var (
	jobs      = sync.OnceValue(func() *Codec { return must(New(jobSalt, lettersOnly, 0)) })
	documents = sync.OnceValue(func() *Codec { return must(New(documentSalt, withDigits, 0)) })
)

func must(c *Codec, err error) *Codec {
	if err != nil {
		panic(err) // the alphabets above are valid
	}
	return c
}

// Job is the short public id of a job, as SQL encode_job_id writes it: letters only, so that it never looks like a number.
func Job(id int64) string {
	var room [32]byte
	return string(jobs().encode(room[:0], []int64{id}))
}

// ParseJob reads what Job wrote; false for every other text.
func ParseJob(hash string) (int64, bool) {
	if len(hash) > maxJob {
		return 0, false
	}
	numbers, err := jobs().Decode(hash)
	if err != nil || len(numbers) != 1 {
		return 0, false
	}
	return numbers[0], true
}

// Document is the short public id of a document, as SQL encode_document_id writes it: some 28 letters and digits.
func Document(id uuid.UUID) string {
	var numbers [4]int64
	for i := range numbers {
		numbers[i] = int64(binary.BigEndian.Uint32(id[4*i:]))
	}
	var room [64]byte
	return string(documents().encode(room[:0], numbers[:]))
}

// ParseDocument reads what Document wrote; false for every other text.
func ParseDocument(hash string) (uuid.UUID, bool) {
	if len(hash) > maxDocument {
		return uuid.Nil, false
	}
	numbers, err := documents().Decode(hash)
	if err != nil || len(numbers) != 4 {
		return uuid.Nil, false
	}
	var id uuid.UUID
	for i, n := range numbers {
		if n < 0 || n >= 1<<32 {
			return uuid.Nil, false
		}
		binary.BigEndian.PutUint32(id[4*i:], uint32(n))
	}
	return id, true
}
