package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"stackforge/errs"
	"stackforge/repo/message"
)

// NewMessage is a message to send.
type NewMessage struct {
	Queue   string   `json:"queue" doc:"The queue, which comes to be with its first message: a lower-case letter, then up to 30 letters, digits and underscores." example:"notifications"`
	Payload anything `json:"payload" doc:"Any JSON value." example:"{\"text\":\"Hello\"}"`
}

// MessageID names a message that was sent.
type MessageID struct {
	MsgID int64 `json:"msgId" doc:"The number, unique in the queue." example:"42"`
}

// Message is a message that was read.
type Message struct {
	MsgID      int64    `json:"msgId" doc:"The number, unique in the queue." example:"42"`
	Payload    anything `json:"payload" doc:"What was sent." example:"{\"text\":\"Hello\"}"`
	ReadCount  int      `json:"readCount" doc:"How often it was read, with this time." example:"1"`
	EnqueuedAt moment   `json:"enqueuedAt" doc:"When it was sent."`
	VisibleAt  moment   `json:"visibleAt" doc:"Until then nobody else reads it."`
}

// Messages are messages that were read.
type Messages struct {
	Items []Message `json:"items" nullable:"false" doc:"The oldest first; none when nothing waits."`
}

// MessageRef names a message to archive. Bodies of DELETE get lost in some proxies: the parameters do as well.
type MessageRef struct {
	Queue string `json:"queue,omitempty" nullable:"true" doc:"The queue." example:"notifications"`
	MsgID *int64 `json:"msgId,omitempty" nullable:"true" minimum:"1" doc:"The message's number." example:"42"`
}

// Archived says that a message was archived.
type Archived struct {
	Archived bool `json:"archived" doc:"Always true." example:"true"`
}

// anything is any JSON value, of which nobody here looks into.
type anything struct{ json.RawMessage }

// UnmarshalJSON keeps the value.
func (v *anything) UnmarshalJSON(text []byte) error { return v.RawMessage.UnmarshalJSON(text) }

// Schema describes it.
func (anything) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }

// Limits of GET /messages.
const (
	messageVisibility = 300 // seconds that a message is hidden after it was read
	defaultMessages   = 10
)

// messageLimit is how many messages are read.
type messageLimit struct{ n int }

// UnmarshalText reads a whole number of any size and takes the nearest that is allowed.
func (l *messageLimit) UnmarshalText(text []byte) (err error) {
	l.n, err = clamp(string(text), 1, message.MaxRead)
	return err
}

// Schema describes it.
func (*messageLimit) Schema(huma.Registry) *huma.Schema {
	return anyWhole(defaultMessages)
}

func (a *API) messages() {
	handle(a, "messages:write", operation("Messages", http.MethodPost, "/messages", "sendMessage", "Send a message", http.StatusCreated, 400, 409, 413, 415),
		func(ctx context.Context, in *struct {
			Once
			Body NewMessage
		},
		) (*struct{ Body MessageID }, error) {
			list, err := a.Messages.Send(ctx, in.Body.Queue, []message.Draft{{Payload: in.Body.Payload.RawMessage}}, false)
			if err != nil {
				return nil, err
			}
			return &struct{ Body MessageID }{MessageID{list[0].ID}}, nil
		})
	read := operation("Messages", http.MethodGet, "/messages", "readMessages", "Read messages", http.StatusOK, 400, 404)
	read.Description = "Messages that were read are hidden for 5 minutes and then come back, unless they were archived."
	handle(a, "messages:consume", read,
		func(ctx context.Context, in *struct {
			Queue string       `query:"queue" required:"true" pattern:"^[a-z][a-z0-9_]{0,30}$" doc:"The queue." example:"notifications"`
			Limit messageLimit `query:"limit" doc:"Most messages, brought into 1 to 100."`
		},
		) (*struct {
			CacheControl string `header:"Cache-Control" hidden:"true"`
			Body         Messages
		}, error,
		) {
			if in.Queue == "" {
				return nil, errs.Field("queue", "This is required.")
			}
			if in.Limit.n == 0 {
				in.Limit.n = defaultMessages
			}
			list, err := a.Messages.Await(ctx, in.Queue, messageVisibility, in.Limit.n, 0)
			out := make([]Message, len(list))
			for i, m := range list {
				out[i] = Message{MsgID: m.ID, Payload: anything{m.Payload}, ReadCount: m.ReadCount, EnqueuedAt: moment{m.EnqueuedAt}, VisibleAt: moment{m.VisibleAt}}
			}
			return &struct {
				CacheControl string `header:"Cache-Control" hidden:"true"`
				Body         Messages
			}{"no-store", Messages{out}}, err
		})
	handle(a, "messages:consume", operation("Messages", http.MethodDelete, "/messages", "archiveMessage", "Archive a message", http.StatusOK, 400, 404, 413, 415),
		func(ctx context.Context, in *struct {
			Queue string `query:"queue" pattern:"^[a-z][a-z0-9_]{0,30}$" doc:"The queue, where there is no body." example:"notifications"`
			MsgID string `query:"msgId" pattern:"^[0-9]+$" doc:"The message's number, where there is no body." example:"42"`
			Body  *MessageRef
		},
		) (*struct{ Body Archived }, error) {
			queue, id, err := in.Body.or(in.Queue, in.MsgID)
			if err != nil {
				return nil, err
			}
			ids, err := a.Messages.Archive(ctx, queue, []message.Ref{{ID: id}})
			if err == nil && len(ids) == 0 {
				err = errs.New(errs.NotFound, "There is no such message.")
			}
			return &struct{ Body Archived }{Archived{true}}, err
		})
}

// or returns queue and number, from the parameters what the body lacks.
func (m *MessageRef) or(queue, id string) (string, int64, error) {
	var list errs.List
	if m != nil && m.Queue != "" {
		queue = m.Queue
	}
	if queue == "" {
		list.Add("queue", "This field is required.")
	}
	var n int64
	switch {
	case m != nil && m.MsgID != nil:
		n = *m.MsgID
	case id == "":
		list.Add("msgId", "This field is required.")
	default:
		var err error
		if n, err = strconv.ParseInt(id, 10, 64); err != nil || n < 1 {
			list.Add("msgId", errNotWhole.Error())
		}
	}
	return queue, n, list.Err()
}
