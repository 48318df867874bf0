package cli_test

import (
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// secretFile writes a secret into a file and returns its path.
func secretFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func randomKey() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	return base64.StdEncoding.EncodeToString(raw)
}

const enqueueEncrypted = `mutation ($in: EnqueueJobInput!) { enqueueJob(input: $in) { job { id encrypted payload } } }`

// seal enqueues a job with an encrypted payload that no worker runs.
func (c caller) seal(t *testing.T, word string) string {
	t.Helper()
	var made struct {
		EnqueueJob struct {
			Job struct {
				ID        string
				Encrypted bool
			}
		}
	}
	c.get(t, &made, enqueueEncrypted, map[string]any{"in": map[string]any{"type": "kept", "payload": map[string]any{"word": word}, "encrypt": true, "runAt": "2999-01-01T00:00:00Z"}})
	require.True(t, made.EnqueueJob.Job.Encrypted)
	return made.EnqueueJob.Job.ID
}

// unseal decrypts the payload of a job that seal made.
func (c caller) unseal(t *testing.T, id string) string {
	t.Helper()
	var got struct {
		DecryptJobPayload struct{ Payload struct{ Word string } }
	}
	c.get(t, &got, `mutation ($id: ID!) { decryptJobPayload(input: {id: $id}) { payload } }`, map[string]any{"id": id})
	return got.DecryptJobPayload.Payload.Word
}

// A key that is rotated under a running server: nothing is unreadable at any time, and a payload that cannot be decrypted is
// told of and left.
func TestRotatePayloadKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := secretFile(t, "payload.key", randomKey()+"\n")
	env := w.environ("PAYLOAD_ENCRYPTION_KEY_FILE=" + file)
	s := serveAPI(t, env)
	c := w.caller(s)
	var ids []string
	for _, word := range []string{"canary-1", "canary-2", "canary-3", "canary-4", "canary-5"} {
		ids = append(ids, c.seal(t, word))
	}
	w.Exec(t, `UPDATE jobs SET payload_encrypted = (SELECT payload_encrypted FROM jobs WHERE id = $2) WHERE id = $1`, ids[0], ids[1])

	r := run(t, env, "key", "rotate-payload", "--batch", "2")
	require.Equal(t, 1, r.code, "one payload was tampered with")
	require.Equal(t, "encrypted 4 payloads anew; 1 cannot be decrypted\n", r.stdout)
	require.Contains(t, r.stderr, "job "+ids[0]+" of tenant "+w.scope.TenantID.String()+" is left as it is")
	require.Contains(t, r.stderr, "2 keys")
	for i, id := range ids[1:] {
		require.Equal(t, "canary-"+string(rune('2'+i)), c.unseal(t, id), "the server follows the file")
	}
	require.Equal(t, 2, one[int](t, w, `SELECT count(DISTINCT left(payload_encrypted, 10))::int FROM jobs`))

	// Again without a new key there is nothing to do but what cannot be done; without that, the older key can go.
	r = run(t, env, "key", "rotate-payload", "--reencrypt-only", "--retire")
	require.Equal(t, 1, r.code)
	require.NotContains(t, r.stderr, "1 keys", "while something needs the older key it stays")
	w.Exec(t, `DELETE FROM jobs WHERE id = $1`, ids[0])
	r = run(t, env, "key", "rotate-payload", "--retire")
	require.Zero(t, r.code, r.stderr)
	require.Equal(t, "encrypted 4 payloads anew\nencrypted 0 payloads anew\n", r.stdout)
	require.Contains(t, r.stderr, "1 keys")
	require.Equal(t, "canary-5", c.unseal(t, ids[4]))
	require.Equal(t, "canary-6", c.unseal(t, c.seal(t, "canary-6")))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	s.stop()
	require.NotContains(t, s.stdout.String()+s.stderr.String()+r.stdout+r.stderr, "canary")
}

func TestPayloadKeys(t *testing.T) {
	t.Parallel()

	t.Run("development keeps a key of its own, which API, worker and seed share", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ok(t, w.environ(), "seed")
		require.Equal(t, []string{"seed:13", "seed:14", "seed:7"}, list[string](t, w, `SELECT unique_key FROM jobs WHERE payload_encrypted LIKE 'sf1:%' ORDER BY 1`))
		require.Equal(t, 2, one[int](t, w, `SELECT count(*)::int FROM jobs WHERE payload_encrypted IS NOT NULL AND payload = '{}'`))
		before := list[string](t, w, `SELECT payload_encrypted FROM jobs WHERE payload_encrypted IS NOT NULL ORDER BY id`)
		ok(t, w.environ(), "seed")
		require.Equal(t, before, list[string](t, w, `SELECT payload_encrypted FROM jobs WHERE payload_encrypted IS NOT NULL ORDER BY id`))
		w.Exec(t, `UPDATE jobs SET run_at = now() WHERE unique_key = 'seed:13'`)
		s := serveAPI(t, w.environ(), "--worker")
		id := one[string](t, w, `SELECT id::text FROM jobs WHERE unique_key = 'seed:13'`)
		key := strings.TrimSpace(ok(t, w.environ(), "key", "create", "--tenant", "00000000-0000-0000-0000-000000000002", "--name", "x"))
		caller{url: s.url, key: key}.awaitJob(t, id, "DONE")
		info, err := os.Stat(filepath.Join(w.dir, "payload.key"))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		s.stop()
		require.NotContains(t, s.stdout.String()+s.stderr.String(), "nina.holt")
	})

	t.Run("production without a key says which variable is missing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		production := w.environ("APP_ENV=production", "JWT_SECRET="+randomKey())
		s := serveAPI(t, production)
		a, err := w.caller(s).ask(t.Context(), enqueueEncrypted, map[string]any{"in": map[string]any{"type": "kept", "encrypt": true}})
		require.NoError(t, err)
		require.Equal(t, []string{"NOT_IMPLEMENTED"}, a.codes())
		require.Contains(t, a.text, "PAYLOAD_ENCRYPTION_KEY")
		require.NoFileExists(t, filepath.Join(w.dir, "payload.key"))
		r := run(t, production, "key", "rotate-payload")
		require.Equal(t, 1, r.code)
		require.Contains(t, r.stderr, "PAYLOAD_ENCRYPTION_KEY")
	})

	t.Run("a keyset can be encrypted by another key", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		kms := "PAYLOAD_ENCRYPTION_KMS=file://" + secretFile(t, "kek", randomKey())
		keyset := ok(t, w.environ(kms), "key", "make-payload")
		require.Contains(t, keyset, "encryptedKeyset")
		file := secretFile(t, "keyset", keyset)
		env := w.environ(kms, "PAYLOAD_ENCRYPTION_KEY_FILE="+file)
		s := serveAPI(t, env)
		id := w.caller(s).seal(t, "canary")
		require.Zero(t, run(t, env, "key", "rotate-payload").code)
		require.Equal(t, "canary", w.caller(s).unseal(t, id))
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(text), "encryptedKeyset", "it stays so")
	})

	t.Run("what is no key stops the start, and is not repeated", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for _, bad := range [][]string{
			{"PAYLOAD_ENCRYPTION_KEY=secret-word"},
			{"PAYLOAD_ENCRYPTION_KEY_FILE=" + secretFile(t, "key", "secret-word")},
			{"PAYLOAD_ENCRYPTION_KEY=" + randomKey(), "PAYLOAD_ENCRYPTION_KMS=gcp-kms://projects/x"},
			{"PAYLOAD_ENCRYPTION_KEY=" + randomKey(), "PAYLOAD_ENCRYPTION_KMS=file:///nowhere"},
		} {
			r := run(t, w.environ(bad...), "serve")
			require.Equal(t, 1, r.code, bad)
			require.Contains(t, r.stderr, "PAYLOAD_ENCRYPTION_K")
			require.NotContains(t, r.stderr, "secret-word")
		}
		r := run(t, w.environ("PAYLOAD_ENCRYPTION_KEY="+randomKey()), "key", "rotate-payload")
		require.Contains(t, r.stderr, "PAYLOAD_ENCRYPTION_KEY_FILE", "a variable cannot be rotated")
		require.NotZero(t, run(t, w.environ(), "key", "rotate-payload", "--batch", "0").code)
		require.Contains(t, ok(t, w.environ(), "key", "make-payload"), "primaryKeyId")
	})
}
