package resolvers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const enqueueJob = `mutation ($in: EnqueueJobInput!) { enqueueJob(input: $in) { duplicate job {
	id nodeId hashid type payload status failureReason priority queue uniqueKey attempts maxAttempts progress result lastError
	runAt startedAt finishedAt createdAt updatedAt } } }`

func TestEnqueueJob(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	payload := map[string]any{"to": "a@example.org", "n": 1.5, "deep": map[string]any{"list": []any{nil, true, "x\\u0000"}}}
	r := at(t, c.get(enqueueJob, vars{"in": vars{
		"type": "send_email", "payload": payload, "priority": -7, "runAt": "2035-01-01T00:00:00Z", "queue": "mail", "uniqueKey": "k", "maxAttempts": 3,
	}}), "enqueueJob")
	require.Equal(t, false, at(t, r, "duplicate"))
	j, _ := at(t, r, "job").(map[string]any)
	for name, want := range map[string]any{
		"type": "send_email", "payload": payload, "status": "PENDING", "failureReason": nil, "priority": -7.0, "queue": "mail", "uniqueKey": "k",
		"attempts": 0.0, "maxAttempts": 3.0, "progress": nil, "result": nil, "lastError": nil, "runAt": "2035-01-01T00:00:00.000Z",
		"startedAt": nil, "finishedAt": nil,
	} {
		require.Equal(t, want, j[name], name)
	}
	require.Regexp(t, `^[A-Za-z]+$`, j["hashid"], "digits would be taken for a number")

	for _, q := range []string{`{ job(id: "%[1]s") { id } }`, `{ job(id: %[1]s) { id } }`, `{ job(id: "%[2]s") { id } }`, `{ job(hashid: "%[2]s") { id } }`} {
		require.Equal(t, j["id"], at(t, c.get(fmt.Sprintf(q, j["id"], j["hashid"]), nil), "job", "id"), q)
	}
	require.Nil(t, at(t, c.get(`{ job(id: 999999) { id } }`, nil), "job"))
	for _, q := range []string{`{ job { id } }`, `{ job(id: "1", hashid: "x") { id } }`, `{ job(id: "!") { id } }`, `{ job(id: "99999999999999999999") { id } }`, `{ job(hashid: "1 2") { id } }`} {
		require.Equal(t, []string{"VALIDATION_FAILED"}, c.ask(q, nil).codes(), q)
	}

	t.Run("a live job with the key is returned instead", func(t *testing.T) { //nolint:paralleltest // follows what is above
		r := at(t, c.get(enqueueJob, vars{"in": vars{"type": "other", "uniqueKey": "k"}}), "enqueueJob")
		require.Equal(t, true, at(t, r, "duplicate"))
		require.Equal(t, j["id"], at(t, r, "job", "id"))
		require.Equal(t, "send_email", at(t, r, "job", "type"))
		c.get(fmt.Sprintf(`mutation { cancelJob(input: {id: %q}) { job { id } } }`, j["id"]), nil)
		r = at(t, c.get(enqueueJob, vars{"in": vars{"type": "other", "uniqueKey": "k"}}), "enqueueJob")
		require.Equal(t, false, at(t, r, "duplicate"))
		require.NotEqual(t, j["id"], at(t, r, "job", "id"))
	})
	t.Run("the least", func(t *testing.T) { //nolint:paralleltest // follows what is above
		r := at(t, c.get(enqueueJob, vars{"in": vars{"type": "x", "payload": nil, "runAt": nil, "priority": nil, "queue": nil, "uniqueKey": nil, "maxAttempts": nil}}), "enqueueJob", "job")
		require.Equal(t, map[string]any{}, at(t, r, "payload"))
		require.InDelta(t, 0, at(t, r, "priority"), 0)
		require.Equal(t, "default", at(t, r, "queue"))
		require.Nil(t, at(t, r, "maxAttempts"))
	})
	t.Run("types", func(t *testing.T) { //nolint:paralleltest // follows what is above
		list := at(t, c.get(`{ jobTypes { type description payloadSchema } }`, nil), "jobTypes")
		require.Equal(t, []string{"cleanup_files", "generate_embedding", "reindex_search", "send_email"}, texts(t, list, "type"))
		require.Equal(t, []any{"to"}, at(t, list, 3, "payloadSchema", "required"))
	})
}

func TestEnqueueJobs(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	const enqueue = `mutation ($in: EnqueueJobsInput!) { enqueueJobs(input: $in) { enqueued results { index duplicate job { id type } error { code field message } } } }`
	rows := []vars{{"type": "a"}, {"type": "send_email", "payload": vars{"to": "nobody"}}, {"type": "c", "uniqueKey": "k"}, {"type": "Bad"}, {"type": "d", "uniqueKey": "k"}}
	count := func() int { return d.count(`SELECT count(*) FROM jobs`) }

	a := c.ask(enqueue, vars{"in": vars{"jobs": rows}})
	require.Equal(t, []string{"INVALID_JOB_PAYLOAD"}, a.codes())
	require.Equal(t, []string{"jobs[1].payload"}, a.fields())
	require.Zero(t, count())
	a = c.ask(enqueue, vars{"in": vars{"jobs": rows[3:4]}})
	require.Equal(t, []string{"jobs[0].type"}, a.fields())
	require.Zero(t, count())

	r := at(t, c.get(enqueue, vars{"in": vars{"jobs": rows, "onError": "SKIP"}}), "enqueueJobs")
	require.InDelta(t, 2, at(t, r, "enqueued"), 0)
	require.Equal(t, 2, count())
	require.Equal(t, []any{0.0, 1.0, 2.0, 3.0, 4.0}, all(t, at(t, r, "results"), "index"))
	require.Equal(t, []any{false, false, false, false, true}, all(t, at(t, r, "results"), "duplicate"))
	require.Equal(t, "c", at(t, r, "results", 4, "job", "type"))
	require.Equal(t, "INVALID_JOB_PAYLOAD", at(t, r, "results", 1, "error", "code"))
	require.Equal(t, "payload", at(t, r, "results", 1, "error", "field"))
	require.Equal(t, "VALIDATION_FAILED", at(t, r, "results", 3, "error", "code"))
	require.Equal(t, "type", at(t, r, "results", 3, "error", "field"))
	require.Nil(t, at(t, r, "results", 1, "job"))
	require.Nil(t, at(t, r, "results", 0, "error"))

	for _, n := range []int{0, 1001} {
		a := c.ask(enqueue, vars{"in": vars{"jobs": many(n, vars{"type": "x"})}})
		require.Equal(t, []string{"jobs"}, a.fields(), "%d: %s", n, a.raw)
	}
	r = at(t, c.get(`mutation ($in: EnqueueJobsInput!) { enqueueJobs(input: $in) { enqueued } }`, vars{"in": vars{"jobs": many(1000, vars{"type": "x"})}}), "enqueueJobs")
	require.InDelta(t, 1000, at(t, r, "enqueued"), 0)
}

// inStates enqueues a job in each state and returns the ids by it.
func (c caller) inStates() map[string]string {
	c.d.t.Helper()

	ids := map[string]string{}
	for _, state := range []string{"PENDING", "RUNNING", "DONE", "FAILED", "CANCELLED"} {
		ids[state] = c.job(vars{"type": strings.ToLower(state), "priority": len(ids), "queue": "q" + fmt.Sprint(len(ids)%2)})
	}
	c.d.Exec(c.d.t, `UPDATE jobs SET status = 'running', attempts = 1, started_at = now() WHERE id = $1`, ids["RUNNING"])
	c.d.Exec(c.d.t, `UPDATE jobs SET status = 'done', attempts = 1, started_at = now(), finished_at = now(), result = '{"n": 1}', progress = 100 WHERE id = $1`, ids["DONE"])
	c.d.Exec(c.d.t, `UPDATE jobs SET status = 'failed', reason = 'exhausted', attempts = 3, finished_at = now(), last_error = 'no' WHERE id = $1`, ids["FAILED"])
	c.get(`mutation ($id: ID!) { cancelJob(input: {id: $id}) { job { id } } }`, vars{"id": ids["CANCELLED"]})
	return ids
}

func TestJobStatesAndFilters(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	ids := c.inStates()
	letters := map[string]string{}
	for i, state := range []string{"PENDING", "RUNNING", "DONE", "FAILED", "CANCELLED"} {
		letters[ids[state]] = state[:1]
		d.Exec(t, `UPDATE jobs SET created_at = '2026-01-01'::timestamptz + $2 * interval '1 day', run_at = '2026-02-01'::timestamptz + $2 * interval '1 day' WHERE id = $1`, ids[state], i)
	}
	for state, id := range ids {
		j := at(t, c.get(`query ($id: ID!) { job(id: $id) { status failureReason attempts lastError result progress startedAt finishedAt } }`, vars{"id": id}), "job")
		require.Equal(t, state, at(t, j, "status"))
		reason := map[string]any{"FAILED": "EXHAUSTED", "CANCELLED": "CANCELLED"}[state]
		require.Equal(t, reason, at(t, j, "failureReason"), state)
		require.Equal(t, state == "PENDING" || state == "RUNNING", at(t, j, "finishedAt") == nil, state)
	}
	hashid, _ := at(t, c.get(`query ($id: ID!) { job(id: $id) { hashid } }`, vars{"id": ids["DONE"]}), "job", "hashid").(string)

	// P pending, R running, D done, F failed, C cancelled, in the order of creation.
	for filter, want := range map[string]string{
		`{}`: "PRDFC", `{status: {eq: PENDING}}`: "P", `{status: {eq: RUNNING}}`: "R", `{status: {eq: DONE}}`: "D", `{status: {eq: FAILED}}`: "F", `{status: {eq: CANCELLED}}`: "C",
		`{status: {in: [PENDING, CANCELLED]}}`: "PC", `{status: {in: []}}`: "", `{status: {eq: DONE, in: [PENDING]}}`: "", `{status: {eq: DONE, in: [PENDING, DONE]}}`: "D", `{status: {}}`: "PRDFC",
		`{not: {status: {eq: FAILED}}}`: "PRDC", `{not: {status: {in: [FAILED, CANCELLED]}}}`: "PRD", `{status: null}`: "PRDFC",
		`{id: {eq: "$D"}}`: "D", `{id: {neq: "$D"}}`: "PRFC", `{id: {in: ["$D", "$P"]}}`: "PD", `{id: {eq: "` + hashid + `"}}`: "D",
		`{type: {eq: "done"}}`: "D", `{type: {neq: "done"}}`: "PRFC", `{type: {in: ["done", "failed"]}}`: "DF", `{type: {contains: "n"}}`: "PRDC", `{type: {startsWith: "p"}}`: "P", `{type: {isNull: true}}`: "",
		`{queue: {eq: "q1"}}`: "RF", `{queue: {neq: "q1"}}`: "PDC", `{queue: {in: ["q0"]}}`: "PDC", `{queue: {startsWith: "q"}}`: "PRDFC", `{queue: {contains: "0"}}`: "PDC",
		`{priority: {eq: 2}}`: "D", `{priority: {neq: 2}}`: "PRFC", `{priority: {in: [0, 4]}}`: "PC", `{priority: {gt: 2}}`: "FC", `{priority: {gte: 2}}`: "DFC", `{priority: {lt: 2}}`: "PR",
		`{priority: {lte: 2}}`: "PRD", `{priority: {gt: 0, lt: 3}}`: "RD", `{priority: {eq: -2147483648}}`: "", `{priority: {lte: 2147483647}}`: "PRDFC",
		`{createdAt: {gt: "2026-01-03T00:00:00Z"}}`: "FC", `{createdAt: {eq: "2026-01-03T00:00:00Z"}}`: "D", `{createdAt: {lte: "2026-01-03T00:00:00Z"}}`: "PRD",
		`{runAt: {gte: "2026-02-04T00:00:00Z"}}`: "FC", `{runAt: {lt: "2026-02-02T00:00:00Z"}}`: "P", `{runAt: {isNull: true}}`: "",
		`{finishedAt: {isNull: true}}`: "PR", `{finishedAt: {isNull: false}}`: "DFC", `{finishedAt: {gt: "2026-01-01T00:00:00Z"}}`: "DFC",
		`{or: [{status: {eq: DONE}}, {priority: {eq: 0}}]}`: "PD", `{and: [{queue: {eq: "q0"}}, {not: {finishedAt: {isNull: true}}}]}`: "DC", `{or: [{}, {priority: {eq: 0}}]}`: "PRDFC",
		`{not: {or: [{status: {eq: DONE}}, {priority: {eq: 0}}]}}`: "RFC",
	} {
		text := strings.NewReplacer("$D", ids["DONE"], "$P", ids["PENDING"]).Replace(filter)
		data := c.get(`{ jobs(filter: `+text+`, orderBy: created_at_asc) { id } jobsConnection(filter: `+text+`) { totalCount } }`, nil)
		got := ""
		for _, id := range texts(t, at(t, data, "jobs"), "id") {
			got += letters[id]
		}
		require.Equal(t, want, got, filter)
		require.InDelta(t, len(want), at(t, data, "jobsConnection", "totalCount"), 0, filter)
	}
}

func TestJobPaging(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	c.get(`mutation ($in: EnqueueJobsInput!) { enqueueJobs(input: $in) { enqueued } }`, vars{"in": vars{"jobs": many(40, vars{"type": "x"})}})
	d.Exec(t, `UPDATE jobs SET status = 'done', finished_at = now() - (id % 3) * interval '30 days' WHERE id % 2 = 0`) // several partitions
	for _, order := range []string{"created_at_desc", "created_at_asc"} {
		want := texts(t, at(t, c.get(`query ($o: JobOrder) { jobs(first: 100, orderBy: $o) { id } }`, vars{"o": order}), "jobs"), "id")
		require.Len(t, want, 40)
		const page = `query ($first: Int, $after: String, $last: Int, $before: String, $o: JobOrder) {
			jobsConnection(first: $first, after: $after, last: $last, before: $before, orderBy: $o) { nodes { id } edges { node { id } cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`
		var forward, backward []string
		for v := (vars{"first": 7, "o": order}); ; {
			p := at(t, c.get(page, v), "jobsConnection")
			forward = append(forward, texts(t, at(t, p, "nodes"), "id")...)
			if at(t, p, "pageInfo", "hasNextPage") == false {
				break
			}
			v["after"] = at(t, p, "pageInfo", "endCursor")
		}
		for v := (vars{"last": 7, "o": order}); ; {
			p := at(t, c.get(page, v), "jobsConnection")
			backward = append(texts(t, at(t, p, "edges"), "node", "id"), backward...)
			if at(t, p, "pageInfo", "hasPreviousPage") == false {
				break
			}
			v["before"] = at(t, p, "pageInfo", "startCursor")
		}
		require.Equal(t, want, forward)
		require.Equal(t, want, backward)
		a := c.ask(page, vars{"after": at(t, c.get(page, vars{"first": 1, "o": order}), "jobsConnection", "pageInfo", "endCursor"), "o": map[string]string{"created_at_desc": "created_at_asc", "created_at_asc": "created_at_desc"}[order]})
		require.Equal(t, []string{"after"}, a.fields())
	}
}

func TestCancelAndRetryJob(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	ids := c.inStates()
	const cancel = `mutation ($id: ID!) { cancelJob(input: {id: $id}) { job { status failureReason finishedAt } } }`
	const retry = `mutation ($id: ID!) { retryJob(input: {id: $id}) { job { id status failureReason attempts finishedAt } } }`
	for state, code := range map[string]string{"PENDING": "", "RUNNING": "", "DONE": "CONFLICT", "FAILED": "CONFLICT", "CANCELLED": "CONFLICT"} {
		a := c.ask(cancel, vars{"id": ids[state]})
		if code != "" {
			require.Equal(t, []string{code}, a.codes(), state)
			continue
		}
		require.Equal(t, "CANCELLED", at(t, a.Data, "cancelJob", "job", "status"), a.raw)
		require.Equal(t, "CANCELLED", at(t, a.Data, "cancelJob", "job", "failureReason"))
		require.NotNil(t, at(t, a.Data, "cancelJob", "job", "finishedAt"))
	}
	require.Equal(t, []string{"CONFLICT"}, c.ask(retry, vars{"id": ids["DONE"]}).codes())
	for _, state := range []string{"FAILED", "CANCELLED", "PENDING"} { // the last one was cancelled above
		j := at(t, c.get(retry, vars{"id": ids[state]}), "retryJob", "job")
		require.Equal(t, map[string]any{"id": ids[state], "status": "PENDING", "failureReason": nil, "attempts": 0.0, "finishedAt": nil}, j)
		require.Equal(t, []string{"CONFLICT"}, c.ask(retry, vars{"id": ids[state]}).codes())
	}
	for _, m := range []string{cancel, retry} {
		require.Equal(t, []string{"NOT_FOUND"}, c.ask(m, vars{"id": "999999"}).codes())
		require.Equal(t, []string{"id"}, c.ask(m, vars{"id": "-"}).fields())
	}
}
