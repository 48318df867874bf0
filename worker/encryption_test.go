package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/crypt"
	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/job"
	"stackforge/worker"
)

// locked collects logs of several goroutines.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// vault is a bundle with keys.
type vault struct {
	bundle
	log locked
	api *app.Payloads
	run *app.Payloads // of the worker's role
}

func setupVault(t *testing.T) *vault {
	t.Helper()

	v := &vault{bundle: setup(t)}
	r, err := crypt.New()
	require.NoError(t, err)
	keys := crypt.Fixed(r)
	v.api, v.run = app.NewPayloads(v.jobs, keys, nil), app.NewPayloads(job.New(v.d.Worker), keys, nil)
	return v
}

func (v *vault) enqueueEncrypted(t *testing.T, typ, payload string) job.Job {
	t.Helper()

	j, _, err := v.api.Enqueue(v.ctx, job.EnqueueParams{Type: typ, Payload: json.RawMessage(payload), Encrypt: true})
	require.NoError(t, err)
	return j
}

func (v *vault) start(t *testing.T, c worker.Config, table worker.Table) *process {
	t.Helper()
	return start(t, c, worker.Deps{Runs: v.runs, Handlers: table, Log: zerolog.New(&v.log), Payloads: v.run, Nudge: func(string) {}})
}

// dump is everything that is stored of jobs.
func (v *vault) dump(t *testing.T) string {
	t.Helper()

	s, err := db.Get[string](t.Context(), v.d.Owner, "dump", `
		SELECT coalesce((SELECT string_agg(j::text, ' ') FROM jobs j), '') || coalesce((SELECT string_agg(e::text, ' ') FROM job_events e), '')`)
	require.NoError(t, err)
	return s
}

func TestEncryptedPayload(t *testing.T) {
	t.Parallel()

	t.Run("the handler has the plaintext, and nobody else", func(t *testing.T) {
		t.Parallel()

		v := setupVault(t)
		j := v.enqueueEncrypted(t, "echo", `{"word": "canary-word", "list": ["canary-1", {"deep": "canary-2"}], "n": 7}`)
		seen := make(chan json.RawMessage, 1)
		p := v.start(t, worker.Config{}, worker.Table{"echo": {Do: func(_ context.Context, r *worker.Run) (any, error) {
			seen <- r.Job.Payload
			r.Log.Info().Msg("working")
			return map[string]any{"echo": "said canary-word twice", "canary-1": []any{"canary-2", 7}}, nil
		}}})
		p.wait(t, worker.Ended, nil)
		require.JSONEq(t, `{"word": "canary-word", "list": ["canary-1", {"deep": "canary-2"}], "n": 7}`, string(<-seen))
		got := v.get(t, j.ID)
		require.Equal(t, job.Done, got.Status)
		require.JSONEq(t, `{"echo": "said [encrypted] twice", "[encrypted]": ["[encrypted]", 7]}`, string(got.Result))
		require.JSONEq(t, `{}`, string(got.Payload))
		require.NoError(t, p.stop())
		require.NotContains(t, v.dump(t)+v.log.String(), "canary")
	})

	t.Run("errors and panics are recorded without it", func(t *testing.T) {
		t.Parallel()

		v := setupVault(t)
		wrapped := v.enqueueEncrypted(t, "wrapped", `{"to": "canary-a"}`)
		foreign := v.enqueueEncrypted(t, "foreign", `{"to": "canary-b\n"}`)
		panics := v.enqueueEncrypted(t, "panics", `{"to": "canary-c"}`)
		p := v.start(t, worker.Config{MaxAttempts: 1}, worker.Table{
			"wrapped": {Do: func(context.Context, *worker.Run) (any, error) {
				return nil, errs.Wrap(errs.Validation, errors.New("cause: canary-a"), "no canary-a here")
			}},
			"foreign": {Do: func(context.Context, *worker.Run) (any, error) { return nil, errors.New(`bad value "canary-b\n"`) }},
			"panics":  {Do: func(context.Context, *worker.Run) (any, error) { panic("canary-c") }},
		})
		for range 3 {
			p.wait(t, worker.Ended, nil)
		}
		require.Equal(t, "no [encrypted] here", *v.get(t, wrapped.ID).LastError)
		require.Equal(t, `bad value "[encrypted]"`, *v.get(t, foreign.ID).LastError)
		require.Equal(t, "panicked: [encrypted]", *v.get(t, panics.ID).LastError)
		require.NoError(t, p.stop())
		require.NotContains(t, v.dump(t)+v.log.String(), "canary")
	})

	t.Run("what cannot be decrypted fails for good", func(t *testing.T) {
		t.Parallel()

		v := setupVault(t)
		a, b := v.enqueueEncrypted(t, "echo", `{"x": 1}`), v.enqueueEncrypted(t, "echo", `{"x": 2}`)
		v.d.Exec(t, `UPDATE jobs SET payload_encrypted = (SELECT o.payload_encrypted FROM jobs o WHERE o.id = $2) WHERE id = $1`, a.ID, b.ID)
		v.d.Exec(t, `UPDATE jobs SET payload_encrypted = 'sf1:' || repeat('A', 60) WHERE id = $1`, b.ID)
		p := v.start(t, worker.Config{}, worker.Table{"echo": {Do: func(context.Context, *worker.Run) (any, error) {
			return nil, errors.New("it must not run")
		}}})
		p.wait(t, worker.Ended, nil)
		p.wait(t, worker.Ended, nil)
		for _, id := range []int64{a.ID, b.ID} {
			j := v.get(t, id)
			require.Equal(t, job.Failed, j.Status)
			require.Equal(t, job.ReasonPermanent, *j.Reason)
			require.Contains(t, *j.LastError, "The encrypted payload cannot be decrypted")
		}
	})

	t.Run("it survives retry, rescue and a new life", func(t *testing.T) {
		t.Parallel()

		v := setupVault(t)
		j := v.enqueueEncrypted(t, "send_email", `{"to": "canary@example.org"}`)
		var seen []string
		var mu sync.Mutex
		fail := errors.New("again")
		p := v.start(t, worker.Config{MaxAttempts: 2, BackoffBase: time.Millisecond}, worker.Table{"send_email": {Do: func(_ context.Context, r *worker.Run) (any, error) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, string(r.Job.Payload))
			if len(seen) < 3 {
				return nil, fail
			}
			return nil, nil
		}}})
		p.wait(t, worker.Ended, nil)
		p.wait(t, worker.Ended, nil)
		require.Equal(t, job.Failed, v.get(t, j.ID).Status)
		_, err := v.jobs.Requeue(v.ctx, j.ID) // it moves from the finished to the live ones, past the check of its payload
		require.NoError(t, err)
		p.wait(t, worker.Ended, nil)
		require.NoError(t, p.stop())
		require.Equal(t, job.Done, v.get(t, j.ID).Status)
		require.Equal(t, []string{`{"to": "canary@example.org"}`, `{"to": "canary@example.org"}`, `{"to": "canary@example.org"}`}, seen)
		require.NotContains(t, v.dump(t)+v.log.String(), "canary")

		lost := v.enqueueEncrypted(t, "send_email", `{"to": "canary@example.org"}`)
		v.d.Exec(t, `SELECT claim_job()`)
		v.d.Exec(t, `UPDATE jobs SET started_at = now() - interval '1 hour' WHERE id = $1`, lost.ID)
		n, err := v.runs.RecoverStale(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, job.Pending, v.get(t, lost.ID).Status)
		require.True(t, v.get(t, lost.ID).Encrypted)
		cancelled, err := v.jobs.Cancel(v.ctx, lost.ID)
		require.NoError(t, err)
		require.True(t, cancelled.Encrypted)
	})
}
