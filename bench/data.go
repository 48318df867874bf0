package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Size of the data set.
const (
	documents = 100_000
	users     = 1_000
)

// words are what the texts are made of: the row number picks them, so that every run has the same data.
const words = `alpha amber anchor apple arrow aspen autumn badge bamboo basin beacon birch bison blossom border bottle branch bridge bronze
brook bucket cabin cactus candle canyon carbon castle cedar chapel cherry cinder circle cliff cloud clover cobalt comet copper coral cotton
crater creek crystal cypress dahlia dawn delta desert diamond dolphin dragon dune eagle echo ember emerald falcon feather fern fjord flame
forest fossil fountain garden garnet geyser glacier granite grove harbor harvest hazel heron hollow horizon indigo island ivory jade jasmine
jungle juniper kernel kestrel lagoon lantern laurel lemon lily lotus lunar lynx magnet maple marble meadow meteor mirror monsoon moss nebula
nectar oasis ocean olive onyx opal orbit orchid otter oyster palm panther pearl pebble pepper phoenix pine planet plateau plum pollen prairie
prism quartz quiver rain raven reef ridge river robin ruby saffron sapphire savanna shadow silver slate spruce summit sunset swan tempest
thistle thunder tiger topaz torrent tulip tundra valley velvet violet walnut water willow winter zenith zephyr`

// ready returns the data set: one tenant with 1,000 users and 100,000 documents, vacuumed and analysed.
func (b *bench) ready(ctx context.Context) (*dataset, error) {
	if b.data != nil {
		return b.data, nil
	}
	d, err := b.database(ctx, "stackforge")
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := d.load(ctx); err != nil {
		return nil, fmt.Errorf("load the data: %w", err)
	}
	b.logf("%s documents loaded in %s", count(documents), time.Since(start).Round(time.Second))
	b.data = d
	return d, nil
}

// createDatabase makes an empty database.
func (b *bench) createDatabase(ctx context.Context, name string) error {
	c, err := connect(ctx, b.cluster.URL(""))
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	_, err = c.Exec(ctx, "CREATE DATABASE "+name)
	return err
}

// database makes a migrated database with one tenant and its key; more are settings of the migration.
func (b *bench) database(ctx context.Context, name string, more ...string) (*dataset, error) {
	d := &dataset{url: b.cluster.URL(name)}
	if name != "stackforge" { // the cluster made that one
		if err := b.createDatabase(ctx, name); err != nil {
			return nil, err
		}
	}
	env := append(settings(d.url, "127.0.0.1:0", b.dir), more...)
	if _, err := b.output(ctx, env, "migrate"); err != nil {
		return nil, err
	}
	out, err := b.output(ctx, env, "tenant", "create", "--name", "bench")
	if err != nil {
		return nil, err
	}
	f := strings.Fields(out)
	if len(f) != 4 || f[0] != "tenant" || f[2] != "key" {
		return nil, fmt.Errorf("tenant create answered %q", out)
	}
	d.key = f[3]
	d.tenant, err = uuid.Parse(f[1])
	return d, err
}

func (d *dataset) load(ctx context.Context) error {
	c, err := connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, `
		INSERT INTO app_users (tenant_id, email, created_at)
		SELECT $1, 'user' || n || '@example.com', now() - n * interval '1 minute'
		FROM generate_series(1, $2::int) n`, d.tenant, users); err != nil {
		return err
	}
	// Bodies of 60 words with quotes, line breaks and letters beyond ASCII here and there: some 450 bytes.
	if _, err := c.Exec(ctx, `
		WITH w AS (SELECT regexp_split_to_array($2, '\s+') AS word),
		     u AS (SELECT array_agg(id ORDER BY email) AS id FROM app_users WHERE tenant_id = $1)
		INSERT INTO documents (tenant_id, author_id, external_id, title, body, metadata, path, tag_ids, longitude, latitude, created_at, updated_at)
		SELECT $1, u.id[1 + n * 7919::bigint % cardinality(u.id)], CASE WHEN n % 2 = 0 THEN 'doc-' || n END,
		       initcap(w.word[1 + n % cardinality(w.word)]) || ' ' || w.word[1 + n * 31::bigint % cardinality(w.word)] || ' ' || n,
		       t.body, hstore(ARRAY['kind', 'lang'], ARRAY[w.word[1 + n % 17], 'en']),
		       ('section' || n % 40 || '.part' || n % 9)::ltree, ARRAY[n % 100, 100 + n % 13],
		       CASE WHEN n % 3 = 0 THEN (n % 36000) / 100.0 - 180 END, CASE WHEN n % 3 = 0 THEN (n % 17000) / 100.0 - 85 END, at.at, at.at
		FROM w, u, generate_series(1, $3::int) n
		CROSS JOIN LATERAL (SELECT now() - n * interval '37 seconds' AS at) at
		CROSS JOIN LATERAL (
		    SELECT string_agg(w.word[1 + (n::bigint * (2 * k + 3) + k * k * 131) % cardinality(w.word)] ||
		               CASE k % 20 WHEN 7 THEN ', "naïve"' WHEN 13 THEN E'.\n' ELSE '' END, ' ' ORDER BY k) AS body
		    FROM generate_series(1, 60) k) t`, d.tenant, words, documents); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	rows, err := c.Query(ctx, "SELECT id::text FROM documents WHERE tenant_id = $1", d.tenant)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		d.ids = append(d.ids, id)
	}
	return rows.Err()
}
