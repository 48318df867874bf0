package app

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"stackforge/errs"
	"stackforge/repo/message"
	"stackforge/tenant"
)

// MessagesDone is the channel of the nudge that says that messages were archived, deleted or shown again.
const MessagesDone = "messages_done"

// messageShards is over how many channels the queues are spread, so that a nudge wakes few who wait for another queue.
const messageShards = 8

// Limits of a subscriber and of a read that waits.
const (
	maxVisibility = 43_200 // seconds
	maxWait       = 20     // seconds
)

// messagePoll is how often who is first in line looks for messages by itself: for those whose time has come, and for nudges
// that got lost.
const messagePoll = time.Second

// MessageChannels are the channels of nudges about new messages.
func MessageChannels() []string {
	out := make([]string, messageShards)
	for i := range out {
		out[i] = fmt.Sprintf("messages_%02d", i)
	}
	return out
}

// Messages is message.Repo with what time takes part in: reads that wait, and subscribers who are sent what comes. Waiting takes no
// connection of the database. Who waits for one queue in this process stands in line: news wake the first, who wakes the next when
// there was something.
type Messages struct {
	*message.Repo

	nudge    func(ctx context.Context, channel string)
	channels []string
	log      zerolog.Logger

	mu        sync.Mutex
	lines     [messageShards]map[queueKey][]*waiter
	consumers map[queueKey]map[*consumer]struct{}
}

// queueKey is one queue of one tenant.
type queueKey struct {
	tenant uuid.UUID
	queue  string
}

func (k queueKey) shard() int {
	h := fnv.New32a()
	_, _ = h.Write(k.tenant[:])
	_, _ = h.Write([]byte(k.queue))
	return int(h.Sum32() % messageShards)
}

// NewMessages returns a Messages. nudge tells other processes that there is something new on a channel, once what was done with
// ctx is committed.
func NewMessages(r *message.Repo, nudge func(ctx context.Context, channel string), log zerolog.Logger) *Messages {
	return &Messages{Repo: r, nudge: nudge, channels: MessageChannels(), log: log, consumers: map[queueKey]map[*consumer]struct{}{}}
}

// MessageStats is what waits for messages in this process.
type MessageStats struct {
	Waiting   int // reads and subscribers that wait
	Consumers int // subscribers
	UnderWay  int // messages that subscribers have not acknowledged
}

// Stats returns the state at this instant.
func (m *Messages) Stats() MessageStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	var s MessageStats
	for i := range m.lines {
		for _, line := range m.lines[i] {
			s.Waiting += len(line)
		}
	}
	for _, set := range m.consumers {
		s.Consumers += len(set)
		for c := range set {
			s.UnderWay += len(c.held)
		}
	}
	return s
}

// Wakers are what a process calls for nudges, by channel. They never block.
func (m *Messages) Wakers() map[string]func() {
	out := map[string]func(){MessagesDone: m.wakeFull}
	for i, ch := range m.channels {
		out[ch] = func() { m.wakeShard(i) }
	}
	return out
}

// Archive is message.Repo.Archive.
func (m *Messages) Archive(ctx context.Context, queue string, refs []message.Ref) ([]int64, error) {
	ids, err := m.Repo.Archive(ctx, queue, refs)
	return ids, m.finished(ctx, queue, ids, err)
}

// Delete is message.Repo.Delete.
func (m *Messages) Delete(ctx context.Context, queue string, refs []message.Ref) ([]int64, error) {
	ids, err := m.Repo.Delete(ctx, queue, refs)
	return ids, m.finished(ctx, queue, ids, err)
}

// Send is message.Repo.Send; it wakes who waits.
func (m *Messages) Send(ctx context.Context, queue string, drafts []message.Draft, skip bool) ([]message.Sent, error) {
	list, err := m.Repo.Send(ctx, queue, drafts, skip)
	if err == nil {
		err = m.arrived(ctx, queue)
	}
	return list, err
}

// SetVisibility is message.Repo.SetVisibility; what is shown at once wakes who waits.
func (m *Messages) SetVisibility(ctx context.Context, queue string, refs []message.Ref, seconds int) ([]message.Visible, error) {
	list, err := m.Repo.SetVisibility(ctx, queue, refs, seconds)
	if err != nil {
		return nil, err
	}
	key, err := m.key(ctx, queue)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	for c := range m.consumers[key] {
		c.move(list)
	}
	m.mu.Unlock()
	m.nudge(ctx, MessagesDone)
	if seconds > 0 {
		return list, nil
	}
	return list, m.arrived(ctx, queue)
}

// Await is message.Repo.Read that waits for a message when there is none: 0 to 20 seconds. It is Validation naming waitSeconds.
func (m *Messages) Await(ctx context.Context, queue string, visibilitySeconds, limit, waitSeconds int) ([]message.Message, error) {
	if waitSeconds < 0 || waitSeconds > maxWait {
		return nil, errs.Field("waitSeconds", "This must be from 0 to 20.")
	}
	list, err := m.Read(ctx, queue, visibilitySeconds, limit)
	if err != nil || len(list) > 0 || waitSeconds == 0 {
		return list, err
	}
	key, err := m.key(ctx, queue)
	if err != nil {
		return nil, err
	}
	end := time.NewTimer(time.Duration(waitSeconds) * time.Second)
	defer end.Stop()
	w := m.join(key)
	defer m.leave(w)
	for {
		list, err := m.Read(ctx, queue, visibilitySeconds, limit)
		if err != nil || len(list) > 0 {
			m.wake(key) // there may be more
			return list, err
		}
		if !w.wait(ctx, end.C) {
			return list, nil
		}
		m.rejoin(w)
	}
}

// key names a queue of the caller.
func (m *Messages) key(ctx context.Context, queue string) (queueKey, error) {
	s, err := tenant.From(ctx)
	return queueKey{tenant: s.TenantID, queue: queue}, err
}

// arrived tells everybody that a queue has something to read.
func (m *Messages) arrived(ctx context.Context, queue string) error {
	key, err := m.key(ctx, queue)
	if err == nil {
		m.wake(key)
		m.nudge(ctx, m.channels[key.shard()])
	}
	return err
}

// finished tells subscribers that they have room.
func (m *Messages) finished(ctx context.Context, queue string, ids []int64, err error) error {
	if err != nil || len(ids) == 0 {
		return err
	}
	key, err := m.key(ctx, queue)
	if err != nil {
		return err
	}
	m.mu.Lock()
	for c := range m.consumers[key] {
		c.drop(ids)
	}
	m.mu.Unlock()
	m.nudge(ctx, MessagesDone)
	return nil
}

// waiter is somebody in line.
type waiter struct {
	m    *Messages
	key  queueKey
	news chan struct{} // has a token when it was woken, and left the line
}

// join puts a new waiter at the end of its queue's line.
func (m *Messages) join(key queueKey) *waiter {
	w := &waiter{m: m, key: key, news: make(chan struct{}, 1)}
	m.rejoin(w)
	return w
}

// rejoin puts a waiter that was woken into the line again.
func (m *Messages) rejoin(w *waiter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lines := &m.lines[w.key.shard()]
	if *lines == nil {
		*lines = map[queueKey][]*waiter{}
	}
	line := (*lines)[w.key]
	if slices.Contains(line, w) {
		return
	}
	select {
	case <-w.news:
	default:
	}
	(*lines)[w.key] = append(line, w)
}

// leave takes a waiter out of the line. A wake-up that it has not used goes to the next.
func (m *Messages) leave(w *waiter) {
	m.mu.Lock()
	lines := m.lines[w.key.shard()]
	line := lines[w.key]
	if i := slices.Index(line, w); i >= 0 {
		line = slices.Delete(slices.Clone(line), i, i+1)
	}
	if lines[w.key] = line; len(line) == 0 {
		delete(lines, w.key)
	}
	m.mu.Unlock()
	select {
	case <-w.news:
		m.wake(w.key)
	default:
	}
}

// wake wakes the first in line.
func (m *Messages) wake(key queueKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wakeLocked(key)
}

func (m *Messages) wakeLocked(key queueKey) {
	lines := m.lines[key.shard()]
	line := lines[key]
	if len(line) == 0 {
		return
	}
	line[0].news <- struct{}{} // has room: who stands in line has no token
	if lines[key] = line[1:]; len(line) == 1 {
		delete(lines, key)
	}
}

func (m *Messages) wakeShard(shard int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.lines[shard] {
		m.wakeLocked(key)
	}
}

// wakeFull lets subscribers without room look whether they have some.
func (m *Messages) wakeFull() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, set := range m.consumers {
		for c := range set {
			if c.full {
				c.signal()
			}
		}
	}
}

// wait waits until it is woken, or it is first in line and the poll is due. It is false when ctx or end came first.
func (w *waiter) wait(ctx context.Context, end <-chan time.Time) bool {
	poll := time.NewTicker(messagePoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-end:
			return false
		case <-w.news:
			return true
		case <-poll.C:
			if w.first() {
				return true
			}
		}
	}
}

func (w *waiter) first() bool {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	line := w.m.lines[w.key.shard()][w.key]
	return len(line) > 0 && line[0] == w
}
