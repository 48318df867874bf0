package rest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWebhook(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	c.fails(404, "NOT_FOUND", http.MethodDelete, "/webhook", "")
	made := c.do(http.MethodPut, "/webhook", `{"url":"https://example.org/hook"}`)
	require.Equal(t, http.StatusOK, made.status, made.text)
	require.Equal(t, "no-store", made.header.Get("Cache-Control"))
	require.Equal(t, "https://example.org/hook", made.body["url"])
	require.Regexp(t, "^whsec_", made.body["secret"], "shown this once")
	require.Equal(t, vars{"url": "https://example.org/other"}, c.ok(http.StatusOK, http.MethodPut, "/webhook", `{"url":"https://example.org/other"}`))
	for _, body := range []string{
		`{}`, `{"url":null}`, `{"url":7}`, `{"url":""}`, `{"url":"ftp://example.org"}`, `{"url":"garbage"}`, `{"url":"http://127.0.0.1/"}`,
		`{"url":"http://169.254.169.254/latest"}`, `{"url":"http://[::1]/"}`,
	} {
		require.Equal(t, []string{"url"}, c.fails(400, "VALIDATION_FAILED", http.MethodPut, "/webhook", body).fields(), body)
	}
	other.fails(404, "NOT_FOUND", http.MethodDelete, "/webhook", "")
	require.Equal(t, http.StatusNoContent, c.do(http.MethodDelete, "/webhook", "").status)
	c.fails(404, "NOT_FOUND", http.MethodDelete, "/webhook", "")
}
