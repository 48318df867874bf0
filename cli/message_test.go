package cli_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A server that is killed while messages are sent loses none that it had confirmed, and leaves no half of a batch.
func TestSendKilled(t *testing.T) {
	t.Parallel()

	const batch, enough = 10, 20
	w := newWorld(t)
	first := serveAPI(t, w.environ())
	c := w.caller(first)
	confirmed, progress := make(chan []int, 1), make(chan struct{}, enough)
	go func() {
		var sent []int // the first of each batch that was confirmed
		for n := 0; ; n += batch {
			var messages []any
			for i := range batch {
				messages = append(messages, map[string]any{"payload": n + i})
			}
			a, err := c.ask(context.WithoutCancel(t.Context()), `mutation ($m: [MessageInput!]!) { sendMessages(input: {queue: "q", messages: $m}) { sent } }`, map[string]any{"m": messages})
			if err != nil || len(a.codes()) > 0 {
				confirmed <- sent
				return
			}
			sent = append(sent, n)
			select {
			case progress <- struct{}{}:
			default:
			}
		}
	}()
	for range enough {
		<-progress
	}
	first.kill()
	sent := <-confirmed
	require.GreaterOrEqual(t, len(sent), enough)

	c = w.caller(serveAPI(t, w.environ()))
	got := map[int]int{}
	for {
		messages := c.readMessages(t, 100)
		if len(messages) == 0 {
			break
		}
		for _, m := range messages {
			got[m.Payload]++
		}
	}
	for _, n := range sent {
		for i := range batch {
			require.Equal(t, 1, got[n+i], "message %d was confirmed", n+i)
		}
	}
	require.Zero(t, len(got)%batch, "a batch is sent as a whole")
	require.LessOrEqual(t, len(got), batch*(len(sent)+1), "one batch may be there that was not confirmed")
}

// A server that is killed while a client works on what it has read takes nothing with it: the messages stay hidden for
// the time that the read asked for, and then come again, each with its id.
func TestReadKilled(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	first := serveAPI(t, w.environ())
	var none struct{}
	w.caller(first).get(t, &none, `mutation { sendMessages(input: {queue: "q", messages: [{payload: 1}, {payload: 2}, {payload: 3}]}) { sent } }`, nil)
	read := w.caller(first).readMessages(t, 2)
	require.Len(t, read, 2)
	first.kill()

	c := w.caller(serveAPI(t, w.environ()))
	third := c.readMessages(t, 10)
	require.Len(t, third, 1, "the others are hidden")
	require.Equal(t, 3, third[0].Payload)
	w.Exec(t, `DO $$ BEGIN EXECUTE (SELECT format('UPDATE pgmq.%I SET vt = now() - interval ''1 second'' WHERE msg_id < 3', 'q_' || physical) FROM message_queues WHERE name = 'q'); END $$`)
	again := c.readMessages(t, 10)
	require.Len(t, again, 2)
	for i, m := range again {
		require.Equal(t, []any{read[i].ID, read[i].Payload, 2}, []any{m.ID, m.Payload, m.ReadCount})
	}
	const archive = `mutation ($id: ID!, $receipt: String) { archiveMessage(input: {queue: "q", id: $id, receipt: $receipt}) { id } }`
	a, err := c.ask(t.Context(), archive, map[string]any{"id": read[0].ID, "receipt": read[0].Receipt})
	require.NoError(t, err)
	require.Equal(t, []string{"NOT_FOUND"}, a.codes(), "the first read does not hold it any more")
	for _, m := range append(again, third...) {
		c.get(t, &none, archive, map[string]any{"id": m.ID, "receipt": m.Receipt})
	}
	require.Empty(t, c.readMessages(t, 10))
}

// message is what the tests look at.
type message struct {
	ID        string
	Payload   int
	ReadCount int
	Receipt   string
}

// readMessages reads from the queue q.
func (c caller) readMessages(t *testing.T, limit int) []message {
	t.Helper()
	var data struct{ ReadMessages struct{ Messages []message } }
	c.get(t, &data, `mutation ($n: Int!) { readMessages(input: {queue: "q", limit: $n}) { messages { id payload readCount receipt } } }`,
		map[string]any{"n": limit})
	return data.ReadMessages.Messages
}
