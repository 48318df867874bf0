package webhook_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/webhook"
)

// A delivery is verified by the public library, and so are two signatures while a secret changes.
func TestStandardWebhooks(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReceiver(t, nil)
	e, first := w.endpoint(t, r.URL, nil)
	w.start(t, webhook.Config{}, webhook.Deps{})
	verify := func(secret string, got request) error {
		l, err := standard.NewWebhook(secret)
		require.NoError(t, err)
		return l.Verify(got.body, got.header)
	}
	w.publish(t, 1)
	got := receive(t, r.requests)
	require.NoError(t, verify(first, got))
	got.body[0] = ' '
	require.Error(t, verify(first, got))

	_, second, err := w.hooks.Rotate(w.ctx, e.ID, 1)
	require.NoError(t, err)
	w.publish(t, 1)
	got = receive(t, r.requests)
	require.NoError(t, verify(first, got))
	require.NoError(t, verify(second, got))
}

// The code of the manual verifies a delivery.
func TestManual(t *testing.T) {
	t.Parallel()

	node, err := exec.LookPath("node")
	if err != nil {
		require.False(t, dbtest.CI(), "the machine that decides must have node")
		t.Skip("there is no node")
	}
	text, err := os.ReadFile("../docs/webhooks.md")
	require.NoError(t, err)
	code := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, code)
	script := filepath.Join(t.TempDir(), "verify.mjs")
	require.NoError(t, os.WriteFile(script, append(code[1], `
const {secret, headers, body} = JSON.parse(process.argv[2]);
console.log(JSON.stringify(verify(secret, headers, Buffer.from(body))));`...), 0o600))
	w := newWorld(t)
	r := newReceiver(t, nil)
	_, secret := w.endpoint(t, r.URL, nil)
	w.start(t, webhook.Config{}, webhook.Deps{})
	w.publish(t, 1)
	got := receive(t, r.requests)
	run := func(secret, body string) (string, error) {
		headers := map[string]string{}
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			headers[name] = got.header.Get(name)
		}
		input, err := json.Marshal(map[string]any{"secret": secret, "headers": headers, "body": body})
		require.NoError(t, err)
		out, err := exec.CommandContext(t.Context(), node, script, string(input)).Output()
		return string(out), err
	}
	out, err := run(secret, string(got.body))
	require.NoError(t, err)
	require.JSONEq(t, string(got.body), out)
	_, err = run(secret, string(got.body)+" ")
	require.Error(t, err)
	_, err = run("whsec_AAAA", string(got.body))
	require.Error(t, err)
}
