package resolvers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	sendMessages = `mutation ($in: SendMessagesInput!) { sendMessages(input: $in) { sent results { index id error { code field } } } }`
	readMessages = `mutation ($in: ReadMessagesInput!) { readMessages(input: $in) { messages { id queue payload headers readCount receipt visibleAt } } }`
)

// sent sends n messages with the payloads 0, 1, … to a queue.
func (c caller) sent(queue string, n int) {
	c.d.t.Helper()

	list := make([]vars, n)
	for i := range list {
		list[i] = vars{"payload": vars{"n": i}}
	}
	require.InEpsilon(c.d.t, n, at(c.d.t, c.get(sendMessages, vars{"in": vars{"queue": queue, "messages": list}}), "sendMessages", "sent"), 0)
}

// length is how many messages a queue has.
func (c caller) length(queue string) string {
	c.d.t.Helper()
	return fmt.Sprint(at(c.d.t, c.get(`query ($q: String!) { messageQueue(name: $q) { metrics { length } } }`, vars{"q": queue}), "messageQueue", "metrics", "length"))
}

func TestMessages(t *testing.T) {
	t.Parallel()

	t.Run("through their life", func(t *testing.T) {
		t.Parallel()

		c := open(t).tenant()
		first := c.get(`mutation { sendMessage(input: {queue: "notifications", payload: {to: "ada"}, headers: {trace: "x"}}) { id } }`, nil)
		require.Equal(t, "1", at(t, first, "sendMessage", "id"))
		c.sent("notifications", 2)
		got := at(t, c.get(readMessages, vars{"in": vars{"queue": "notifications", "limit": 2}}), "readMessages", "messages")
		require.Equal(t, map[string]any{"to": "ada"}, at(t, got, 0, "payload"))
		require.Equal(t, map[string]any{"trace": "x"}, at(t, got, 0, "headers"))
		require.Equal(t, "notifications", at(t, got, 0, "queue"))
		receipt := at(t, got, 1, "receipt")
		shown := c.get(`mutation { setMessageVisibility(input: {queue: "notifications", messages: [{id: 1}, {id: 9}], visibilitySeconds: 0}) { messages { id visibleAt } } }`, nil)
		require.Equal(t, "1", at(t, shown, "setMessageVisibility", "messages", 0, "id"))
		again := at(t, c.get(readMessages, vars{"in": vars{"queue": "notifications", "limit": 1}}), "readMessages", "messages", 0)
		require.InEpsilon(t, 2, at(t, again, "readCount"), 0)
		c.get(`mutation { archiveMessage(input: {queue: "notifications", id: 1}) { id } }`, nil)
		require.Equal(t, []string{"NOT_FOUND"}, c.ask(`mutation { archiveMessage(input: {queue: "notifications", id: 1}) { id } }`, nil).codes())
		require.Equal(t, []string{"NOT_FOUND"}, c.ask(`mutation { deleteMessage(input: {queue: "notifications", id: 2, receipt: "7"}) { id } }`, nil).codes())
		c.get(`mutation ($r: String) { deleteMessage(input: {queue: "notifications", id: 2, receipt: $r}) { id } }`, vars{"r": receipt})
		popped := c.get(`mutation { popMessages(input: {queue: "notifications"}) { messages { id } } }`, nil)
		require.Equal(t, "3", at(t, popped, "popMessages", "messages", 0, "id"))
		q := c.get(`{ messageQueues { totalCount nodes { name kind metrics { length visible hidden total archived oldestAgeSeconds } } } }`, nil)
		require.Equal(t, map[string]any{"name": "notifications", "kind": "STANDARD", "metrics": map[string]any{
			"length": 0.0, "visible": 0.0, "hidden": 0.0, "total": 3.0, "archived": 1.0, "oldestAgeSeconds": nil,
		}}, at(t, q, "messageQueues", "nodes", 0))
		c.sent("notifications", 3)
		c.get(`mutation { archiveMessages(input: {queue: "notifications", messages: [{id: 4}]}) { ids } deleteMessages(input: {queue: "notifications", messages: [{id: 5}, {id: 5}]}) { ids } }`, nil)
		require.InEpsilon(t, 1, at(t, c.get(`mutation { purgeMessageQueue(input: {name: "notifications"}) { purged } }`, nil), "purgeMessageQueue", "purged"), 0)
		c.get(`mutation { deleteMessageQueue(input: {name: "notifications"}) { name } }`, nil)
		require.Nil(t, at(t, c.get(`{ messageQueue(name: "notifications") { name } }`, nil), "messageQueue"))
	})

	t.Run("queues and their rule", func(t *testing.T) {
		t.Parallel()

		c := open(t).tenant()
		c.get(`mutation { createMessageQueue(input: {name: "parts", kind: PARTITIONED, partitionInterval: "1000"}) { queue { name kind } } }`, nil)
		require.Equal(t, []string{"CONFLICT"}, c.ask(`mutation { createMessageQueue(input: {name: "parts"}) { queue { name } } }`, nil).codes())
		q := c.get(`mutation { setMessageQueueRedrive(input: {queue: "parts", maxReads: 1, deadLetterQueue: "dead"}) { queue { maxReads deadLetterQueue } } }`, nil)
		require.Equal(t, map[string]any{"maxReads": 1.0, "deadLetterQueue": "dead"}, at(t, q, "setMessageQueueRedrive", "queue"))
		c.sent("parts", 1)
		for range 2 {
			c.get(readMessages, vars{"in": vars{"queue": "parts", "visibilitySeconds": 60}})
			c.ask(`mutation { setMessageVisibility(input: {queue: "parts", messages: [{id: 1}], visibilitySeconds: 0}) { messages { id } } }`, nil)
		}
		require.Equal(t, "0 1", c.length("parts")+" "+c.length("dead"))
	})

	t.Run("bad input names its field", func(t *testing.T) {
		t.Parallel()

		c := open(t).tenant()
		big := strings.Repeat("x", 262_200)
		for _, bad := range []struct{ query, code, field string }{
			{`mutation { sendMessage(input: {queue: "Bad Name", payload: 1}) { id } }`, "VALIDATION_FAILED", "queue"},
			{`mutation { sendMessage(input: {queue: "q", payload: "` + big + `"}) { id } }`, "PAYLOAD_TOO_LARGE", "payload"},
			{`mutation { sendMessage(input: {queue: "q", payload: 1, headers: 2}) { id } }`, "VALIDATION_FAILED", "headers"},
			{`mutation { sendMessage(input: {queue: "q", payload: 1, delaySeconds: -1}) { id } }`, "VALIDATION_FAILED", "delaySeconds"},
			{`mutation { sendMessages(input: {queue: "q", messages: []}) { sent } }`, "VALIDATION_FAILED", "messages"},
			{`mutation { sendMessages(input: {queue: "q", messages: [{payload: 1}, {payload: 1, headers: [1]}]}) { sent } }`, "VALIDATION_FAILED", "messages[1].headers"},
			{`mutation { readMessages(input: {queue: "q", limit: 101}) { messages { id } } }`, "VALIDATION_FAILED", "limit"},
			{`mutation { readMessages(input: {queue: "q", visibilitySeconds: -1}) { messages { id } } }`, "VALIDATION_FAILED", "visibilitySeconds"},
			{`mutation { readMessages(input: {queue: "q", waitSeconds: 21}) { messages { id } } }`, "VALIDATION_FAILED", "waitSeconds"},
			{`mutation { archiveMessage(input: {queue: "q", id: "x"}) { id } }`, "VALIDATION_FAILED", "id"},
			{`mutation { archiveMessages(input: {queue: "q", messages: [{id: "1"}, {id: "x"}]}) { ids } }`, "VALIDATION_FAILED", "messages[1].id"},
			{`mutation { archiveMessage(input: {queue: "none", id: "1"}) { id } }`, "NOT_FOUND", "queue"},
			{`mutation { createMessageQueue(input: {name: "p", kind: PARTITIONED, partitionInterval: "x"}) { queue { name } } }`, "VALIDATION_FAILED", "partitionInterval"},
		} {
			a := c.ask(bad.query, nil)
			require.Equal(t, []string{bad.code}, a.codes(), "%.200s: %.300s", bad.query, a.raw)
			require.Equal(t, []string{bad.field}, a.fields(), "%.200s", bad.query)
		}
		some := c.get(sendMessages, vars{"in": vars{"queue": "q", "onError": "SKIP", "messages": []vars{{"payload": 1, "headers": 1}, {"payload": 2}}}})
		require.Equal(t, map[string]any{"index": 0.0, "id": nil, "error": map[string]any{"code": "VALIDATION_FAILED", "field": "headers"}}, at(t, some, "sendMessages", "results", 0))
		require.Equal(t, "1", at(t, some, "sendMessages", "results", 1, "id"))
	})

	t.Run("a read waits for a message", func(t *testing.T) {
		t.Parallel()

		d := open(t)
		c := d.tenant()
		got := make(chan answer, 1)
		go func() { got <- c.ask(readMessages, vars{"in": vars{"queue": "slow", "waitSeconds": 20}}) }()
		require.Eventually(t, func() bool { return d.messages.Stats().Waiting == 1 }, 10*time.Second, time.Millisecond)
		c.sent("slow", 1)
		require.Equal(t, "1", at(t, (<-got).Data, "readMessages", "messages", 0, "id"))
	})
}

// consume subscribes to a queue as operation 1.
func (s *socket) consume(args string) {
	s.t.Helper()

	body, err := json.Marshal(map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": `subscription { messages` + args + ` { id payload readCount receipt } }`}})
	require.NoError(s.t, err)
	s.send(string(body))
}

// message returns the id and the read count of the next message.
func (s *socket) message() string {
	s.t.Helper()

	m := s.receive()
	require.Equal(s.t, "next", m["type"], "%v", m)
	return fmt.Sprint(at(s.t, m, "payload", "data", "messages", "id"), " ", at(s.t, m, "payload", "data", "messages", "readCount"))
}

// consumers waits until so many subscribers wait for messages.
func (d *door) consumers(n, waiting int) {
	d.t.Helper()
	require.Eventually(d.t, func() bool { s := d.messages.Stats(); return s.Consumers == n && s.Waiting == waiting }, 10*time.Second, time.Millisecond)
}

func TestMessageSubscription(t *testing.T) {
	t.Parallel()

	t.Run("messages come as they are sent, and no more than prefetch at a time", func(t *testing.T) {
		t.Parallel()

		d := open(t)
		c := d.tenant()
		s := c.dial()
		s.consume(`(queue: "work", prefetch: 2)`)
		d.consumers(1, 1)
		c.sent("work", 3)
		require.Equal(t, "1 1", s.message())
		require.Equal(t, "2 1", s.message())
		require.Equal(t, 2, d.messages.Stats().UnderWay)
		require.Empty(t, at(t, c.get(readMessages, vars{"in": vars{"queue": "work", "limit": 1, "visibilitySeconds": 0}}), "readMessages", "messages", 0, "headers"), "the third is free")
		c.get(`mutation { archiveMessage(input: {queue: "work", id: 1}) { id } }`, nil)
		require.Equal(t, "3 2", s.message())
		c.get(`mutation { deleteMessages(input: {queue: "work", messages: [{id: 2}, {id: 3}]}) { ids } }`, nil)
		d.consumers(1, 1)
		require.Equal(t, 0, d.messages.Stats().UnderWay)
		c.sent("work", 1)
		require.Equal(t, "4 1", s.message())
	})

	t.Run("the end of a subscriber leaves what it had to the others", func(t *testing.T) {
		t.Parallel()

		d := open(t)
		c := d.tenant()
		first, second := c.dial(), c.dial()
		first.consume(`(queue: "work", prefetch: 5)`)
		d.consumers(1, 1)
		c.sent("work", 2)
		require.Equal(t, "1 1", first.message())
		require.Equal(t, "2 1", first.message())
		second.consume(`(queue: "work", prefetch: 5)`)
		d.consumers(2, 2)
		require.NoError(t, first.conn.CloseNow())
		require.Equal(t, "1 2", second.message())
		require.Equal(t, "2 2", second.message())
	})

	t.Run("two subscribers with the same document share the messages, not each message", func(t *testing.T) {
		t.Parallel()

		d := open(t)
		c := d.tenant()
		for _, args := range []string{`(queue: "work")`, `(queue: "work", prefetch: 1)`} {
			one, two := c.dial(), c.dial()
			one.consume(args)
			d.consumers(1, 1)
			two.consume(args)
			d.consumers(2, 2)
			require.NoError(t, one.conn.CloseNow())
			require.NoError(t, two.conn.CloseNow())
			d.consumers(0, 0)
		}
	})

	t.Run("what is not acknowledged comes back after its time", func(t *testing.T) {
		t.Parallel()

		d := open(t)
		c := d.tenant()
		s := c.dial()
		s.consume(`(queue: "work", prefetch: 1, visibilitySeconds: 1)`)
		c.sent("work", 1)
		require.Equal(t, "1 1", s.message())
		require.Equal(t, "1 2", s.message())
	})

	t.Run("bad arguments end it", func(t *testing.T) {
		t.Parallel()

		s := open(t).tenant().dial()
		s.consume(`(queue: "work", prefetch: 0, visibilitySeconds: 0)`)
		m := s.receive()
		require.Equal(t, "error", m["type"], "%v", m)
		require.Contains(t, fmt.Sprint(m), "prefetch")
		require.Contains(t, fmt.Sprint(m), "visibilitySeconds")
	})
}
