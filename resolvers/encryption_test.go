package resolvers_test

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/job"
)

const (
	encryptPayload = `mutation ($id: ID!, $redact: Boolean! = false) { encryptJobPayload(input: {id: $id, redact: $redact}) { job { id encrypted payload } } }`
	decryptPayload = `mutation ($id: ID!) { decryptJobPayload(input: {id: $id}) { payload } }`
	encryptedJob   = `mutation ($in: EnqueueJobInput!) { enqueueJob(input: $in) { duplicate job { id encrypted payload } } }`
)

// stored is a job's payload as it is in the database.
func (d *door) stored(id any) (payload, encrypted string) {
	d.t.Helper()

	type row struct {
		Payload   string `db:"payload"`
		Encrypted string `db:"encrypted"`
	}
	r, err := db.Get[row](d.t.Context(), d.Owner, "job", `
		SELECT payload::text AS payload, coalesce(payload_encrypted, '') AS encrypted FROM jobs WHERE id = $1::text::bigint`, id)
	require.NoError(d.t, err)
	return r.Payload, r.Encrypted
}

func TestEncryptJobPayload(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	payload := vars{"to": "canary@example.org", "n": 1.5, "list": []any{"a", nil}}
	id := c.job(vars{"payload": payload})
	require.Equal(t, []string{"NOT_FOUND"}, c.ask(decryptPayload, vars{"id": id}).codes(), "nothing is encrypted yet")

	// Beside the payload.
	j := at(t, c.get(encryptPayload, vars{"id": id}), "encryptJobPayload", "job")
	require.Equal(t, map[string]any{"id": id, "encrypted": true, "payload": map[string]any(payload)}, j)
	plain, text := d.stored(id)
	require.Contains(t, plain, "canary")
	require.True(t, strings.HasPrefix(text, "sf1:"))
	raw, err := base64.StdEncoding.DecodeString(text[4:])
	require.NoError(t, err)
	require.NotContains(t, string(raw), "canary")
	require.Equal(t, map[string]any(payload), at(t, c.get(decryptPayload, vars{"id": id}), "decryptJobPayload", "payload"))
	c.get(encryptPayload, vars{"id": id})
	_, same := d.stored(id)
	require.Equal(t, text, same, "what is encrypted stays")

	// In its place; a second time changes nothing.
	for range 2 {
		j = at(t, c.get(encryptPayload, vars{"id": id, "redact": true}), "encryptJobPayload", "job")
		require.Equal(t, map[string]any{"id": id, "encrypted": true, "payload": map[string]any{}}, j)
	}
	require.Zero(t, d.count(`SELECT count(*)::int FROM jobs j WHERE j::text LIKE '%canary%'`))
	require.Equal(t, map[string]any(payload), at(t, c.get(decryptPayload, vars{"id": id}), "decryptJobPayload", "payload"))

	// By whom.
	require.Equal(t, []string{"FORBIDDEN"}, c.with("jobs:read", "jobs:write").ask(decryptPayload, vars{"id": id}).codes())
	require.Equal(t, []string{"FORBIDDEN"}, c.with("jobs:decrypt").ask(encryptPayload, vars{"id": id}).codes())
	require.Empty(t, c.with("jobs:decrypt").ask(decryptPayload, vars{"id": id}).Errors)
	other := d.tenant()
	for _, q := range []string{encryptPayload, decryptPayload} {
		require.Equal(t, []string{"NOT_FOUND"}, other.ask(q, vars{"id": id}).codes())
		require.Equal(t, []string{"NOT_FOUND"}, c.ask(q, vars{"id": "999999"}).codes())
		require.Equal(t, []string{"id"}, c.ask(q, vars{"id": "-"}).fields())
	}
}

// Whatever is done to a ciphertext, the answer is the same and tells nothing.
func TestTamperedPayload(t *testing.T) {
	t.Parallel()

	d := open(t)
	c, other := d.tenant(), d.tenant()
	enqueue := func(c caller) (id any, text string) {
		id = at(t, c.get(encryptedJob, vars{"in": vars{"type": "test_job", "payload": vars{"x": "canary"}, "encrypt": true}}), "enqueueJob", "job", "id")
		_, text = d.stored(id)
		return id, text
	}
	id, text := enqueue(c)
	_, sibling := enqueue(c)
	_, foreign := enqueue(other)
	flipped := []byte(text) // stays base64
	if i := len(flipped) / 2; flipped[i] == 'A' {
		flipped[i] = 'B'
	} else {
		flipped[i] = 'A'
	}
	var messages []string
	for name, bad := range map[string]string{"changed": string(flipped), "another job's": sibling, "another tenant's": foreign} {
		d.Exec(t, `UPDATE jobs SET payload_encrypted = $2 WHERE id = $1`, id, bad)
		a := c.ask(decryptPayload, vars{"id": id})
		require.Equal(t, []string{"INVALID_JOB_PAYLOAD"}, a.codes(), name)
		require.NotContains(t, a.raw, "canary")
		messages = append(messages, a.Errors[0].Message)
	}
	require.Equal(t, []string{messages[0], messages[0], messages[0]}, messages)
}

func TestEnqueueEncrypted(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	mail := vars{"to": "canary@example.org", "subject": "canary"}
	j := at(t, c.get(encryptedJob, vars{"in": vars{"type": "send_email", "payload": mail, "encrypt": true, "uniqueKey": "u"}}), "enqueueJob", "job")
	require.Equal(t, true, at(t, j, "encrypted"))
	require.Equal(t, map[string]any{}, at(t, j, "payload"))
	require.Zero(t, d.count(`SELECT count(*)::int FROM jobs j WHERE j::text LIKE '%canary%'`))
	require.Equal(t, map[string]any(mail), at(t, c.get(decryptPayload, vars{"id": at(t, j, "id")}), "decryptJobPayload", "payload"))
	again := at(t, c.get(encryptedJob, vars{"in": vars{"type": "send_email", "payload": mail, "encrypt": true, "uniqueKey": "u"}}), "enqueueJob")
	require.Equal(t, true, at(t, again, "duplicate"))
	require.Equal(t, at(t, j, "id"), at(t, again, "job", "id"))

	// The rules are those of a payload in the clear.
	for _, in := range []vars{
		{"type": "send_email", "payload": vars{"to": "canary"}},
		{"type": "send_email", "payload": vars{}},
		{"type": "send_email"},
		{"type": "test_job", "payload": "canary"},
		{"type": "Not A Type", "payload": vars{}},
		{"type": "reindex_search", "payload": vars{"tenant_id": d.tenant().scope.TenantID}},
		{"type": "test_job", "payload": vars{"x": strings.Repeat("canary", 50_000)}},
		{"type": "test_job", "queue": "Not A Queue"},
	} {
		plain := c.ask(encryptedJob, vars{"in": in})
		in["encrypt"] = true
		a := c.ask(encryptedJob, vars{"in": in})
		require.Len(t, a.Errors, 1)
		require.Equal(t, plain.raw, a.raw)
	}

	// Many, some of them encrypted, some not valid.
	const bulk = `mutation ($in: EnqueueJobsInput!) { enqueueJobs(input: $in) { enqueued results { index job { encrypted payload } error { code field } } } }`
	jobs := []vars{
		{"type": "test_job", "payload": vars{"a": 1}},
		{"type": "send_email", "payload": vars{}, "encrypt": true},
		{"type": "send_email", "payload": mail, "encrypt": true},
		{"type": "-"},
	}
	a := at(t, c.get(bulk, vars{"in": vars{"onError": "SKIP", "jobs": jobs}}), "enqueueJobs")
	bad := func(code, field string) map[string]any { return map[string]any{"code": code, "field": field} }
	require.Equal(t, map[string]any{"enqueued": 2.0, "results": []any{
		map[string]any{"index": 0.0, "job": map[string]any{"encrypted": false, "payload": map[string]any{"a": 1.0}}, "error": nil},
		map[string]any{"index": 1.0, "job": nil, "error": bad("INVALID_JOB_PAYLOAD", "payload")},
		map[string]any{"index": 2.0, "job": map[string]any{"encrypted": true, "payload": map[string]any{}}, "error": nil},
		map[string]any{"index": 3.0, "job": nil, "error": bad("VALIDATION_FAILED", "type")},
	}}, a)
	refused := c.ask(bulk, vars{"in": vars{"jobs": jobs}})
	require.Equal(t, []string{"jobs[1].payload"}, refused.fields())
	require.Zero(t, d.count(`SELECT count(*)::int FROM jobs j WHERE j::text LIKE '%canary%'`))
}

// Without keys nothing can be encrypted, and nothing is stored in the clear instead.
func TestNoPayloadKeys(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	ctx := caller{d: &door{DB: d, t: t}, scope: s}.ctx()
	jobs := job.New(d.API)
	p := app.NewPayloads(jobs, nil, nil)
	in := job.EnqueueParams{Type: "test_job", Payload: json.RawMessage(`{"x": "canary"}`), Encrypt: true}
	_, _, err := p.Enqueue(ctx, in)
	require.Equal(t, errs.NotImplemented, errs.From(err).Code)
	require.Contains(t, err.Error(), "PAYLOAD_ENCRYPTION_KEY")
	_, err = p.EnqueueMany(ctx, []job.EnqueueParams{in}, true)
	require.Equal(t, errs.NotImplemented, errs.From(err).Code)
	_, _, err = jobs.Enqueue(ctx, in)
	require.Equal(t, errs.NotImplemented, errs.From(err).Code, "nor by a way around")
	n, err := db.Get[int](t.Context(), d.Owner, "count", `SELECT count(*)::int FROM jobs`)
	require.NoError(t, err)
	require.Zero(t, n)

	in.Encrypt = false
	j, _, err := p.Enqueue(ctx, in)
	require.NoError(t, err)
	_, err = p.Encrypt(ctx, j.ID, true)
	require.Equal(t, errs.NotImplemented, errs.From(err).Code)
	require.Contains(t, err.Error(), "PAYLOAD_ENCRYPTION_KEY")
	d.Exec(t, `UPDATE jobs SET payload = '{}', payload_encrypted = 'sf1:' || repeat('A', 60) WHERE id = $1`, strconv.FormatInt(j.ID, 10))
	_, err = p.Decrypt(ctx, j.ID)
	require.Equal(t, errs.NotImplemented, errs.From(err).Code)
}
