package realtime_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/realtime"
	"stackforge/realtime/cursor"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// made is a source whose events are made by the benchmark: each element of pages is one read.
type made struct {
	pages chan []*job.Event
}

func (m *made) Read(_ context.Context, p cursor.Position, _ int) (cursor.Page[*job.Event], error) {
	next := cursor.Position{Seen: cursor.Snapshot{Max: p.Seen.Max + 1}}
	select {
	case events := <-m.pages:
		return cursor.Page[*job.Event]{Events: events, Next: next}, nil
	default:
		return cursor.Page[*job.Event]{Next: next}, nil
	}
}

func (m *made) Replay(context.Context, cursor.Position, int) (cursor.Page[*job.Event], error) {
	return cursor.Page[*job.Event]{}, nil
}

func (m *made) Reset(uuid.UUID, cursor.Position) *job.Event { return nil }

func (m *made) Stream() string { return job.Stream }

// BenchmarkFanOut is one event to 500 subscribers of one tenant, from the source's page into the hands of each. 200 such
// events a second use 200 × ns/op of processor time.
func BenchmarkFanOut(b *testing.B) {
	const subscribers, page = 500, 200

	src := &made{pages: make(chan []*job.Event)}
	h := realtime.New(realtime.Config[*job.Event]{Source: src, Log: zerolog.Nop(), Gap: 1})
	ctx, cancel := context.WithCancel(b.Context())
	var wg, received sync.WaitGroup
	wg.Go(func() { h.Run(ctx) })
	scope := tenant.Scope{TenantID: uuid.New()}
	for range subscribers {
		sub, err := h.Subscribe(tenant.With(ctx, scope), nil, "")
		require.NoError(b, err)
		wg.Go(func() {
			for range sub.Events() {
				received.Done()
			}
		})
	}
	events := make([]*job.Event, page)
	for i := range events {
		events[i] = &job.Event{TenantID: scope.TenantID, JobID: int64(i), Cursor: "cursor"}
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += page {
		part := events[:min(page, b.N-n)]
		received.Add(len(part) * subscribers)
		for sent := false; !sent; {
			h.Wake()
			src.pages <- part
			sent = true
		}
		received.Wait()
	}
	b.StopTimer()
	require.Zero(b, h.Stats().Dropped)
	cancel()
	wg.Wait()
}

// BenchmarkRead is one read of the hub: nothing new, or one new event, with a writer that stays open and has 100,000
// events behind it, and without one.
func BenchmarkRead(b *testing.B) {
	for _, open := range []bool{false, true} {
		b.Run(fmt.Sprintf("longWriter=%t", open), func(b *testing.B) {
			d := dbtest.New(b)
			j := newJobs(b, d, 1)
			long, conn := d.Connect(b), d.Connect(b)
			if open {
				exec(b, long, `BEGIN`)
				change(b, long, newJobs(b, d, 1).ids[0])
			}
			log100k(b, conn, j)
			reader := job.NewReader(d.API)
			page, err := reader.Read(b.Context(), cursor.Position{}, 1)
			require.NoError(b, err)
			p := page.Next
			b.Run("none", func(b *testing.B) {
				for b.Loop() {
					page, err := reader.Read(b.Context(), p, 1000)
					require.NoError(b, err)
					require.Empty(b, page.Events)
				}
			})
			change(b, conn, j.ids[0])
			b.Run("one", func(b *testing.B) {
				for b.Loop() {
					page, err := reader.Read(b.Context(), p, 1000)
					require.NoError(b, err)
					require.Len(b, page.Events, 1)
				}
			})
		})
	}
}

// BenchmarkReplay is a replay of 100,000 events of one tenant in pages of 2,000: of all events there are, and of every
// tenth.
func BenchmarkReplay(b *testing.B) {
	b.Run("all", func(b *testing.B) { replay(b, 1) })
	b.Run("tenth", func(b *testing.B) { replay(b, 10) })
}

func replay(b *testing.B, stride int) {
	b.Helper()

	d := dbtest.New(b)
	j := newJobs(b, d, 1)
	reader := job.NewReader(d.API)
	page, err := reader.Read(b.Context(), cursor.Position{}, 1)
	require.NoError(b, err)
	begin := page.Next
	conn := d.Connect(b)
	exec(b, conn, fmt.Sprintf(`ALTER SEQUENCE job_events_id_seq INCREMENT %d`, stride)) // as if the others were between
	log100k(b, conn, j)
	ctx := tenant.With(b.Context(), j.scope)
	for b.Loop() {
		n := 0
		for p, more := begin, true; more; {
			page, err := reader.Replay(ctx, p, 2000)
			require.NoError(b, err)
			n += len(page.Events)
			p, more = page.Next, page.More
		}
		require.Equal(b, 100_000, n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/event")
}

// log100k logs 100,000 events in 1,000 transactions.
func log100k(b *testing.B, conn *pgx.Conn, j jobs) {
	b.Helper()

	for range 1000 {
		exec(b, conn, `
			INSERT INTO job_events (tenant_id, job_id, type, status, attempts)
			SELECT $1, $2, 'send_email', 'running', n FROM generate_series(1, 100) n`, j.scope.TenantID, j.ids[0])
	}
	exec(b, conn, `ANALYZE job_events`)
}
