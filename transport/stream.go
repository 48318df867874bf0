package transport

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/errs"
)

// stream is one operation of one socket.
type stream struct {
	s      *socket
	id     string
	head   string // of each answer, up to its payload
	op     *operation
	start  time.Time
	cancel context.CancelFunc // of a query or mutation

	// Guarded by shares.mu.
	exec *execution // of a subscription
	left bool       // the client gave it up, or its socket ended

	// Guarded by exec.mu.
	place  int // in exec.members
	events int
	shared bool
}

// subscribe starts an operation.
func (s *socket) subscribe(m *incoming) {
	switch {
	case !s.acked.Load():
		s.shut(closeUnauthorized, "Unauthorized")
		return
	case !m.hasID:
		s.shut(closeBadMessage, "Invalid message: id is missing")
		return
	case !m.object():
		s.shut(closeBadMessage, "Invalid message: payload must be an object")
		return
	}
	if s.proto.legacy {
		s.stop(m.id) // the old protocol replaces
	} else if s.has(m.id) {
		s.shut(closeIDExists, "Subscriber for "+m.id+" already exists")
		return
	}
	req, err := parseRequest(m.payload)
	if err != nil || req.query == "" {
		s.shut(closeBadMessage, "Invalid message: payload must be a GraphQL request")
		return
	}
	st := &stream{s: s, id: m.id, start: time.Now()}
	var refusal *refused
	if err := s.h.cfg.Admit(s.ctx); err != nil {
		refusal = &refused{list: gqlerror.List{asGraphQL(err)}}
	} else if st.op, refusal = s.h.open(s.ctx, &req, st.start); refusal == nil {
		refusal = s.admit(st)
	}
	if refusal != nil {
		list := s.h.present(s.ctx, refusal.list)
		s.pushErrors(m.id, list)
		s.h.observe(s.ctx, st.op, "websocket", st.start, list)
	}
}

// admit registers and starts an operation unless the socket has too many.
func (s *socket) admit(st *stream) *refused {
	st.head = head(st.id, s.proto.next)
	var ctx context.Context
	if st.op.Operation.Operation != ast.Subscription {
		ctx, st.cancel = context.WithCancel(s.ctx)
	}
	if ok, full := s.register(st); full {
		r := limitRefusal("streams", s.h.limits.Streams, "operations at one time on a connection")
		r.list[0].Message = fmt.Sprintf("At most %d operations may run at one time on a connection.", s.h.limits.Streams)
		r.list[0].Extensions["code"] = string(errs.RateLimited)
		return r
	} else if !ok {
		return nil // the socket is closing
	}
	if st.cancel != nil {
		go st.runOnce(ctx)
		return nil
	}
	s.h.join(st)
	return nil
}

func (s *socket) register(st *stream) (ok, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return false, false
	}
	if s.active >= s.h.limits.Streams {
		return false, true
	}
	if s.streams == nil {
		s.streams = make(map[string]*stream, 1)
	}
	s.streams[st.id] = st
	s.active++
	return true, false
}

func (s *socket) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[id] != nil
}

// stop ends an operation that the client gave up; it is told nothing more about it.
func (s *socket) stop(id string) {
	s.mu.Lock()
	st := s.streams[id]
	delete(s.streams, id)
	if len(s.streams) == 0 {
		s.streams = nil
	}
	s.mu.Unlock()
	if st != nil {
		st.leave()
	}
}

// forget removes an operation that has ended by itself. It is false when the client gave it up before.
func (s *socket) forget(st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[st.id] != st {
		return false
	}
	delete(s.streams, st.id)
	if len(s.streams) == 0 {
		s.streams = nil
	}
	return true
}

// returned gives the place of an operation back.
func (s *socket) returned() {
	s.mu.Lock()
	s.active--
	s.mu.Unlock()
}

// pushErrors ends an operation with errors.
func (s *socket) pushErrors(id string, list gqlerror.List) {
	var body []byte
	if s.proto.legacy {
		// One error object, as the protocol has it; clients that look for more find all of them.
		first := coded(string(errs.Internal), "Something went wrong on our side.")
		if len(list) > 0 {
			first = list[0]
		}
		body = append(body, `{"message":`...)
		body = appendString(body, strings.ToValidUTF8(shorten(first.Message, maxErrorText), ""))
		body = append(body, `,"errors":`...)
		body = append(appendRefusal(body, list), '}')
	} else {
		body = appendRefusal(nil, list)
	}
	s.push(message{head: head(id, "error"), body: body, opcode: opText})
}

// runOnce executes a query or mutation.
func (st *stream) runOnce(ctx context.Context) {
	s, h := st.s, st.s.h
	defer s.returned()
	defer st.cancel()
	answer, failed := st.execute(ctx)
	if !s.forget(st) {
		return
	}
	var list gqlerror.List
	switch {
	case failed != nil:
		list = failed
		s.pushErrors(st.id, list)
	case answer != nil:
		list = answer.Errors
		s.push(message{head: st.head, body: encode(answer), opcode: opText})
		s.pushText(completeText(st.id))
	}
	h.observe(ctx, st.op, "websocket", st.start, list)
}

func (st *stream) execute(ctx context.Context) (answer *graphql.Response, failed gqlerror.List) {
	h := st.s.h
	defer func() {
		if p := recover(); p != nil {
			failed = h.recovered(ctx, p)
		}
	}()
	ctx = h.cfg.BeforeOperation(ctx)
	answer, refused := h.execute(ctx, st.op)
	if refused != nil {
		return nil, h.present(ctx, refused.list)
	}
	return answer, nil
}

// recovered turns a panic outside of resolvers into what the client reads.
func (h *Handler) recovered(ctx context.Context, p any) gqlerror.List {
	return h.present(ctx, gqlerror.List{asGraphQL(h.cfg.Recover(ctx, p))})
}

// encode is an answer in memory of its own: the schema uses its buffer again.
func encode(answer *graphql.Response) []byte {
	return appendAnswer(make([]byte, 0, len(answer.Data)+len(`{"data":}`)), answer)
}

// leave ends a stream that nobody reads any more.
func (st *stream) leave() {
	if st.cancel != nil {
		st.cancel()
		return
	}
	st.s.h.leave(st)
}

// seen tells Observe about a subscription that ended.
func (st *stream) seen(list gqlerror.List) {
	h := st.s.h
	h.cfg.Observe(st.s.ctx, Operation{
		Name: st.op.Operation.Name, Kind: st.op.kind(), Transport: "websocket", Duration: time.Since(st.start),
		Events: st.events, Shared: st.shared, Errors: list,
	})
}
