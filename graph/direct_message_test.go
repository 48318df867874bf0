package graph_test

import (
	"context"
	"encoding/json"
	"fmt"

	"stackforge/graph"
	"stackforge/graph/model"
	"stackforge/repo/message"
)

// The query messageQueue, too, has the name of its type; see direct_settings_test.go.
type (
	queueAnswers struct{}
	queueCount   struct{}
)

func (*fake) MessageQueue() graph.MessageQueueResolver                     { return queueAnswers{} }
func (*fake) MessageQueueConnection() graph.MessageQueueConnectionResolver { return queueCount{} }

func (queueCount) TotalCount(context.Context, *model.MessageQueueConnection) (int, error) {
	return 77, nil
}

// Metrics are those of an empty queue, unless it has a rule for what was read too often.
func (queueAnswers) Metrics(_ context.Context, q *message.Queue) (message.Metrics, error) {
	if q.MaxReads == nil {
		return message.Metrics{Name: q.Name, At: moment}, nil
	}
	return message.Metrics{
		Name: q.Name, Length: 1 << 40, Visible: 1<<40 - 3, OldestAgeSeconds: new(9), NewestAgeSeconds: new(0), Total: 1 << 41, Archived: 4, At: moment,
	}, nil
}

// aQueue has a dead letter queue when n is even.
func aQueue(n byte) (message.Queue, thing) {
	kind := []message.Kind{message.Standard, message.Unlogged, message.Partitioned}[n%3]
	q := message.Queue{TenantID: id(1), Name: fmt.Sprint("q_", n), Kind: kind, CreatedAt: moment}
	metrics := map[string]any{
		"length": text("0"), "visible": text("0"), "hidden": text("0"), "oldestAgeSeconds": nil, "newestAgeSeconds": nil, "total": text("0"), "archived": text("0"), "at": momentText,
	}
	fields := map[string]any{
		"name": quoted(q.Name), "kind": []text{`"STANDARD"`, `"UNLOGGED"`, `"PARTITIONED"`}[n%3], "maxReads": nil, "deadLetterQueue": nil, "createdAt": momentText,
		"metrics": thing{"MessageQueueMetrics", metrics},
	}
	if n%2 == 0 {
		q.MaxReads, q.DeadLetterQueue = new(5), new("dead")
		fields["maxReads"], fields["deadLetterQueue"] = text("5"), text(`"dead"`)
		for name, v := range map[string]text{
			"length": "1099511627776", "visible": "1099511627773", "hidden": "3", "oldestAgeSeconds": "9", "newestAgeSeconds": "0", "total": "2199023255552", "archived": "4",
		} {
			metrics[name] = v
		}
	}
	return q, thing{"MessageQueue", fields}
}

// aMessage has headers when n is even.
func aMessage(n int64) (message.Message, thing) {
	m := message.Message{ID: n, Queue: "q", Payload: json.RawMessage(`[1, {"ä": "\""}]`), ReadCount: 12, EnqueuedAt: moment, VisibleAt: moment}
	fields := map[string]any{
		"id": quoted(fmt.Sprint(n)), "queue": text(`"q"`), "payload": text(`[1, {"ä": "\""}]`), "headers": nil, "readCount": text("12"), "receipt": text(`"12"`),
		"enqueuedAt": momentText, "visibleAt": momentText,
	}
	if n%2 == 0 {
		m.Payload, m.Headers = json.RawMessage(`null`), json.RawMessage(`{"x-pgmq-group": "g"}`)
		fields["payload"], fields["headers"] = text("null"), text(`{"x-pgmq-group": "g"}`)
	}
	return m, thing{"Message", fields}
}

func (fakeQuery) MessageQueue(_ context.Context, name string) (*message.Queue, error) {
	if name == "none" {
		return nil, nil
	}
	q, _ := aQueue(2)
	return &q, nil
}

func (brokenQuery) MessageQueue(ctx context.Context, name string) (*message.Queue, error) {
	return fakeQuery{}.MessageQueue(ctx, name)
}

func (*fake) MessageQueues(context.Context, *int, *string, *int, *string) (model.MessageQueueConnection, error) {
	info, _ := aPageInfo(true)
	a, _ := aQueue(3)
	b, _ := aQueue(4)
	return model.MessageQueueConnection{
		Nodes: []message.Queue{a, b}, PageInfo: info, Edges: []model.MessageQueueEdge{{Node: a, Cursor: "c0"}, {Node: b, Cursor: "c1"}},
	}, nil
}

func (*fake) CreateMessageQueue(context.Context, model.CreateMessageQueueInput) (model.CreateMessageQueuePayload, error) {
	q, _ := aQueue(5)
	return model.CreateMessageQueuePayload{Queue: q}, nil
}

func (*fake) DeleteMessageQueue(_ context.Context, in model.DeleteMessageQueueInput) (model.DeleteMessageQueuePayload, error) {
	return model.DeleteMessageQueuePayload(in), nil
}

func (*fake) PurgeMessageQueue(context.Context, model.PurgeMessageQueueInput) (model.PurgeMessageQueuePayload, error) {
	return model.PurgeMessageQueuePayload{Purged: 1 << 40}, nil
}

func (*fake) SetMessageQueueRedrive(context.Context, model.SetMessageQueueRedriveInput) (model.SetMessageQueueRedrivePayload, error) {
	q, _ := aQueue(2)
	return model.SetMessageQueueRedrivePayload{Queue: q}, nil
}

func (*fake) SendMessage(context.Context, model.SendMessageInput) (model.SendMessagePayload, error) {
	return model.SendMessagePayload{ID: "7"}, nil
}

func (*fake) SendMessages(context.Context, model.SendMessagesInput) (model.SendMessagesPayload, error) {
	return model.SendMessagesPayload{Sent: 1, Results: []model.SendMessageResult{
		{ID: new("8")},
		{Index: 1, Error: &model.RowError{Code: model.ErrorCodeValidationFailed, Field: new("payload"), Message: "m"}},
	}}, nil
}

func (*fake) ReadMessages(context.Context, model.ReadMessagesInput) (model.ReadMessagesPayload, error) {
	a, _ := aMessage(2)
	b, _ := aMessage(3)
	return model.ReadMessagesPayload{Messages: []message.Message{a, b}}, nil
}

func (*fake) PopMessages(_ context.Context, in model.PopMessagesInput) (model.PopMessagesPayload, error) {
	if in.Queue == "none" {
		return model.PopMessagesPayload{Messages: []message.Message{}}, nil
	}
	m, _ := aMessage(1 << 53)
	return model.PopMessagesPayload{Messages: []message.Message{m}}, nil
}

func (*fake) SetMessageVisibility(context.Context, model.SetMessageVisibilityInput) (model.SetMessageVisibilityPayload, error) {
	return model.SetMessageVisibilityPayload{Messages: []message.Visible{{ID: 2, VisibleAt: moment}, {ID: 3, VisibleAt: moment}}}, nil
}

func (*fake) ArchiveMessage(_ context.Context, in model.ArchiveMessageInput) (model.ArchiveMessagePayload, error) {
	return model.ArchiveMessagePayload{ID: in.ID}, nil
}

func (*fake) ArchiveMessages(context.Context, model.ArchiveMessagesInput) (model.ArchiveMessagesPayload, error) {
	return model.ArchiveMessagesPayload{Ids: []string{"2", "3"}}, nil
}

func (*fake) DeleteMessage(_ context.Context, in model.DeleteMessageInput) (model.DeleteMessagePayload, error) {
	return model.DeleteMessagePayload{ID: in.ID}, nil
}

func (*fake) DeleteMessages(context.Context, model.DeleteMessagesInput) (model.DeleteMessagesPayload, error) {
	return model.DeleteMessagesPayload{Ids: []string{}}, nil
}

// messageRoots are the root fields of queues and their messages.
func messageRoots(info thing) []root {
	queue := func(n byte) thing { _, x := aQueue(n); return x }
	msg := func(n int64) thing { _, x := aMessage(n); return x }
	visible := func(id text) thing {
		return thing{"MessageVisibility", map[string]any{"id": id, "visibleAt": momentText}}
	}
	payload := func(kind string, fields map[string]any) thing { return thing{kind + "Payload", fields} }
	return []root{
		{"query", `messageQueue(name: "q")`, queue(2)},
		{"query", `messageQueue(name: "none")`, nil},
		{"query", `messageQueues`, connection("MessageQueue", []any{queue(3), queue(4)}, info)},
		{"mutation", `createMessageQueue(input: {name: "q"})`, payload("CreateMessageQueue", map[string]any{"queue": queue(5)})},
		{"mutation", `deleteMessageQueue(input: {name: "q"})`, payload("DeleteMessageQueue", map[string]any{"name": text(`"q"`)})},
		{"mutation", `purgeMessageQueue(input: {name: "q"})`, payload("PurgeMessageQueue", map[string]any{"purged": text("1099511627776")})},
		{"mutation", `setMessageQueueRedrive(input: {queue: "q"})`, payload("SetMessageQueueRedrive", map[string]any{"queue": queue(2)})},
		{"mutation", `sendMessage(input: {queue: "q", payload: 1})`, payload("SendMessage", map[string]any{"id": text(`"7"`)})},
		{"mutation", `sendMessages(input: {queue: "q", messages: []})`, payload("SendMessages", map[string]any{"sent": text("1"), "results": []any{
			thing{"SendMessageResult", map[string]any{"index": text("0"), "id": text(`"8"`), "error": nil}},
			thing{"SendMessageResult", map[string]any{"index": text("1"), "id": nil, "error": thing{"RowError", map[string]any{
				"code": text(`"VALIDATION_FAILED"`), "field": text(`"payload"`), "message": text(`"m"`),
			}}}},
		}})},
		{"mutation", `readMessages(input: {queue: "q"})`, payload("ReadMessages", map[string]any{"messages": []any{msg(2), msg(3)}})},
		{"mutation", `popMessages(input: {queue: "q"})`, payload("PopMessages", map[string]any{"messages": []any{msg(1 << 53)}})},
		{"mutation", `popMessages(input: {queue: "none"})`, payload("PopMessages", map[string]any{"messages": []any{}})},
		{"mutation", `setMessageVisibility(input: {queue: "q", messages: [], visibilitySeconds: 1})`, payload("SetMessageVisibility", map[string]any{
			"messages": []any{visible(`"2"`), visible(`"3"`)},
		})},
		{"mutation", `archiveMessage(input: {queue: "q", id: 2})`, payload("ArchiveMessage", map[string]any{"id": text(`"2"`)})},
		{"mutation", `archiveMessages(input: {queue: "q", messages: []})`, payload("ArchiveMessages", map[string]any{"ids": text(`["2","3"]`)})},
		{"mutation", `deleteMessage(input: {queue: "q", id: 3})`, payload("DeleteMessage", map[string]any{"id": text(`"3"`)})},
		{"mutation", `deleteMessages(input: {queue: "q", messages: []})`, payload("DeleteMessages", map[string]any{"ids": text("[]")})},
	}
}
