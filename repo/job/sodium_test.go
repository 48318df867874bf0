package job_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/crypt"
	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// What the SQL functions do depends on the server: with pgsodium preloaded they encrypt, elsewhere they say who does.
func TestSodium(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	s, other := dbtest.Tenant(t, d), dbtest.Tenant(t, d)
	ctx := tenant.With(t.Context(), s)
	jobs := job.New(d.API)
	payload := json.RawMessage(`{"to": "canary@example.org"}`)
	enqueue := func() job.Job {
		j, _, err := jobs.Enqueue(ctx, job.EnqueueParams{Type: "send_email", Payload: payload})
		require.NoError(t, err)
		return j
	}
	stored := func(id int64) string {
		j, err := jobs.GetEncrypted(ctx, id)
		require.NoError(t, err)
		require.NotNil(t, j.PayloadEncrypted)
		return *j.PayloadEncrypted
	}
	j := enqueue()
	preloaded, err := db.Get[bool](t.Context(), d.Owner, "extension", `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pgsodium')`)
	require.NoError(t, err)
	if !preloaded {
		_, err := jobs.EncryptBySodium(ctx, j.ID, false)
		require.Equal(t, errs.NotImplemented, errs.From(err).Code)
		require.Contains(t, err.Error(), "encryptJobPayload")
		_, err = jobs.DecryptBySodium(ctx, "x")
		require.Equal(t, errs.NotImplemented, errs.From(err).Code)
		return
	}

	p := app.NewPayloads(jobs, nil, nil) // without keys of its own
	got, err := p.Encrypt(ctx, j.ID, false)
	require.NoError(t, err)
	require.True(t, got.Encrypted)
	require.JSONEq(t, string(payload), string(got.Payload))
	text := stored(j.ID)
	require.Regexp(t, fmt.Sprintf(`^pgsodium:%d:[A-Za-z0-9+/]{60,}=*$`, j.ID), text)
	plain, err := p.Decrypt(ctx, j.ID)
	require.NoError(t, err)
	require.JSONEq(t, string(payload), string(plain))
	k := enqueue()
	got, err = p.Encrypt(ctx, k.ID, true)
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(got.Payload))
	require.NotEqual(t, text[len(text)-60:], stored(k.ID)[len(stored(k.ID))-60:], "equal payloads, different ciphertexts")

	// The worker opens it with its own role.
	w, err := job.NewRuns(d.Worker).Claim(t.Context(), s.TenantID, nil, 2)
	require.NoError(t, err)
	for _, claimed := range w {
		plain, err := app.NewPayloads(job.New(d.Worker), nil, nil).Open(ctx, claimed)
		require.NoError(t, err)
		require.JSONEq(t, string(payload), string(plain))
	}

	// Another tenant, another job, a changed byte.
	_, err = jobs.DecryptBySodium(tenant.With(t.Context(), other), text)
	require.Equal(t, errs.InvalidPayload, errs.From(err).Code)
	_, err = db.Exec(tenant.With(t.Context(), other), d.API, `SELECT decrypt_job_payload($1, $2)`, text, s.TenantID)
	require.Equal(t, errs.Forbidden, errs.From(err).Code)
	d.Exec(t, `UPDATE jobs SET payload_encrypted = $2 WHERE id = $1`, k.ID, text)
	_, err = p.Decrypt(ctx, k.ID)
	require.Equal(t, errs.InvalidPayload, errs.From(err).Code)
	require.NotContains(t, err.Error(), "canary")
	flipped := []byte(text)
	flipped[len(flipped)-10] ^= 1
	for _, bad := range []string{string(flipped), "pgsodium:AAAA", "not base64!", "pgsodium:1:"} {
		_, err = jobs.DecryptBySodium(ctx, bad)
		require.Equal(t, errs.InvalidPayload, errs.From(err).Code, bad)
	}

	// As another program wrote it: the tenant's id alone as associated data, base64 in lines or hex, without a job.
	for _, form := range []string{`encode(c, 'base64')`, `'pgsodium:' || encode(c, 'base64')`, `c::text`} {
		old, err := db.Get[string](t.Context(), d.Owner, "text", `
			SELECT `+form+` FROM (SELECT pgsodium.crypto_aead_det_encrypt(convert_to(@payload, 'UTF8'), convert_to(@tenant::uuid::text, 'UTF8'),
			    (SELECT id FROM pgsodium.valid_key WHERE name = 'app_payload_encryption')) AS c) AS e`,
			pgx.NamedArgs{"payload": string(payload), "tenant": s.TenantID})
		require.NoError(t, err)
		d.Exec(t, `UPDATE jobs SET payload = '{}', payload_encrypted = $2 WHERE id = $1`, k.ID, old)
		plain, err := p.Decrypt(ctx, k.ID)
		require.NoError(t, err, old)
		require.JSONEq(t, string(payload), string(plain))
	}

	// A change to keys of the program's own takes them along.
	ring, err := crypt.New()
	require.NoError(t, err)
	own := app.NewPayloads(job.New(d.Owner), crypt.Fixed(ring), nil)
	done, err := own.Reencrypt(t.Context(), job.NewCiphertexts(d.Owner), 10, func(app.Reencrypted) {}, func(c job.Ciphertext, err error) {
		require.NoError(t, err, c.Text)
	})
	require.NoError(t, err)
	require.Equal(t, app.Reencrypted{Done: 2}, done)
	plain, err = app.NewPayloads(jobs, crypt.Fixed(ring), nil).Decrypt(ctx, k.ID)
	require.NoError(t, err)
	require.JSONEq(t, string(payload), string(plain))
	n, err := db.Get[int](t.Context(), d.Owner, "count", `SELECT count(*)::int FROM pgsodium.valid_key WHERE name = 'app_payload_encryption'`)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}
