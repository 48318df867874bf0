package rest_test

import (
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/httpd"
)

// protected are the routes that need a credential, and a permission that lets a caller in.
func protected(tenantID string) map[string]string {
	id := uuid.NewString()
	return map[string]string{
		"POST /documents": "documents:write", "GET /documents/" + id: "documents:read", "PUT /documents/" + id: "documents:write",
		"DELETE /documents/" + id: "documents:write", "GET /documents/search?q=a": "documents:read", "POST /jobs": "jobs:write", "GET /jobs": "jobs:read",
		"GET /jobs/1": "jobs:read", "POST /jobs/1/encrypt": "jobs:write", "POST /jobs/1/decrypt": "jobs:decrypt", "GET /jobs/events?types=a": "jobs:read",
		"GET /ws/jobs": "jobs:read", "GET /dashboard/" + tenantID: "dashboard:read", "PUT /webhook": "webhooks:write", "POST /messages": "messages:write",
		"GET /messages": "messages:consume", "DELETE /messages": "messages:consume", "DELETE /webhook": "webhooks:write",
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	nobody := caller{t: t, d: d}
	token := text(t, c.ok(http.StatusOK, http.MethodPost, "/auth/token", "")["token"])
	foreign := text(t, other.ok(http.StatusOK, http.MethodPost, "/auth/token", "")["token"])
	refused := nobody.fails(401, "UNAUTHENTICATED", http.MethodGet, "/jobs", "")
	for name, pairs := range map[string][]string{
		"unknown key":         {"X-Api-Key", "sk_live_x"},
		"huge key":            {"X-Api-Key", strings.Repeat("k", 600)},
		"injection":           {"X-Api-Key", "' OR 1=1 --"},
		"malformed token":     {"Authorization", "Bearer a.b.c"},
		"tampered token":      {"Authorization", "Bearer " + token[:len(token)-3] + "AAA"},
		"huge token":          {"Authorization", "Bearer a." + strings.Repeat("b", 9000) + ".c"},
		"another scheme":      {"Authorization", "Basic " + c.key},
		"key of nobody":       {"Authorization", "Bearer sk_live_x"},
		"different tenants":   {"Authorization", "Bearer " + foreign, "X-Api-Key", c.key},
		"one of two is wrong": {"Authorization", "Bearer " + token, "X-Api-Key", "sk_live_x"},
	} {
		for _, path := range []string{"/jobs", "/documents/search?q=a", "/graphql", "/ws/jobs", "/jobs/events"} {
			a := nobody.fails(401, "UNAUTHENTICATED", http.MethodGet, path, "", pairs...)
			require.Equal(t, refused.body["message"], a.body["message"], name)
			require.NotEmpty(t, a.header.Get("WWW-Authenticate"), name)
		}
	}
	for name, pairs := range map[string][]string{
		"key":          {"X-Api-Key", c.key},
		"token":        {"Authorization", "Bearer " + token},
		"key as token": {"Authorization", "bearer " + c.key},
		"both":         {"Authorization", "Bearer " + token, "X-Api-Key", c.key},
	} {
		require.Equal(t, http.StatusOK, nobody.do(http.MethodGet, "/jobs", "", pairs...).status, name)
	}
	nobody.fails(401, "UNAUTHENTICATED", http.MethodPost, "/auth/token", "", "Authorization", "Bearer "+token)
	for route := range protected(c.scope.TenantID.String()) {
		method, path, _ := strings.Cut(route, " ")
		nobody.fails(401, "UNAUTHENTICATED", method, path, "{}")
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	s := d.tenant(t).scope
	for route, scope := range protected(s.TenantID.String()) {
		method, path, _ := strings.Cut(route, " ")
		lacks := d.caller(t, s, "other:read")
		a := lacks.fails(403, "FORBIDDEN", method, path, "")
		require.Contains(t, a.body["message"], scope)
		if path == "/jobs/events?types=a" { // it does not end
			continue
		}
		require.NotEqual(t, http.StatusForbidden, d.caller(t, s, scope).do(method, path, "").status, route)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	d := open(t, options{limit: httpd.LimitConfig{Max: 5, Window: time.Minute, Now: func() time.Time { return time.Unix(1000+now.Load(), 0) }}})
	c := d.tenant(t)
	second := d.caller(t, c.scope)
	for i := range 5 {
		path, method, body := "/jobs", http.MethodGet, ""
		if i%2 == 1 { // one bucket for both doors
			path, method, body = "/graphql", http.MethodPost, `{"query":"{ jobs { id } }"}`
		}
		a := c.do(method, path, body)
		require.Equal(t, http.StatusOK, a.status, a.text)
		require.Equal(t, "5", a.header.Get("RateLimit-Limit"))
		require.Equal(t, string(rune('4'-i)), a.header.Get("RateLimit-Remaining"))
		require.Equal(t, "60", a.header.Get("RateLimit-Reset"))
	}
	now.Store(20)
	for _, path := range []string{"/jobs", "/graphql", "/jobs/events", "/documents/xyz"} {
		a := c.fails(429, "RATE_LIMITED", http.MethodGet, path, "")
		require.Equal(t, "40", a.header.Get("Retry-After"))
		require.Equal(t, "0", a.header.Get("RateLimit-Remaining"))
	}
	require.Equal(t, http.StatusOK, second.do(http.MethodGet, "/jobs", "").status, "each key has its own")
	now.Store(60)
	require.Equal(t, http.StatusOK, c.do(http.MethodGet, "/jobs", "").status, "after the window")

	nobody := caller{t: t, d: d}
	for range 5 {
		nobody.fails(401, "UNAUTHENTICATED", http.MethodGet, "/jobs", "", "X-Api-Key", uuid.NewString())
	}
	nobody.fails(429, "RATE_LIMITED", http.MethodGet, "/jobs", "", "X-Api-Key", uuid.NewString())
	nobody.fails(429, "RATE_LIMITED", http.MethodPost, "/auth/token", "")
	require.Equal(t, http.StatusOK, c.do(http.MethodGet, "/jobs", "").status, "those without a key do not count for one")
}

// TestParity asks both doors the same and wants the same code.
func TestParity(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c := d.tenant(t)
	reader := d.caller(t, c.scope, "users:read")
	create := `mutation ($i: CreateDocumentInput!) { createDocument(input: $i) { document { id } } }`
	update := `mutation ($i: UpdateDocumentInput!) { updateDocument(input: $i) { document { id } } }`
	remove := `mutation ($i: DeleteDocumentInput!) { deleteDocument(input: $i) { id } }`
	enqueue := `mutation ($i: EnqueueJobInput!) { enqueueJob(input: $i) { job { id } } }`
	good := func(name string, v any) vars {
		return vars{"authorId": c.scope.UserID, "title": "t", "body": "b", name: v}
	}
	id := uuid.NewString()
	for name, x := range map[string]struct {
		method, path string
		body         vars
		query        string
		extra        vars
		by           caller
	}{
		"unknown author":    {http.MethodPost, "/documents", good("authorId", uuid.New()), create, nil, c},
		"blank title":       {http.MethodPost, "/documents", good("title", ""), create, nil, c},
		"bad path":          {http.MethodPost, "/documents", good("path", "a..b"), create, nil, c},
		"half a point":      {http.MethodPost, "/documents", good("longitude", 1), create, nil, c},
		"tag out of range":  {http.MethodPost, "/documents", good("tagIds", []int{3_000_000_000}), create, nil, c},
		"metadata no text":  {http.MethodPost, "/documents", good("metadata", vars{"a": 1}), create, nil, c},
		"zero byte":         {http.MethodPost, "/documents", good("body", "a\x00b"), create, nil, c},
		"no permission":     {http.MethodPost, "/documents", good("title", "t"), create, nil, reader},
		"nothing to change": {http.MethodPut, "/documents/" + id, vars{"title": "t"}, update, vars{"id": id}, c},
		"nothing to delete": {http.MethodDelete, "/documents/" + id, nil, remove, vars{"id": id}, c},
		"no id":             {http.MethodDelete, "/documents/x", nil, remove, vars{"id": "x"}, c},
		"bad type":          {http.MethodPost, "/jobs", vars{"type": "A"}, enqueue, nil, c},
		"bad payload":       {http.MethodPost, "/jobs", vars{"type": "send_email", "payload": vars{}}, enqueue, nil, c},
		"payload no object": {http.MethodPost, "/jobs", vars{"type": "x", "payload": "a"}, enqueue, nil, c},
		"foreign tenant":    {http.MethodPost, "/jobs", vars{"type": "reindex_search", "payload": vars{"tenant_id": id}}, enqueue, nil, c},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			by := x.by
			by.t = t
			body := ""
			if x.body != nil {
				body = asJSON(t, x.body)
			}
			ours := by.do(x.method, x.path, body)
			input := vars{}
			for _, m := range []vars{x.body, x.extra} {
				maps.Copy(input, m)
			}
			theirs := by.do(http.MethodPost, "/graphql", asJSON(t, vars{"query": x.query, "variables": vars{"i": input}}))
			list, _ := theirs.body["errors"].([]any)
			require.NotEmpty(t, list, theirs.text)
			first, _ := list[0].(map[string]any)
			extensions, _ := first["extensions"].(map[string]any)
			require.Equal(t, extensions["code"], ours.body["code"], "%s\n%s", ours.text, theirs.text)
		})
	}
}
