package cli_test

import (
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// slowRequest is a request that waits for a row lock which the test holds.
type slowRequest struct {
	answer  chan answer
	release func() // ends the lock
}

// slow starts an update of a document that cannot finish before release, and waits until it waits.
func slow(t *testing.T, w *world, c caller) slowRequest {
	t.Helper()
	document := createDocument(t, c, "Slow")
	conn := w.Connect(t)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM documents WHERE id = $1 FOR UPDATE`, document)
	require.NoError(t, err)
	s := slowRequest{answer: make(chan answer, 1), release: func() { _ = tx.Rollback(t.Context()) }}
	go func() {
		a, err := c.ask(t.Context(), `mutation ($id: ID!) { updateDocument(input: {id: $id, title: "Done"}) { document { title } } }`,
			map[string]any{"id": document})
		if err != nil {
			a.text = err.Error()
		}
		s.answer <- a
	}()
	eventually(t, func() bool {
		return one[int](t, w, `
			SELECT count(*)::int FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'web-app' AND wait_event_type = 'Lock'`) == 1
	}, "a request that waits for the lock")
	return s
}

// disconnected waits until the database has noticed that the processes are gone.
func (w *world) disconnected(t *testing.T) {
	t.Helper()
	eventually(t, func() bool {
		return one[int](t, w, `
			SELECT count(*)::int FROM pg_stat_activity
			WHERE datname = current_database() AND application_name IN ('web-app', 'web-jobs')`) == 0
	}, "the end of the connections")
}

// On SIGTERM a running request completes, subscribers are told to go elsewhere with 1001, new connections are refused,
// and the exit code is 0.
func TestStopServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		signal syscall.Signal
	}{{"SIGTERM", syscall.SIGTERM}, {"SIGINT", syscall.SIGINT}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := serveAPI(t, w.environ("SHUTDOWN_GRACE_MS=60000"), "--worker")
			client := w.caller(s)
			watch := client.watch(t, "")
			watch.listening(t, client)
			request := slow(t, w, client)

			s.signal(c.signal)
			err := watch.end(t)
			require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err), "%v", err)
			refused(t, s)
			select {
			case <-s.ended:
				require.Fail(t, "it did not wait for its request")
			case a := <-request.answer:
				require.Fail(t, "answered before the lock was gone", a.text)
			default:
			}
			request.release()
			a := <-request.answer
			require.Equal(t, http.StatusOK, a.status, a.text)
			require.Empty(t, a.Errors, a.text)
			require.Contains(t, a.text, `"Done"`)
			require.Zero(t, s.wait(), s.stderr.String())
			w.disconnected(t)
			require.Zero(t, one[int](t, w, `SELECT count(*)::int FROM job_workers`), "its worker has said goodbye")
		})
	}
}

// A request that takes longer than the grace does not keep the process.
func TestStopServerGraceOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := serveAPI(t, w.environ("SHUTDOWN_GRACE_MS=300"))
	request := slow(t, w, w.caller(s))
	s.stop()
	a := <-request.answer
	require.NotEqual(t, http.StatusOK, a.status, a.text)
	request.release()
	w.disconnected(t)
	require.Zero(t, one[int](t, w, `SELECT count(*)::int FROM documents WHERE title = 'Done'`), "the update was cancelled")
}

// A second signal ends a process that takes its time.
func TestStopTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := serveAPI(t, w.environ("SHUTDOWN_GRACE_MS=600000"))
	request := slow(t, w, w.caller(s))
	s.interrupt()
	refused(t, s)
	// A moment after the first signal the system's handling is back; a person presses again, too.
	eventually(t, func() bool {
		s.signal(syscall.SIGINT)
		select {
		case <-s.ended:
			return true
		default:
			return false
		}
	}, "the end of the process")
	require.Equal(t, -1, s.wait(), "a signal has ended it")
	request.release()
	<-request.answer
}

// refused waits until a server accepts no more connections.
func refused(t *testing.T, s *server) {
	t.Helper()
	eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(s.url, "http://"), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, "new connections are refused")
}

// On SIGTERM a worker lets its job finish, and claims no other.
func TestStopWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mail := newMailServer(t)
	c := w.caller(serveAPI(t, w.environ()))
	p := startWorker(t, w.environ(mail.env()...))
	running := c.enqueue(t, "send_email", mailTo("running"))
	eventually(t, func() bool { return mail.senders() == 1 }, "the job under way")

	p.signal(syscall.SIGTERM)
	p.says("worker: stopping")
	waiting := c.enqueue(t, "send_email", mailTo("waiting"))
	require.Equal(t, "RUNNING", c.job(t, running).Status)
	mail.release()
	require.Zero(t, p.wait(), p.stderr.String())
	require.Equal(t, job{Status: "DONE", Attempts: 1}, c.job(t, running))
	require.Equal(t, job{Status: "PENDING"}, c.job(t, waiting), "the API serves without a worker, and the job waits for one")
	require.Len(t, mail.delivered(), 1)

	startWorker(t, w.environ(mail.env()...))
	c.awaitJob(t, waiting, "DONE")
}

// A job that takes longer than the grace goes back to pending by the hand of its own worker, as if it had not begun.
func TestStopWorkerGraceOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mail := newMailServer(t)
	c := w.caller(serveAPI(t, w.environ()))
	p := startWorker(t, w.environ(append(mail.env(), "WORKER_SHUTDOWN_MS=200")...))
	id := c.enqueue(t, "send_email", mailTo("long"))
	eventually(t, func() bool { return mail.senders() == 1 }, "the job under way")
	p.stop()
	require.Equal(t, job{Status: "PENDING"}, c.job(t, id), "no attempt was used")
	require.Zero(t, one[int](t, w, `SELECT rescues FROM jobs WHERE type = 'send_email'`))

	mail.release()
	startWorker(t, w.environ(mail.env()...))
	require.Equal(t, 1, c.awaitJob(t, id, "DONE").Attempts)
	require.Len(t, mail.delivered(), 1)
}
