package job_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// Nobody gets around the rules of a type by calling a row encrypted.
func TestRedactedRows(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	ctx := tenant.With(t.Context(), dbtest.Tenant(t, d))
	do := func(sql string, args ...any) errs.Code {
		_, err := db.Exec(ctx, d.API, sql, args...)
		if err == nil {
			return ""
		}
		return errs.From(err).Code
	}
	const insert = `INSERT INTO jobs (tenant_id, type, payload, payload_encrypted) VALUES (current_tenant(), $1, $2::text::jsonb, $3)`
	cipher := "sf1:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for name, c := range map[string]struct {
		payload string
		text    *string
		code    errs.Code
	}{
		"an empty payload without a ciphertext": {`{}`, nil, errs.InvalidPayload},
		"something that is no ciphertext":       {`{}`, new("redacted"), errs.InvalidPayload},
		"a ciphertext that is too short":        {`{}`, new("sf1:AAAA"), errs.InvalidPayload},
		"a bad payload beside a ciphertext":     {`{"to": 5}`, &cipher, errs.InvalidPayload},
		"a redacted row":                        {`{}`, &cipher, ""},
		"a good payload beside a ciphertext":    {`{"to": "a@example.org"}`, &cipher, ""},
	} {
		require.Equal(t, c.code, do(insert, "send_email", c.payload, c.text), name)
	}
	require.Equal(t, errs.InvalidPayload, do(`UPDATE jobs SET type = 'cleanup_files' WHERE payload = '{}'`), "what is encrypted cannot be judged for another type")
	require.Equal(t, errs.InvalidPayload, do(`UPDATE jobs SET payload_encrypted = NULL WHERE payload = '{}'`), "it would be empty")
	require.Empty(t, do(`UPDATE jobs SET payload = '{"to": "b@example.org"}' WHERE payload <> '{}'`))
	n, err := db.Get[int](ctx, d.API, "count", `SELECT count(*)::int FROM jobs WHERE payload ->> 'to' = 'b@example.org' AND payload_encrypted IS NULL`)
	require.NoError(t, err)
	require.Equal(t, 1, n, "the ciphertext of another payload goes")
}

func TestSodiumID(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]int64{"pgsodium:42:AAAA": 42, "pgsodium:AAAA": 0, "AAAA": 0, "sf1:1:AAAA": 0, "pgsodium:x:AAAA": 0, "pgsodium:1:2:AAAA": 0} {
		id, ok := job.SodiumID(text)
		require.Equal(t, want, id, text)
		require.Equal(t, want != 0, ok, text)
	}
}
