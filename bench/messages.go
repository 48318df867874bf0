package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Sizes of the figures of messages.
const (
	messagePayload = `{"to":"someone@example.com","subject":"Hello","id":12345}`
	hiddenMessages = 1_000_000
	hiddenReads    = 300
)

// messagesPart measures pgmq's calls in our own schema beside the extension where this server offers it, else beside a loop of plain
// statements on a plain table; the same through GraphQL; and reading behind a million hidden messages.
func (b *bench) messagesPart(ctx context.Context) error {
	d, err := b.database(ctx, "bench_messages", "PG_EXTENSIONS=contrib") // so that the schema is ours
	if err != nil {
		return err
	}
	ours, err := connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer ours.Close(context.WithoutCancel(ctx))
	peer, name, bar, err := b.messagePeer(ctx, ours)
	if err != nil {
		return err
	}
	defer peer.c.Close(context.WithoutCancel(ctx))
	mine := pgmqQueue(ours)
	if _, err := ours.Exec(ctx, "SELECT pgmq.create('bench')"); err != nil {
		return err
	}
	for _, batch := range []int{1, 100} {
		for _, waits := range []bool{true, false} {
			a, p, err := b.messageRates(ctx, mine, peer, batch, waits)
			if err != nil {
				return err
			}
			figure := fmt.Sprintf("send, read, archive in batches of %d, SQL", batch)
			if !waits { // for the disk, which is the same for both
				figure += ", synchronous_commit off"
			}
			b.report.ratio("messages", figure, count(a)+"/s", name+": "+count(p)+"/s", a/p, bar)
			if batch == 100 && bar == 0 {
				b.report.ratio("messages", "the same", count(a)+"/s", "10,000/s", a/10_000, 1)
			}
		}
	}
	if err := b.messagesByGraphQL(ctx, d); err != nil {
		return err
	}
	return b.hiddenHead(ctx, ours)
}

// messageRates are the rates of two queues, which take short turns, so that both meet the same neighbours. With waits a commit waits
// for the disk.
func (b *bench) messageRates(ctx context.Context, mine, peer messageQueue, batch int, waits bool) (float64, float64, error) {
	const turns = 10
	var rates [2][]float64
	for range turns {
		for i, q := range []messageQueue{mine, peer} {
			if _, err := q.c.Exec(ctx, "SELECT set_config('synchronous_commit', CASE WHEN $1 THEN 'on' ELSE 'off' END, false)", waits); err != nil {
				return 0, 0, err
			}
			r, err := q.rate(ctx, batch, b.each()/turns)
			if err != nil {
				return 0, 0, err
			}
			rates[i] = append(rates[i], r)
		}
	}
	return median(rates[0]), median(rates[1]), nil
}

// messageQueue is one side of the comparison: statements of $1 payloads, count or ids.
type messageQueue struct {
	c                   *pgx.Conn
	send, read, archive string
}

func pgmqQueue(c *pgx.Conn) messageQueue {
	return messageQueue{
		c:       c,
		send:    "SELECT count(*) FROM pgmq.send_batch('bench', $1::jsonb[])",
		read:    "SELECT array_agg(msg_id) FROM pgmq.read('bench', 300, $1)",
		archive: "SELECT count(*) FROM pgmq.archive('bench', $1::bigint[])",
	}
}

// messagePeer is the extension with a bar of 1, or plain statements without one.
func (b *bench) messagePeer(ctx context.Context, c *pgx.Conn) (messageQueue, string, float64, error) {
	var version string
	if err := c.QueryRow(ctx, "SELECT coalesce((SELECT default_version FROM pg_available_extensions WHERE name = 'pgmq'), '')").Scan(&version); err != nil {
		return messageQueue{}, "", 0, err
	}
	setup := []string{
		`CREATE TABLE q (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, vt timestamptz NOT NULL, message jsonb)`,
		`CREATE INDEX ON q (vt)`, `CREATE TABLE a (id bigint PRIMARY KEY, vt timestamptz NOT NULL, message jsonb)`,
	}
	q, name, bar := messageQueue{
		send:    "WITH s AS (INSERT INTO q (vt, message) SELECT clock_timestamp(), unnest($1::jsonb[]) RETURNING id) SELECT count(*) FROM s",
		read:    "WITH r AS (UPDATE q SET vt = clock_timestamp() + interval '300 s' WHERE id = ANY (ARRAY(SELECT id FROM q WHERE vt <= clock_timestamp() ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING id) SELECT array_agg(id) FROM r",
		archive: "WITH d AS (DELETE FROM q WHERE id = ANY ($1::bigint[]) RETURNING *), i AS (INSERT INTO a SELECT * FROM d RETURNING id) SELECT count(*) FROM i",
	}, "plain prepared statements", 0.0
	if version != "" {
		setup, q, name, bar = []string{"CREATE EXTENSION pgmq", "SELECT pgmq.create('bench')"}, pgmqQueue(nil), "extension "+version, 1
	}
	if err := b.createDatabase(ctx, "bench_messages_peer"); err != nil {
		return q, "", 0, err
	}
	var err error
	if q.c, err = connect(ctx, b.cluster.URL("bench_messages_peer")); err != nil {
		return q, "", 0, err
	}
	for _, sql := range setup {
		if _, err := q.c.Exec(ctx, sql); err != nil {
			return q, "", 0, err
		}
	}
	return q, name, bar, nil
}

// rate sends, reads and archives messages, batch by batch, and returns how many a second went all the way.
func (q messageQueue) rate(ctx context.Context, batch int, d time.Duration) (float64, error) {
	payloads := slices.Repeat([]string{messagePayload}, batch)
	begin, n := time.Now(), 0
	for time.Since(begin) < d {
		var sent, done int
		var ids []int64
		if err := q.c.QueryRow(ctx, q.send, payloads).Scan(&sent); err != nil {
			return 0, err
		}
		if err := q.c.QueryRow(ctx, q.read, batch).Scan(&ids); err != nil {
			return 0, err
		}
		if err := q.c.QueryRow(ctx, q.archive, ids).Scan(&done); err != nil {
			return 0, err
		}
		if sent != batch || len(ids) != batch || done != batch {
			return 0, fmt.Errorf("sent %d, read %d, archived %d of %d", sent, len(ids), done, batch)
		}
		n += batch
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

// messagesByGraphQL sends and pops through the API, one request after the other.
func (b *bench) messagesByGraphQL(ctx context.Context, d *dataset) error {
	s, err := b.serve(ctx, "serve", d.url)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, batch := range []int{1, 100} {
		one := fmt.Sprintf(`{payload: %s}`, strings.NewReplacer(`"to"`, "to", `"subject"`, "subject", `"id"`, "id").Replace(messagePayload))
		list := strings.Repeat(one+" ", batch)
		send := fmt.Sprintf(`{"query":%q}`, `mutation { sendMessages(input: {queue: "bench", messages: [`+list+`]}) { sent } }`)
		pop := fmt.Sprintf(`{"query":"mutation { popMessages(input: {queue: \"bench\", limit: %d}) { messages { id payload } } }"}`, batch)
		begin, n := time.Now(), 0
		for time.Since(begin) < b.each()/2 {
			for _, body := range []string{send, pop} {
				if err := graphql(ctx, s.addr, d.key, body); err != nil {
					return err
				}
			}
			n += batch
		}
		b.report.note("messages", fmt.Sprintf("send and pop in batches of %d, GraphQL, one client", batch), count(float64(n)/time.Since(begin).Seconds())+"/s", "-", "-")
	}
	return nil
}

// hiddenHead reads one message behind a million hidden ones, beside the least that a change can cost: the commit of one row of a small table.
func (b *bench) hiddenHead(ctx context.Context, c *pgx.Conn) error {
	for _, sql := range []string{
		"CREATE TABLE one_row (n int); INSERT INTO one_row VALUES (0)",
		"SELECT pgmq.create('hidden')",
		fmt.Sprintf("INSERT INTO pgmq.q_hidden (vt, message) SELECT now() + interval '1 day', '{}' FROM generate_series(1, %d)", hiddenMessages),
		fmt.Sprintf("INSERT INTO pgmq.q_hidden (vt, message) SELECT now(), '{}' FROM generate_series(1, %d)", hiddenReads),
		"VACUUM (ANALYZE) pgmq.q_hidden",
	} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	var reads, updates []time.Duration
	for range hiddenReads {
		for sql, times := range map[string]*[]time.Duration{
			"SELECT count(*) FROM pgmq.read('hidden', 300, 1)": &reads,
			"UPDATE one_row SET n = n + 1 RETURNING 1":         &updates,
		} {
			var n int
			begin := time.Now()
			if err := c.QueryRow(ctx, sql).Scan(&n); err != nil {
				return err
			}
			if *times = append(*times, time.Since(begin)); n != 1 {
				return fmt.Errorf("%s: %d", sql, n)
			}
		}
	}
	slices.Sort(reads)
	slices.Sort(updates)
	p50, limit := quantile(reads, 0.5), quantile(updates, 0.5)
	b.report.bound("messages", "read of one behind 1,000,000 hidden ones", fmt.Sprintf("p50 %s, p95 %s", ms(p50), ms(quantile(reads, 0.95))),
		"update of one row: "+ms(limit), fmt.Sprintf("%.2f", float64(p50)/float64(limit)), "p50 ≤ 2 ms", p50 <= 2*time.Millisecond)
	return nil
}
