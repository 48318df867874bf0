package rest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/hashid"
)

func keys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func text(t testing.TB, v any) string {
	t.Helper()
	s, ok := v.(string)
	require.True(t, ok, "%v", v)
	return s
}

const moment = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`

func TestDocument(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	made := c.document(vars{
		"metadata": vars{"priority": "high", "tags": "database, postgres", `q"`: `\ and "`}, "path": "engineering.backend_1", "tagIds": []int{1, 5, 12},
		"longitude": -122.4194, "latitude": 37.7749, "unknown": []int{1},
	})
	require.Equal(t, []string{"authorId", "body", "createdAt", "id", "latitude", "longitude", "metadata", "path", "tagIds", "tenantId", "title", "updatedAt"}, keys(made))
	id := text(t, made["id"])
	require.Equal(t, c.scope.TenantID.String(), made["tenantId"])
	require.Equal(t, c.scope.UserID.String(), made["authorId"])
	require.Equal(t, []any{1.0, 5.0, 12.0}, made["tagIds"])
	require.InDelta(t, -122.4194, made["longitude"], 0)
	require.Regexp(t, moment, made["createdAt"])
	var hstore string
	require.NoError(t, d.Connect(t).QueryRow(t.Context(), "SELECT metadata::text FROM documents WHERE id = $1", id).Scan(&hstore))
	require.Equal(t, hstore, made["metadata"], "REST shows what PostgreSQL prints")

	require.Equal(t, made, c.ok(http.StatusOK, http.MethodGet, "/documents/"+id, ""))
	require.Equal(t, made, c.ok(http.StatusOK, http.MethodGet, "/documents/"+hashid.Document(uuid.MustParse(id)), ""))

	changed := c.ok(http.StatusOK, http.MethodPut, "/documents/"+id, `{"title":"Zebras","body":null,"metadata":null,"path":null,"tagIds":null,"longitude":null}`)
	require.Equal(t, "Zebras", changed["title"])
	require.Greater(t, changed["updatedAt"], made["updatedAt"])
	for _, kept := range []string{"authorId", "body", "createdAt", "id", "latitude", "longitude", "metadata", "path", "tagIds"} {
		require.Equal(t, made[kept], changed[kept], kept)
	}
	require.Equal(t, `"b"=>"2"`, c.ok(http.StatusOK, http.MethodPut, "/documents/"+id, `{"metadata":{"b":"2"}}`)["metadata"], "metadata is replaced")
	hits, _ := c.ok(http.StatusOK, http.MethodGet, "/documents/search?q=zebra", "")["items"].([]any)
	require.Len(t, hits, 1, "search finds the new title at once")

	for _, c := range []caller{other, c} {
		path := "/documents/" + id
		if c.key != other.key {
			path = "/documents/" + uuid.NewString()
		}
		c.fails(404, "NOT_FOUND", http.MethodGet, path, "")
		c.fails(404, "NOT_FOUND", http.MethodPut, path, `{"title":"x"}`)
		c.fails(404, "NOT_FOUND", http.MethodDelete, path, "")
	}
	require.Equal(t, "Zebras", c.ok(http.StatusOK, http.MethodGet, "/documents/"+id, "")["title"])

	a := c.do(http.MethodDelete, "/documents/"+id, "")
	require.Equal(t, http.StatusNoContent, a.status)
	require.Empty(t, a.text)
	c.fails(404, "NOT_FOUND", http.MethodGet, "/documents/"+id, "")
	c.fails(404, "NOT_FOUND", http.MethodDelete, "/documents/"+id, "")
}

func TestDocumentDefaults(t *testing.T) {
	t.Parallel()
	c := open(t, options{}).tenant(t)
	made := c.document(nil)
	require.Empty(t, made["metadata"])
	require.Equal(t, []any{}, made["tagIds"])
	for _, name := range []string{"path", "longitude", "latitude"} {
		require.Contains(t, made, name)
		require.Nil(t, made[name], name)
	}
}

func TestDocumentRefused(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	good := vars{"authorId": c.scope.UserID, "title": "t", "body": "b"}
	with := func(name string, v any) string {
		in := maps.Clone(good)
		in[name] = v
		return asJSON(t, in)
	}
	for name, c2 := range map[string]struct {
		body   string
		fields []string
	}{
		"nothing":            {`{}`, []string{"authorId", "body", "title"}},
		"no object":          {`[1]`, []string{"body"}},
		"null":               {`null`, []string{"body"}},
		"no JSON":            {`{"title":`, []string{"body"}},
		"two values":         {asJSON(t, good) + `{}`, []string{"body"}},
		"deep":               {strings.Repeat("[", 20_000), []string{"body"}},
		"author no uuid":     {with("authorId", "usr_001"), []string{"authorId"}},
		"author unknown":     {with("authorId", uuid.New()), []string{"authorId"}},
		"author foreign":     {with("authorId", other.scope.UserID), []string{"authorId"}},
		"title blank":        {with("title", " "), []string{"title"}},
		"title too long":     {with("title", strings.Repeat("x", 501)), []string{"title"}},
		"title a number":     {with("title", 3), []string{"title"}},
		"metadata nested":    {with("metadata", vars{"a": vars{"b": "c"}}), []string{"metadata.a"}},
		"metadata a number":  {with("metadata", vars{"a": 1}), []string{"metadata.a"}},
		"metadata null":      {with("metadata", vars{"a": nil}), []string{"metadata.a"}},
		"metadata a list":    {with("metadata", []string{"a"}), []string{"metadata"}},
		"path empty label":   {with("path", "a..b"), []string{"path"}},
		"path space":         {with("path", "a b"), []string{"path"}},
		"tag a string":       {with("tagIds", []any{"1"}), []string{"tagIds[0]"}},
		"tag null":           {with("tagIds", []any{nil}), []string{"tagIds[0]"}},
		"tag too large":      {with("tagIds", []any{3_000_000_000}), []string{"tagIds"}},
		"tag beyond numbers": {with("tagIds", []any{json.RawMessage("1e400")}), []string{"body"}},
		"too many tags":      {with("tagIds", make([]int, 1001)), []string{"tagIds"}},
		"NUL":                {with("body", "a\x00b"), []string{"body"}},
		"NUL in a value":     {with("metadata", vars{"a": "b", "c": "\x00"}), []string{"metadata.c"}},
		"NUL in a key":       {with("metadata", vars{"\x00": "b"}), []string{"metadata"}},
		"no UTF-8":           {`{"authorId":"","title":"` + "\xff" + `","body":""}`, []string{"title"}},
		"half a character":   {`{"authorId":"","title":"\ud83d\u0041","body":""}`, []string{"title"}},
		"half a point":       {with("longitude", 1), []string{"latitude"}},
		"beyond the earth":   {asJSON(t, vars{"authorId": c.scope.UserID, "title": "t", "body": "b", "longitude": 181, "latitude": 91}), []string{"longitude", "latitude"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := c
			c.t = t
			a := c.fails(400, "VALIDATION_FAILED", http.MethodPost, "/documents", c2.body)
			require.Equal(t, c2.fields, a.fields(), a.text)
		})
	}
	c.fails(400, "VALIDATION_FAILED", http.MethodPost, "/documents", "")
	c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/documents/xyz", "")
	c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/documents/%00", "")
	c.fails(405, "METHOD_NOT_ALLOWED", http.MethodPut, "/documents/search", "{}")
	c.fails(413, "PAYLOAD_TOO_LARGE", http.MethodPost, "/documents", with("body", strings.Repeat("x", maxBody)))
	c.fails(415, "UNSUPPORTED_MEDIA_TYPE", http.MethodPost, "/documents", asJSON(t, good), "Content-Type", "text/plain")
	c.fails(405, "METHOD_NOT_ALLOWED", http.MethodPatch, "/documents/"+uuid.NewString(), "{}")
	c.fails(404, "NOT_FOUND", http.MethodGet, "/nope", "")
}
