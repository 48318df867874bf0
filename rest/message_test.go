package rest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	sent := c.ok(http.StatusCreated, http.MethodPost, "/messages", `{"queue":"notifications","payload":{"text":"Hello"}}`)
	require.Equal(t, []string{"msgId"}, keys(sent))
	other.ok(http.StatusCreated, http.MethodPost, "/messages", `{"queue":"notifications","payload":[1,null,"x"]}`)

	a := c.do(http.MethodGet, "/messages?queue=notifications&limit=1000", "")
	require.Equal(t, http.StatusOK, a.status, a.text)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	items, _ := a.body["items"].([]any)
	require.Len(t, items, 1, "not those of others")
	m, _ := items[0].(map[string]any)
	require.Equal(t, []string{"enqueuedAt", "msgId", "payload", "readCount", "visibleAt"}, keys(m))
	require.Equal(t, sent["msgId"], m["msgId"])
	require.Equal(t, vars{"text": "Hello"}, m["payload"])
	require.InDelta(t, 1, m["readCount"], 0)
	require.Regexp(t, moment, m["enqueuedAt"])
	require.Regexp(t, moment, m["visibleAt"])
	require.Greater(t, m["visibleAt"], m["enqueuedAt"])
	require.Equal(t, []any{}, c.ok(http.StatusOK, http.MethodGet, "/messages?queue=notifications", "")["items"], "it is hidden")

	id := fmt.Sprint(m["msgId"])
	require.Equal(t, vars{"archived": true}, c.ok(http.StatusOK, http.MethodDelete, "/messages", `{"queue":"notifications","msgId":`+id+`}`))
	c.fails(404, "NOT_FOUND", http.MethodDelete, "/messages", `{"queue":"notifications","msgId":`+id+`}`)
	again := c.ok(http.StatusCreated, http.MethodPost, "/messages", `{"queue":"notifications","payload":null}`)
	require.Equal(t, vars{"archived": true}, c.ok(http.StatusOK, http.MethodDelete, fmt.Sprintf("/messages?queue=notifications&msgId=%v", again["msgId"]), ""), "by parameters")

	for body, fields := range map[string][]string{
		`{}`: {"payload", "queue"}, `{"queue":"A","payload":1}`: {"queue"}, `{"queue":"q; drop table x","payload":1}`: {"queue"}, `{"queue":1,"payload":1}`: {"queue"},
	} {
		require.Equal(t, fields, c.fails(400, "VALIDATION_FAILED", http.MethodPost, "/messages", body).fields(), body)
	}
	for query, field := range map[string]string{"": "queue", "?queue=": "queue", "?queue=0.5": "queue", "?queue=notifications&limit=x": "limit"} {
		require.Equal(t, []string{field}, c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/messages"+query, "").fields(), query)
	}
	require.Equal(t, []string{"queue", "msgId"}, c.fails(400, "VALIDATION_FAILED", http.MethodDelete, "/messages", "").fields())
	require.Equal(t, []string{"msgId"}, c.fails(400, "VALIDATION_FAILED", http.MethodDelete, "/messages?queue=a&msgId=x", "").fields())
	require.Equal(t, []string{"msgId"}, c.fails(400, "VALIDATION_FAILED", http.MethodDelete, "/messages", `{"queue":"a","msgId":"1"}`).fields())
}
