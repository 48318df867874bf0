package transport

import (
	"context"
	"encoding/json"
	"runtime"
	"strconv"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// shares knows the executions that further subscribers may join.
type shares struct {
	mu    sync.Mutex
	byKey map[string]*execution
}

// execution is one run of a subscription. Each of its events is resolved and encoded once and queued for all members.
type execution struct {
	h      *Handler
	key    string // "" when nobody may join
	op     *operation
	ctx    context.Context //nolint:containedctx // ends with the last member, whoever that is
	cancel context.CancelFunc

	mu      sync.Mutex
	members []*stream
	last    *stream // the one that left last, whose place is given back when the resolver has returned
}

// join subscribes a stream: to an execution that runs already, or to a new one.
func (h *Handler) join(st *stream) {
	key := h.shareKey(st)
	h.shares.mu.Lock()
	defer h.shares.mu.Unlock()
	if st.left {
		st.s.returned()
		return
	}
	if e := h.shares.byKey[key]; key != "" && e != nil {
		e.add(st)
		return
	}
	e := &execution{h: h, key: key, op: st.op}
	e.ctx, e.cancel = context.WithCancel(context.WithoutCancel(st.s.ctx))
	e.members = []*stream{st}
	st.exec = e
	if key != "" {
		if h.shares.byKey == nil {
			h.shares.byKey = map[string]*execution{}
		}
		h.shares.byKey[key] = e
	}
	h.work.Add(1)
	go e.run()
}

// shareKey names identical subscriptions of callers who may share. Each part is preceded by its length.
func (h *Handler) shareKey(st *stream) string {
	who := h.cfg.ShareKey(st.s.ctx)
	if who == "" || h.replays(st.op) {
		return ""
	}
	variables, err := json.Marshal(st.op.Variables) // sorts the keys
	if err != nil {
		return ""
	}
	var key []byte
	for _, part := range []string{who, st.op.OperationName, st.op.RawQuery, string(variables)} {
		key = strconv.AppendInt(key, int64(len(part)), 10)
		key = append(key, ':')
		key = append(key, part...)
	}
	return string(key)
}

// add takes a member in; shares.mu is held, so the execution has not ended.
func (e *execution) add(st *stream) {
	e.mu.Lock()
	defer e.mu.Unlock()
	st.exec, st.shared = e, true
	st.place = len(e.members)
	e.members = append(e.members, st)
}

// leave takes a stream out of its execution, which ends when it was the last.
func (h *Handler) leave(st *stream) {
	h.shares.mu.Lock()
	if st.left {
		h.shares.mu.Unlock()
		return
	}
	st.left = true
	e := st.exec
	member, last := false, false
	if e != nil {
		if member, last = e.remove(st); last {
			h.shares.forget(e)
		}
	}
	h.shares.mu.Unlock()
	switch {
	case !member:
		return // it has not begun, or it has just ended by itself
	case last:
		e.cancel()
	default:
		st.s.returned()
	}
	st.seen(nil)
}

func (s *shares) forget(e *execution) {
	if e.key != "" && s.byKey[e.key] == e {
		delete(s.byKey, e.key)
	}
}

func (e *execution) remove(st *stream) (member, last bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	end := len(e.members) - 1
	if st.place > end || e.members[st.place] != st {
		return false, false
	}
	moved := e.members[end]
	e.members[st.place], moved.place = moved, st.place
	e.members[end] = nil
	e.members = e.members[:end]
	if end == 0 {
		e.last = st
	}
	return true, end == 0
}

// run begins the subscription, and leaves the rest to a new goroutine: beginning makes a stack large, and it would stay so while
// there are no events.
func (e *execution) run() {
	why := &reason{}
	next, ctx, list := e.begin(why)
	if next == nil {
		e.end(list)
		return
	}
	go func() { e.end(e.events(ctx, next, why)) }()
}

// begin starts the operation. Without a next it has failed.
func (e *execution) begin(why *reason) (next graphql.ResponseHandler, ctx context.Context, list gqlerror.List) {
	defer func() {
		if p := recover(); p != nil {
			next, list = nil, e.h.recovered(e.ctx, p)
		}
	}()
	ctx = e.h.cfg.BeforeOperation(context.WithValue(e.ctx, reasonKey{}, why))
	next, ctx = e.h.exec.DispatchOperation(ctx, e.op.OperationContext)
	return next, ctx, nil
}

// end takes the members out and tells them.
func (e *execution) end(list gqlerror.List) {
	defer e.h.work.Done()
	defer e.cancel()

	e.h.shares.mu.Lock()
	e.h.shares.forget(e)
	e.mu.Lock()
	members, last := e.members, e.last
	e.members = nil
	e.mu.Unlock()
	e.h.shares.mu.Unlock()

	if last != nil {
		last.s.returned()
	}
	for _, st := range members {
		st.ended(list)
	}
}

// ended tells a member that its subscription is over.
func (st *stream) ended(list gqlerror.List) {
	s := st.s
	s.returned()
	if s.forget(st) {
		if len(list) > 0 {
			s.pushErrors(st.id, list)
		} else {
			s.pushText(completeText(st.id))
		}
	}
	st.seen(list)
}

// events delivers events until the source, a failure or the last member ends the subscription. It returns the errors that ended
// it, as the clients read them.
func (e *execution) events(ctx context.Context, next graphql.ResponseHandler, why *reason) (list gqlerror.List) {
	h := e.h
	defer func() {
		if p := recover(); p != nil {
			list = h.recovered(e.ctx, p)
		}
	}()
	pull := why.pulled()
	for delivered := 1; ; delivered++ {
		pull()
		answer := next(h.cfg.BeforeOperation(ctx))
		switch {
		case e.ctx.Err() != nil:
			return nil // nobody is left to be told
		case answer == nil:
			return why.present(ctx, h)
		case answer.Data == nil && len(answer.Errors) > 0:
			return answer.Errors // it did not begin
		}
		e.deliver(encode(answer))
		if delivered%burst == 0 {
			runtime.Gosched() // let the writers run: nobody's queue fills only because we are fast
		}
	}
}

// burst is how many events are queued in a row when the source has many, to be written together.
const burst = 16

// deliver queues one event for all members. It never waits for any of them.
func (e *execution) deliver(body []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, st := range e.members {
		st.events++
		st.s.push(message{head: st.head, body: body, opcode: opText})
	}
}

// Fail states why a subscription ends: its subscribers then get err, through Present, instead of a plain end. A
// resolver calls it with its context before it closes its channel. Only the first call counts.
func Fail(ctx context.Context, err error) {
	if r, ok := ctx.Value(reasonKey{}).(*reason); ok {
		r.set(err)
	}
}

// Pull states how a subscription gets its events: before each of them fill is called, which waits for it and puts it into the channel
// that the resolver returns, or closes that channel. The channel has room for one. So a resolver needs no goroutine of its
// own, which each subscription that waits would have to pay for. It is false outside of a subscription.
func Pull(ctx context.Context, fill func()) bool {
	r, ok := ctx.Value(reasonKey{}).(*reason)
	if ok {
		r.mu.Lock()
		r.fill = fill
		r.mu.Unlock()
	}
	return ok
}

type reasonKey struct{}

// reason is what a resolver tells of its subscription.
type reason struct {
	mu   sync.Mutex
	err  error
	fill func()
}

func (r *reason) pulled() func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fill == nil {
		return func() {}
	}
	return r.fill
}

func (r *reason) set(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func (r *reason) present(ctx context.Context, h *Handler) gqlerror.List {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		return nil
	}
	shown := h.cfg.Present(ctx, r.err)
	if shown == nil {
		return nil
	}
	return gqlerror.List{shown}
}
