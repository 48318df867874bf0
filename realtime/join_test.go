package realtime_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/realtime"
	"stackforge/realtime/cursor"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// scripted is a source whose reads the test answers one by one.
type scripted struct {
	begun   chan cursor.Position
	answers chan answer
	replays chan struct{} // those that have begun
	finish  chan struct{} // lets one go on
}

type answer struct {
	page cursor.Page[*job.Event]
	err  error
}

func (s *scripted) Read(ctx context.Context, p cursor.Position, _ int) (cursor.Page[*job.Event], error) {
	select {
	case s.begun <- p:
	case <-ctx.Done():
		return cursor.Page[*job.Event]{}, ctx.Err()
	}
	select {
	case a := <-s.answers:
		return a.page, a.err
	case <-ctx.Done():
		return cursor.Page[*job.Event]{}, ctx.Err()
	}
}

func (s *scripted) Replay(_ context.Context, p cursor.Position, _ int) (cursor.Page[*job.Event], error) {
	s.replays <- struct{}{}
	<-s.finish
	return cursor.Page[*job.Event]{Next: p}, nil
}

func (s *scripted) Reset(uuid.UUID, cursor.Position) *job.Event { return &job.Event{Reset: true} }

func (s *scripted) Stream() string { return job.Stream }

func at(n uint64) cursor.Position { return cursor.Position{Seen: cursor.Snapshot{Max: n}} }

// A read that had begun when a subscriber came has a snapshot that is older than the subscriber: it must wait for the next.
func TestJoin(t *testing.T) {
	t.Parallel()

	src := &scripted{begun: make(chan cursor.Position), answers: make(chan answer)}
	h := realtime.New(realtime.Config[*job.Event]{Source: src, Log: zerolog.Nop(), Gap: time.Microsecond})
	ctx, cancel := context.WithCancel(tenant.With(t.Context(), tenant.Scope{TenantID: uuid.New()}))
	var wg sync.WaitGroup
	wg.Go(func() { h.Run(ctx) })
	defer func() { cancel(); wg.Wait() }()
	reply := func(p cursor.Position, more bool) {
		src.answers <- answer{page: cursor.Page[*job.Event]{Next: p, More: more}}
	}
	begins := make(chan string)
	subscribe := func() {
		wg.Go(func() {
			sub, err := h.Subscribe(ctx, nil, "")
			if err == nil {
				begins <- sub.Begin()
			}
		})
	}

	subscribe()
	require.Zero(t, <-src.begun, "the first read looks for the present only")
	reply(at(10), false)
	require.Equal(t, at(10).Encode(job.Stream), <-begins)

	require.Equal(t, at(10), <-src.begun)
	subscribe()
	require.Eventually(t, func() bool { return h.Stats().Subscribers == 2 }, patience, 5*time.Millisecond)
	reply(at(20), false)
	require.Equal(t, at(20), <-src.begun)
	reply(at(30), false)
	require.Equal(t, at(30).Encode(job.Stream), <-begins)

	// The same when an error broke a batch off: the batch's end is older than whoever came since.
	broken := at(30).To(cursor.Snapshot{Max: 40})
	broken.ID = 7
	require.Equal(t, at(30), <-src.begun)
	reply(broken, true)
	require.Equal(t, broken, <-src.begun)
	subscribe()
	require.Eventually(t, func() bool { return h.Stats().Subscribers == 3 }, patience, 5*time.Millisecond)
	src.answers <- answer{err: errors.New("the connection broke")}
	require.Equal(t, broken, <-src.begun, "it goes on where it stopped")
	reply(at(40), false)
	require.Equal(t, at(40), <-src.begun)
	reply(at(50), false)
	require.Equal(t, at(50).Encode(job.Stream), <-begins)
}

// A storm of clients that resume must not take every connection, and those that leave while they wait must not leave
// their work behind.
func TestStorm(t *testing.T) {
	t.Parallel()

	const storm, limit = 100, 3
	src := &scripted{replays: make(chan struct{}, storm), finish: make(chan struct{})}
	h := realtime.New(realtime.Config[*job.Event]{Source: src, Log: zerolog.Nop(), Replays: limit})
	ctx := tenant.With(t.Context(), tenant.Scope{TenantID: uuid.New()})
	subs := make([]*realtime.Subscription[*job.Event], storm)
	for i := range subs {
		sub, err := h.Subscribe(ctx, nil, at(10).Encode(job.Stream))
		require.NoError(t, err)
		subs[i] = sub
	}
	for range limit {
		<-src.replays
	}
	for _, sub := range subs {
		sub.Close()
	}
	require.Zero(t, h.Stats().Subscribers)
	for range limit {
		src.finish <- struct{}{}
	}
	for _, sub := range subs {
		_, ok := <-sub.Events() // closed when its goroutine has ended
		require.False(t, ok)
		require.NoError(t, sub.Err())
	}
	require.Empty(t, src.replays, "nobody who had left began")
}
