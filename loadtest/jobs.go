package loadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

func jobStep(ctx context.Context, u *user) error {
	for range pick(u, weighted[int]{6, 1}, weighted[int]{3, 5}, weighted[int]{1, 20}) {
		if _, err := u.enqueue(ctx, u.newJob()); err != nil {
			return err
		}
	}
	status := pick(u, weighted[string]{5, "pending"}, weighted[string]{2, "running"}, weighted[string]{2, "done"}, weighted[string]{1, "failed"})
	offset := pick(u, weighted[int]{7, 0}, weighted[int]{2, 100}, weighted[int]{1, 1000})
	return u.listJobs(ctx, status, offset)
}

func (u *user) enqueue(ctx context.Context, in map[string]any) (string, error) {
	a, err := u.do(ctx, call{
		name: "enqueue job", method: http.MethodPost, path: "/jobs", body: in, want: []int{http.StatusCreated, http.StatusOK},
		query: `mutation ($in: EnqueueJobInput!) { enqueueJob(input: $in) { job { id status } } }`, vars: map[string]any{"in": in},
	})
	if err != nil {
		return "", err
	}
	return u.text(a, "id", "enqueueJob.job.id")
}

func (u *user) listJobs(ctx context.Context, status string, offset int) error {
	a, err := u.do(ctx, call{
		name: "list jobs", method: http.MethodGet, path: fmt.Sprintf("/jobs?status=%s&limit=20&offset=%d", status, offset), want: []int{http.StatusOK},
		query: `query ($offset: Int, $status: JobStatus) { jobs(first: 20, offset: $offset, filter: {status: {eq: $status}}) { id type status createdAt } }`,
		vars:  map[string]any{"offset": offset, "status": strings.ToUpper(status)},
	})
	if err != nil {
		return err
	}
	var list []struct {
		Status string `json:"status"`
	}
	if err := u.at(a, "items", "jobs", &list); err != nil {
		return err
	}
	for _, j := range list {
		if !strings.EqualFold(j.Status, status) {
			return fmt.Errorf("list jobs: asked for %s, got %s", status, j.Status)
		}
	}
	return nil
}

// secrets are payloads that one would not keep in the clear.
func (u *user) secret() map[string]any {
	return pick(u,
		weighted[map[string]any]{1, map[string]any{"password": fmt.Sprintf("p-%d", u.rng.Int64()), "note": `"quoted" \ and é`}},
		weighted[map[string]any]{1, map[string]any{"card": map[string]any{"number": "4242424242424242", "cvc": u.rng.IntN(1000)}}},
		weighted[map[string]any]{1, map[string]any{"apiKey": fmt.Sprintf("sk_test_%x", u.rng.Int64()), "list": []any{1.0, nil, true}}})
}

func encryptionStep(ctx context.Context, u *user) error {
	secret := u.secret()
	id, err := u.enqueue(ctx, map[string]any{"type": "load_secret", "payload": secret, "runAt": "2099-01-01T00:00:00Z"})
	if err != nil {
		return err
	}
	in := map[string]any{"in": map[string]any{"id": id}}
	if _, err := u.do(ctx, call{
		name: "encrypt payload", method: http.MethodPost, path: "/jobs/" + id + "/encrypt", want: []int{http.StatusOK},
		query: `mutation ($in: EncryptJobPayloadInput!) { encryptJobPayload(input: $in) { job { id } } }`, vars: in,
	}); err != nil {
		return err
	}
	a, err := u.do(ctx, call{
		name: "decrypt payload", method: http.MethodPost, path: "/jobs/" + id + "/decrypt", want: []int{http.StatusOK},
		query: `mutation ($in: DecryptJobPayloadInput!) { decryptJobPayload(input: $in) { payload } }`, vars: in,
	})
	if err != nil {
		return err
	}
	var got, want any
	if err := u.at(a, "payload", "decryptJobPayload.payload", &got); err != nil {
		return err
	}
	text, err := json.Marshal(secret)
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		err = fmt.Errorf("decrypt payload: it is not the one that was encrypted")
	}
	return err
}

func dashboardStep(ctx context.Context, u *user) error {
	path := "/dashboard/" + u.world.tenant
	months := 1 + u.rng.IntN(24)
	c := pick(u,
		weighted[call]{50, call{name: "dashboard stats", path: path, query: `{ dashboard { stats { tenantId documentCount newestDocumentAt updatedAt } } }`}},
		weighted[call]{30, call{
			name: "dashboard pivot", path: fmt.Sprintf("%s?view=pivot&months=%d", path, months),
			query: `query ($n: Int!) { dashboard { pivot(months: $n) { month count } } }`, vars: map[string]any{"n": months},
		}},
		weighted[call]{20, call{name: "dashboard breakdown", path: path + "?view=breakdown", query: `{ dashboard { breakdown { type pending running done failed } } }`}})
	c.method, c.want = http.MethodGet, []int{http.StatusOK}
	_, err := u.do(ctx, c)
	return err
}

// messageStep sends some messages to one of five queues, and reads and archives as many.
func messageStep(ctx context.Context, u *user) error {
	queue := []string{"notifications", "webhooks", "audit", "billing", "sync"}[u.rng.IntN(5)]
	n := pick(u, weighted[int]{6, 1}, weighted[int]{3, 5}, weighted[int]{1, 10})
	for range n {
		payload := pick(u,
			weighted[map[string]any]{1, map[string]any{"kind": "notification", "user": u.rng.IntN(1000), "text": u.word()}},
			weighted[map[string]any]{1, map[string]any{"kind": "webhook", "url": "https://example.com/hook", "attempt": u.rng.IntN(5)}},
			weighted[map[string]any]{1, map[string]any{"kind": "audit", "actor": u.world.author, "action": u.word()}})
		in := map[string]any{"queue": queue, "payload": payload}
		if _, err := u.do(ctx, call{
			name: "send message", method: http.MethodPost, path: "/messages", body: in, want: []int{http.StatusCreated, http.StatusOK},
			query: `mutation ($in: SendMessageInput!) { sendMessage(input: $in) { id } }`, vars: map[string]any{"in": in},
		}); err != nil {
			return err
		}
	}
	a, err := u.do(ctx, call{
		name: "read messages", method: http.MethodGet, path: fmt.Sprintf("/messages?queue=%s&limit=%d", queue, n), want: []int{http.StatusOK},
		query: `mutation ($in: ReadMessagesInput!) { readMessages(input: $in) { messages { id payload readCount } } }`,
		vars:  map[string]any{"in": map[string]any{"queue": queue, "limit": n}},
	})
	if err != nil {
		return err
	}
	var list []struct {
		ID    json.RawMessage `json:"id"`    // at GraphQL
		MsgID json.RawMessage `json:"msgId"` // at REST
	}
	if err := u.at(a, "items", "readMessages.messages", &list); err != nil {
		return err
	}
	if len(list) > n {
		return fmt.Errorf("read messages: %d, asked for %d", len(list), n)
	}
	for _, m := range list {
		if _, err := u.do(ctx, call{
			name: "archive message", method: http.MethodDelete, path: "/messages", body: map[string]any{"queue": queue, "msgId": m.MsgID}, want: []int{http.StatusOK},
			query: `mutation ($in: ArchiveMessageInput!) { archiveMessage(input: $in) { id } }`, vars: map[string]any{"in": map[string]any{"queue": queue, "id": m.ID}},
		}); err != nil {
			return err
		}
	}
	return nil
}
