package rest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/crypt"
	"stackforge/hashid"
)

const mail = `{"type":"send_email","payload":{"to":"someone@example.org"}}`

// enqueue returns the number of a new job.
func (c caller) enqueue() int64 {
	c.t.Helper()
	id, ok := c.ok(http.StatusCreated, http.MethodPost, "/jobs", mail)["id"].(float64)
	require.True(c.t, ok)
	return int64(id)
}

func TestJob(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	made := c.ok(http.StatusCreated, http.MethodPost, "/jobs", fmt.Sprintf(
		`{"type":"send_email","payload":{"to":"a@example.org","big":12345678901234567890},"priority":10,"runAt":%q,"queue":7}`, at.Format(time.RFC3339Nano)))
	require.Equal(t, []string{
		"attempts", "createdAt", "finishedAt", "hashid", "id", "lastError", "payload", "priority", "runAt", "startedAt", "status", "type", "updatedAt",
	}, keys(made))
	require.Equal(t, "pending", made["status"])
	require.InDelta(t, 10, made["priority"], 0)
	require.InDelta(t, 0, made["attempts"], 0)
	require.Equal(t, at.Format("2006-01-02T15:04:05.000Z"), made["runAt"])
	require.Regexp(t, moment, made["createdAt"])
	require.Nil(t, made["startedAt"])

	id, ok := made["id"].(float64)
	require.True(t, ok)
	for _, name := range []string{fmt.Sprint(int64(id)), hashid.Job(int64(id))} {
		a := c.do(http.MethodGet, "/jobs/"+name, "")
		require.Equal(t, made, a.body)
		require.Contains(t, a.text, "12345678901234567890", "numbers are kept as they were sent")
		other.fails(404, "NOT_FOUND", http.MethodGet, "/jobs/"+name, "")
	}
	c.fails(404, "NOT_FOUND", http.MethodGet, "/jobs/999999999", "")
	c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/jobs/not%20an%20id", "")

	plain := c.ok(http.StatusCreated, http.MethodPost, "/jobs", `{"type":"nope"}`)
	require.Equal(t, vars{}, plain["payload"])
	require.InDelta(t, 0, plain["priority"], 0)
	require.Equal(t, plain["payload"], c.ok(http.StatusCreated, http.MethodPost, "/jobs", `{"type":"nope","payload":null,"priority":null,"runAt":null}`)["payload"])
}

func TestJobRefused(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c := d.tenant(t)
	for name, x := range map[string]struct{ body, code, field string }{
		"no type":          {`{}`, "VALIDATION_FAILED", "type"},
		"type of capitals": {`{"type":"A"}`, "VALIDATION_FAILED", "type"},
		"type a number":    {`{"type":1}`, "VALIDATION_FAILED", "type"},
		"payload a list":   {`{"type":"x","payload":[1]}`, "VALIDATION_FAILED", "payload"},
		"payload a text":   {`{"type":"x","payload":"{}"}`, "VALIDATION_FAILED", "payload"},
		"runAt no moment":  {`{"type":"x","runAt":"tomorrow"}`, "VALIDATION_FAILED", "runAt"},
		"runAt year 0":     {`{"type":"x","runAt":"0000-01-01T00:00:00Z"}`, "VALIDATION_FAILED", "runAt"},
		"priority a text":  {`{"type":"x","priority":"high"}`, "VALIDATION_FAILED", "priority"},
		"priority 1.5":     {`{"type":"x","priority":1.5}`, "VALIDATION_FAILED", "priority"},
		"priority huge":    {`{"type":"x","priority":3000000000}`, "VALIDATION_FAILED", "priority"},
		"NUL in a payload": {`{"type":"x","payload":{"a":["b",{"c":"\u0000"}]}}`, "VALIDATION_FAILED", "payload.a[1].c"},
		"mail to nobody":   {`{"type":"send_email","payload":{}}`, "INVALID_JOB_PAYLOAD", "payload"},
		"no address":       {`{"type":"send_email","payload":{"to":"x"}}`, "INVALID_JOB_PAYLOAD", "payload"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := c
			c.t = t
			a := c.fails(400, x.code, http.MethodPost, "/jobs", x.body)
			require.Equal(t, []string{x.field}, a.fields(), a.text)
			require.NotContains(t, a.body["message"], "e+", "numbers are written out")
		})
	}
	c.fails(403, "FORBIDDEN", http.MethodPost, "/jobs", `{"type":"reindex_search","payload":{"tenant_id":"`+uuid.NewString()+`"}}`)
	c.fails(413, "PAYLOAD_TOO_LARGE", http.MethodPost, "/jobs", `{"type":"x","payload":{"a":"`+strings.Repeat("x", maxBody)+`"}}`)
	require.Empty(t, c.ok(http.StatusOK, http.MethodGet, "/jobs", "")["items"], "nothing was enqueued")
}

func TestJobList(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	for range 25 {
		c.enqueue()
	}
	d.Exec(t, `UPDATE jobs SET status = 'failed', reason = 'cancelled', finished_at = now() WHERE id = (SELECT min(id) FROM jobs)`)
	page := func(query string) (ids []float64, p map[string]any) {
		body := c.ok(http.StatusOK, http.MethodGet, "/jobs"+query, "")
		items, _ := body["items"].([]any)
		for _, i := range items {
			m, _ := i.(map[string]any)
			id, _ := m["id"].(float64)
			ids = append(ids, id)
		}
		p, _ = body["pagination"].(map[string]any)
		return ids, p
	}
	first, p := page("")
	require.Len(t, first, 20)
	require.Equal(t, vars{"limit": 20.0, "offset": 0.0, "count": 20.0, "hasMore": true}, p)
	require.IsDecreasing(t, first, "newest first")
	rest, p := page("?offset=20")
	require.Len(t, rest, 5)
	require.Equal(t, vars{"limit": 20.0, "offset": 20.0, "count": 5.0, "hasMore": false}, p)
	for query, want := range map[string]vars{
		"?limit=100000":                         {"limit": 100.0, "offset": 0.0, "count": 25.0, "hasMore": false},
		"?limit=0&offset=-5":                    {"limit": 1.0, "offset": 0.0, "count": 1.0, "hasMore": true},
		"?limit=-99999999999999999999&offset=0": {"limit": 1.0, "offset": 0.0, "count": 1.0, "hasMore": true},
		"?offset=99999999999999999999":          {"limit": 20.0, "offset": 1e6, "count": 0.0, "hasMore": false},
		"?status=failed":                        {"limit": 20.0, "offset": 0.0, "count": 1.0, "hasMore": false},
		"?status=running&unknown=1":             {"limit": 20.0, "offset": 0.0, "count": 0.0, "hasMore": false},
	} {
		_, p := page(query)
		require.Equal(t, want, p, query)
	}
	for query, field := range map[string]string{
		"?limit=ten": "limit", "?offset=1.5": "offset", "?limit=%00": "limit", "?status=nope": "status", "?status=": "status", "?offset=": "offset", "?status=PENDING": "status", "?limit=0x10": "limit",
	} {
		require.Equal(t, []string{field}, c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/jobs"+query, "").fields(), query)
	}
	require.Equal(t, []any{}, other.ok(http.StatusOK, http.MethodGet, "/jobs", "")["items"])
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	ring, err := crypt.New()
	require.NoError(t, err)
	d := open(t, options{keys: crypt.Fixed(ring)})
	c, other := d.tenant(t), d.tenant(t)
	path := fmt.Sprintf("/jobs/%d", c.enqueue())
	c.fails(404, "NOT_FOUND", http.MethodPost, path+"/decrypt", "")
	require.Equal(t, vars{"encrypted": true}, c.ok(http.StatusOK, http.MethodPost, path+"/encrypt", ""))
	require.Equal(t, vars{"payload": vars{"to": "someone@example.org"}}, c.ok(http.StatusOK, http.MethodPost, path+"/decrypt", ""))
	require.Equal(t, "no-store", c.do(http.MethodPost, path+"/decrypt", "").header.Get("Cache-Control"))
	require.Equal(t, vars{"to": "someone@example.org"}, c.ok(http.StatusOK, http.MethodGet, path, "")["payload"], "it stays beside")
	require.Equal(t, vars{"encrypted": true}, c.ok(http.StatusOK, http.MethodPost, path+"/encrypt", `{"redact":true}`))
	require.NotContains(t, c.do(http.MethodGet, path, "").text, "someone@example.org")
	require.Equal(t, vars{"payload": vars{"to": "someone@example.org"}}, c.ok(http.StatusOK, http.MethodPost, path+"/decrypt", ""))
	for _, what := range []string{"/encrypt", "/decrypt"} {
		other.fails(404, "NOT_FOUND", http.MethodPost, path+what, "")
		c.fails(400, "VALIDATION_FAILED", http.MethodPost, "/jobs/$"+what, "")
	}
	c.fails(400, "VALIDATION_FAILED", http.MethodPost, path+"/encrypt", `{"redact":"yes"}`)
	d.caller(t, c.scope, "jobs:write").fails(403, "FORBIDDEN", http.MethodPost, path+"/decrypt", "")
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	first := c.do(http.MethodPost, "/jobs", mail, "Idempotency-Key", "a")
	require.Equal(t, http.StatusCreated, first.status, first.text)
	again := c.do(http.MethodPost, "/jobs", mail, "Idempotency-Key", "a")
	require.Equal(t, first.status, again.status)
	require.Equal(t, first.text, again.text)
	require.NotEqual(t, first.body["id"], c.do(http.MethodPost, "/jobs", mail, "Idempotency-Key", "b").body["id"])
	require.NotEqual(t, first.body["id"], other.do(http.MethodPost, "/jobs", mail, "Idempotency-Key", "a").body["id"])
	for _, a := range []answer{
		c.fails(409, "CONFLICT", http.MethodPost, "/jobs", `{"type":"other"}`, "Idempotency-Key", "a"),
		c.fails(400, "VALIDATION_FAILED", http.MethodPost, "/jobs", mail, "Idempotency-Key", strings.Repeat("x", 256)),
	} {
		require.Equal(t, []string{"Idempotency-Key"}, a.fields())
	}
	c.fails(400, "VALIDATION_FAILED", http.MethodPost, "/jobs", `{"type":"A"}`, "Idempotency-Key", "c")
	require.Equal(t, http.StatusCreated, c.do(http.MethodPost, "/jobs", mail, "Idempotency-Key", "c").status, "a failure leaves the key free")

	in := asJSON(t, vars{"authorId": c.scope.UserID, "title": "t", "body": "b", "metadata": vars{"a": "b"}, "tagIds": []int{1}, "longitude": 1, "latitude": 2})
	document := c.do(http.MethodPost, "/documents", in, "Idempotency-Key", "d")
	require.Equal(t, http.StatusCreated, document.status, document.text)
	require.Equal(t, document.text, c.do(http.MethodPost, "/documents", in, "Idempotency-Key", "d").text)
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	path := "/dashboard/" + c.scope.TenantID.String()
	id := c.scope.TenantID.String()
	require.Equal(t, vars{"tenantId": id, "documentCount": 0.0, "newestDocumentAt": nil, "updatedAt": nil}, withoutTime(c.ok(http.StatusOK, http.MethodGet, path, "")))
	c.document(nil)
	c.enqueue()
	d.Exec(t, "SELECT refresh_tenant_document_stats()")
	stats := c.ok(http.StatusOK, http.MethodGet, path+"?view=stats", "")
	require.InDelta(t, 1, stats["documentCount"], 0)
	require.Regexp(t, moment, stats["newestDocumentAt"])
	require.Regexp(t, moment, stats["updatedAt"])
	require.Equal(t, vars{"tenantId": id, "pivot": []any{vars{"month": time.Now().UTC().Format("2006-01"), "count": 1.0}}}, c.ok(http.StatusOK, http.MethodGet, path+"?view=pivot&months=6", ""))
	require.Equal(t, c.ok(http.StatusOK, http.MethodGet, path+"?view=pivot", ""), c.ok(http.StatusOK, http.MethodGet, path+"?view=pivot&months=60", ""))
	require.Equal(t, vars{"tenantId": id, "breakdown": []any{vars{"type": "send_email", "pending": 1.0, "running": 0.0, "done": 0.0, "failed": 0.0}}},
		c.ok(http.StatusOK, http.MethodGet, path+"?view=breakdown", ""))
	other.fails(403, "FORBIDDEN", http.MethodGet, path, "")
	c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/dashboard/x", "")
	for query, field := range map[string]string{"?view=x": "view", "?view=pivot&months=0": "months", "?view=pivot&months=61": "months", "?view=pivot&months=x": "months", "?months=0": "months"} {
		require.Equal(t, []string{field}, c.fails(400, "VALIDATION_FAILED", http.MethodGet, path+query, "").fields(), query)
	}
}

// withoutTime leaves out when the counts were made.
func withoutTime(m map[string]any) map[string]any {
	m["updatedAt"] = nil
	return m
}
