package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// conditions are a search as find_documents reads it.
type conditions struct {
	Mode        string             `json:"mode,omitempty"`
	Query       string             `json:"query,omitempty"`
	PathPrefix  string             `json:"pathPrefix,omitempty"`
	TagIDs      []int              `json:"tagIds,omitempty"`
	Metadata    map[string]string  `json:"metadata,omitempty"`
	AuthorID    string             `json:"authorId,omitempty"`
	CreatedFrom string             `json:"createdFrom,omitempty"`
	CreatedTo   string             `json:"createdTo,omitempty"`
	Near        map[string]float64 `json:"near,omitempty"`
	Within      map[string]float64 `json:"within,omitempty"`
}

// statement is SQL and its arguments.
type statement struct {
	sql  string
	args []any
}

// The statements of the product. A page of ten asks for one hit more, to see whether there is one.
const (
	findSQL  = "SELECT id, score, distance FROM find_documents($1, $2, $3, 11)"
	wholeSQL = `SELECT f.score, f.distance, f.words, f.similarity, f.cursor, d.id, d.tenant_id, d.author_id, d.external_id, d.title, '', d.language,
			hstore_to_json(d.metadata), d.path_text, d.tag_ids, d.longitude, d.latitude, d.embedding_model, d.version, d.created_at, d.updated_at
		FROM find_documents($1, $2, $3, 11) WITH ORDINALITY AS f (id, score, distance, created_at, words, similarity, cursor, ord)
		CROSS JOIN LATERAL (SELECT * FROM documents WHERE tenant_id = $1 AND id = f.id OFFSET 0) AS d
		ORDER BY f.ord` // what the API sends for these questions: the page with its documents, without bodies
	countSQL   = "SELECT count_documents_found($1, $2, 10001)"
	facetsSQL  = `SELECT facet, value, documents FROM facet_documents($1, $2, '{"path": {"level": 1}, "tag": {}, "metadataKey": {}, "month": {}}', 10)`
	suggestSQL = "SELECT text, documents, kind FROM suggest_words($1, $2, 8)"
	meantSQL   = "SELECT suggest_query($1, $2)"
)

// question is one kind of search: many of them, so that no figure is that of one lucky word.
type question struct {
	name     string
	sql      string
	ask      func(i int) conditions
	selected string                   // what GraphQL asks of the answer, "" for the page
	bars     map[string]time.Duration // p50 by lane
	peer     func(i int) statement    // nil for none
	beside   string                   // what the peer is
}

func (q question) vector() bool {
	mode := q.ask(0).Mode
	return mode == "semantic" || mode == "hybrid"
}

// statement is the product's for the question's i-th form.
func (q question) statement(l *lane, i int) statement {
	ask := q.ask(i)
	switch q.sql {
	case findSQL:
		var vector []float32
		if q.vector() {
			vector = l.corpus.vectors.query(ask.Query)
		}
		return statement{q.sql, []any{l.tenant, ask, vector}}
	case suggestSQL:
		return statement{q.sql, []any{l.tenant, ask.Query}}
	default:
		return statement{q.sql, []any{l.tenant, ask}}
	}
}

// both is a bar of both lanes.
func both(d time.Duration) map[string]time.Duration {
	return map[string]time.Duration{"full": d, "bare": d}
}

// questions are the modes and conditions that are measured on a lane. They need the loaded corpus.
func (l *lane) questions(ctx context.Context) ([]question, error) {
	c := l.corpus
	selective := c.between(0.001, 0.005, 6)
	frequent := c.between(0.03, 0.30, 3)
	if len(selective) < 2 || len(frequent) < 2 || len(c.titles) == 0 {
		return nil, fmt.Errorf("%d documents are too few to choose words from", c.documents)
	}
	word := func(list []string, mode string, change func(string, int) string) func(int) conditions {
		return func(i int) conditions {
			w := list[i%len(list)]
			if change != nil {
				w = change(w, i)
			}
			return conditions{Mode: mode, Query: w}
		}
	}
	heard := func(w string, _ int) string { return misheard(w) }
	point := func(i int) (lon, lat float64) {
		r := rand.New(rand.NewPCG(uint64(i), 9)) //nolint:gosec // made-up points
		return west + 0.2 + (square-0.4)*r.Float64(), south + 0.2 + (square-0.4)*r.Float64()
	}
	near := func(i int) conditions {
		lon, lat := point(i)
		return conditions{Near: map[string]float64{"longitude": lon, "latitude": lat, "radius": 10_000}}
	}
	box := func(i int) conditions {
		lon, lat := point(i)
		return conditions{Within: map[string]float64{"west": lon, "south": lat, "east": lon + 0.1, "north": lat + 0.1}}
	}
	area := func(i int) string { return fmt.Sprintf("area%d", i%areas) }
	topic := func(i int) string { return fmt.Sprintf("area%d.topic%d", i%areas, i*7%topics) }
	var users []string
	if err := l.owner.QueryRow(ctx, "SELECT array_agg(id::text) FROM (SELECT id FROM app_users WHERE tenant_id = $1 ORDER BY email LIMIT 100) x", l.tenant).Scan(&users); err != nil {
		return nil, err
	}
	week := func(i int) conditions {
		from := c.now.AddDate(0, 0, -7*(1+i%50)).UTC()
		return conditions{CreatedFrom: from.Format(time.RFC3339), CreatedTo: from.AddDate(0, 0, 7).Format(time.RFC3339)}
	}
	const ms = time.Millisecond
	list := []question{
		{name: "FTS, a word in 0.1 to 0.5 %", ask: word(selective, "fts", nil), bars: both(1 * ms)},
		{name: "FTS, a word in 20 %", ask: word([]string{wordFifth}, "fts", nil), bars: map[string]time.Duration{"full": 3 * ms, "bare": 12 * ms}},
		{name: "FTS, two words in 3 to 30 %", ask: func(i int) conditions {
			return conditions{Mode: "fts", Query: frequent[i%len(frequent)] + " " + frequent[(i*3+1)%len(frequent)]}
		}},
		{name: "FTS, two words of a title", ask: func(i int) conditions {
			return conditions{Mode: "fts", Query: strings.Join(strings.Fields(c.titles[i%len(c.titles)])[:2], " ")}
		}},
		{name: "FTS, a phrase", ask: func(i int) conditions {
			return conditions{Mode: "fts", Query: `"` + strings.Join(strings.Fields(c.titles[i%len(c.titles)])[1:3], " ") + `"`}
		}},
		{name: "FTS, a prefix of four letters", ask: word(selective, "fts", func(w string, _ int) string { return w[:4] + "*" })},
		{name: "FTS, a word in 0.1 to 0.5 % of a subtree of 5 %", ask: func(i int) conditions {
			return conditions{Mode: "fts", Query: selective[i%len(selective)], PathPrefix: area(i)}
		}},
		{name: "FTS, a word in 20 % of a subtree of 5 %", ask: func(i int) conditions {
			return conditions{Mode: "fts", Query: wordFifth, PathPrefix: area(i)}
		}},
		{name: "FUZZY, a misspelt word", ask: word(selective, "fuzzy", misspelt), bars: both(5 * ms)},
		{name: "SOUNDEX, a misheard word", ask: word(selective, "soundex", heard), bars: both(3 * ms)},
		{name: "METAPHONE, a misheard word", ask: word(selective, "metaphone", heard), bars: both(3 * ms)},
		{name: "within 10 km, nearest first", ask: near, bars: map[string]time.Duration{"full": 1 * ms, "bare": 2 * ms}},
		{name: "in a box of 0.1 degrees", ask: box},
		{name: "a subtree of 0.1 %", ask: func(i int) conditions { return conditions{PathPrefix: topic(i)} }, bars: both(2 * ms)},
		{name: "a subtree of 5 %", ask: func(i int) conditions { return conditions{PathPrefix: area(i)} }, bars: both(2 * ms)},
		{name: "a tag of 1 %", ask: func(i int) conditions { return conditions{TagIDs: []int{1 + i%tags}} }},
		{name: "metadata of 5 %", ask: func(i int) conditions {
			return conditions{Metadata: map[string]string{"source": fmt.Sprintf("s%d", i%sources)}}
		}},
		{name: "an author", ask: func(i int) conditions { return conditions{AuthorID: users[i%len(users)]} }},
		{name: "a week", ask: week},
		{name: "count of 20 %", sql: countSQL, ask: word([]string{wordFifth}, "fts", nil), selected: "totalCount"},
		{
			name: "facets of 10 %: paths, tags, metadata keys, months", sql: facetsSQL, ask: word([]string{wordTenth}, "fts", nil), bars: both(25 * ms),
			selected: "facets { paths { value count } tags { value count } metadataKeys { value count } months { value count } }",
		},
		{name: "did you mean, a misspelt word", sql: meantSQL, ask: word(selective, "fts", misspelt), selected: "didYouMean"},
		{name: "suggestions for three letters", sql: suggestSQL, ask: word(selective, "", func(w string, _ int) string { return w[:3] }), selected: "-"},
	}
	list = append(list, l.vectorQuestions(selective)...)
	for i := range list {
		if list[i].sql == "" {
			list[i].sql = findSQL
		}
	}
	return list, l.addPeers(ctx, list)
}

// vectorQuestions are those that compare vectors. Without an index the documents are compared one by one, so the bare
// lane is asked for parts of them, to see how far that serves.
func (l *lane) vectorQuestions(words []string) []question {
	if l.vectors == 0 {
		return nil
	}
	semantic := func(documents int) func(int) conditions {
		return func(i int) conditions {
			ask := conditions{Mode: "semantic", Query: fmt.Sprintf("question %d", i%50)}
			if documents < l.vectors {
				ask.CreatedFrom = l.corpus.now.Add(-time.Duration((float64(documents) + 0.5) / float64(l.corpus.documents) * 365 * 24 * float64(time.Hour))).UTC().Format(time.RFC3339)
			}
			return ask
		}
	}
	hybrid := question{
		name: fmt.Sprintf("HYBRID, a word in 0.1 to 0.5 %%, %s vectors", count(float64(l.vectors))),
		ask:  func(i int) conditions { return conditions{Mode: "hybrid", Query: words[i%len(words)]} },
	}
	if l.name == "full" {
		hybrid.bars = map[string]time.Duration{"full": 12 * time.Millisecond}
		common := hybrid
		common.name = fmt.Sprintf("HYBRID, a word in 20 %%, %s vectors", count(float64(l.vectors)))
		common.ask = func(int) conditions { return conditions{Mode: "hybrid", Query: wordFifth} }
		part := question{name: "SEMANTIC in a subtree of 5 %", ask: func(i int) conditions {
			ask := semantic(l.vectors)(i)
			ask.PathPrefix = fmt.Sprintf("area%d", i%areas)
			return ask
		}}
		return []question{
			{
				name: fmt.Sprintf("SEMANTIC, %s vectors", count(float64(l.vectors))), ask: semantic(l.vectors),
				bars: map[string]time.Duration{"full": 5 * time.Millisecond},
			}, part, hybrid, common,
		}
	}
	var out []question
	for n := 250; n < l.vectors; n *= 4 {
		out = append(out, question{name: fmt.Sprintf("SEMANTIC, exact, %s vectors", count(float64(n))), ask: semantic(n)})
	}
	return append(out, question{name: fmt.Sprintf("SEMANTIC, exact, %s vectors", count(float64(l.vectors))), ask: semantic(l.vectors)}, hybrid)
}

// peerForms is how many forms of a question have a peer's statement; others use those again.
const peerForms = 50

// addPeers gives each question the plainest statement that answers something like it, by hand and without any product.
func (l *lane) addPeers(ctx context.Context, list []question) error {
	for _, sql := range []string{
		"CREATE TABLE IF NOT EXISTS bench_titles AS SELECT id, title FROM documents WHERE tenant_id = '" + l.tenant.String() + "'",
		"CREATE INDEX IF NOT EXISTS bench_titles_trigrams ON bench_titles USING gin (title gin_trgm_ops)",
		"ANALYZE bench_titles",
	} {
		if _, err := l.owner.Exec(ctx, sql); err != nil {
			return err
		}
	}
	for i := range list {
		q := &list[i]
		ask := q.ask(0)
		switch {
		case q.vector():
			l.vectorPeer(q)
		case q.sql == suggestSQL:
			q.beside = "LIKE over the vocabulary"
			q.peer = func(i int) statement {
				return statement{"SELECT word, documents FROM core.search_words WHERE tenant_id = $1 AND word LIKE $2 ORDER BY documents DESC LIMIT 8", []any{l.tenant, q.ask(i).Query + "%"}}
			}
		case ask.Mode == "fuzzy" || q.sql == meantSQL:
			q.beside = "pg_trgm over titles alone"
			q.peer = func(i int) statement {
				return statement{"SELECT id FROM bench_titles WHERE $1 <% title ORDER BY word_similarity($1, title) DESC LIMIT 11", []any{q.ask(i).Query}}
			}
		case ask.Query != "":
			if err := l.wordPeer(ctx, q); err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
		default:
			l.plainPeer(q)
		}
	}
	return nil
}

// wordPeer ranks all hits of the same full-text query, which GIN finds; or only counts them.
func (l *lane) wordPeer(ctx context.Context, q *question) error {
	forms := make([]statement, peerForms)
	for i := range forms {
		ask := q.ask(i)
		text, err := l.read(ctx, ask)
		if err != nil {
			return err
		}
		sql := "SELECT id FROM documents d WHERE tenant_id = $1 AND search_tsv @@ $2::tsquery AND ($3::text IS NULL OR path_text LIKE $3) ORDER BY ts_rank(search_tsv, $2::tsquery) DESC LIMIT 11"
		q.beside = "GIN and ts_rank of all hits"
		if q.sql != findSQL {
			sql = "SELECT count(*) FROM documents d WHERE tenant_id = $1 AND search_tsv @@ $2::tsquery AND ($3::text IS NULL OR path_text LIKE $3)"
			q.beside = "count(*) of the hits"
		}
		var path any
		if p := ask.PathPrefix; p != "" {
			path = p + ".%"
		}
		forms[i] = statement{sql, []any{l.tenant, text, path}}
	}
	q.peer = func(i int) statement { return forms[i%peerForms] }
	return nil
}

// read is what the product makes of a search's text.
func (l *lane) read(ctx context.Context, ask conditions) (string, error) {
	c, err := l.act(ctx, l.tenant)
	if err != nil {
		return "", err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var text string
	return text, c.QueryRow(ctx, "SELECT query::text FROM search_queries($1, $2)", l.tenant, ask).Scan(&text)
}

// plainPeer is a statement with the same condition, for the newest; a circle's is for the nearest.
func (l *lane) plainPeer(q *question) {
	const newest = " ORDER BY created_at DESC, id DESC LIMIT 11"
	from := "SELECT id FROM documents WHERE tenant_id = $1 AND "
	q.beside = "the condition alone, by hand"
	q.peer = func(i int) statement {
		ask := q.ask(i)
		switch {
		case ask.PathPrefix != "":
			p := ask.PathPrefix
			return statement{from + "(path_text = $2 OR path_text >= $2 || '.' AND path_text < $2 || '/')" + newest, []any{l.tenant, p}}
		case ask.TagIDs != nil:
			return statement{from + "tag_ids && $2::int[]" + newest, []any{l.tenant, ask.TagIDs}}
		case ask.Metadata != nil:
			return statement{from + "hstore_to_jsonb(metadata) @> jsonb_build_object('source', $2::text)" + newest, []any{l.tenant, ask.Metadata["source"]}}
		case ask.AuthorID != "":
			return statement{from + "author_id = $2::uuid" + newest, []any{l.tenant, ask.AuthorID}}
		case ask.CreatedFrom != "":
			return statement{from + "created_at >= $2::text::timestamptz AND created_at < $3::text::timestamptz" + newest, []any{l.tenant, ask.CreatedFrom, ask.CreatedTo}}
		case ask.Within != nil:
			b := ask.Within
			return statement{from + "point(longitude, latitude) <@ box(point($2, $3), point($4, $5))" + newest, []any{l.tenant, b["west"], b["south"], b["east"], b["north"]}}
		default:
			n := ask.Near
			if l.name == "full" {
				q.beside = "ST_DWithin and ORDER BY ST_Distance, by hand"
				return statement{`SELECT id, ST_Distance(location, ST_MakePoint($2, $3)::geography) FROM documents
					WHERE tenant_id = $1 AND ST_DWithin(location, ST_MakePoint($2, $3)::geography, $4) ORDER BY 2 LIMIT 11`, []any{l.tenant, n["longitude"], n["latitude"], n["radius"]}}
			}
			q.beside = "a box of the same width, by hand"
			return statement{from + "point(longitude, latitude) <@ box(point($2::float8 - 0.14, $3::float8 - 0.09), point($2 + 0.14, $3 + 0.09)) LIMIT 11", []any{l.tenant, n["longitude"], n["latitude"]}}
		}
	}
}

// vectorPeer compares all vectors one by one; that of HYBRID are its two parts, one after the other.
func (l *lane) vectorPeer(q *question) {
	parts := q.ask(0).Mode == "hybrid"
	if !parts && l.name == "bare" {
		return // it does so itself
	}
	q.beside = "exact order of all vectors"
	if parts {
		q.beside = "its parts one after the other"
	}
	q.peer = func(i int) statement {
		ask := q.ask(i)
		vector := l.corpus.vectors.query(ask.Query)
		if !parts {
			return exact(l, ask, vector, 11)
		}
		words, vectors := conditions{Mode: "fts", Query: ask.Query}, conditions{Mode: "semantic", Query: ask.Query}
		return statement{
			"SELECT (SELECT count(*) FROM find_documents($1, $2, NULL, 11)), (SELECT count(*) FROM find_documents($1, $3, $4, 11))",
			[]any{l.tenant, words, vectors, vector},
		}
	}
}

// exact is the order that an index approaches.
func exact(l *lane, ask conditions, vector []float32, limit int) statement {
	var path any
	if p := ask.PathPrefix; p != "" {
		path = p + ".%"
	}
	return statement{`SELECT id FROM documents WHERE tenant_id = $1 AND embedding IS NOT NULL AND ($4::text IS NULL OR path_text LIKE $4)
		ORDER BY (embedding <=> $2::real[]::vector) + 0 LIMIT $3`, []any{l.tenant, vector, limit, path}}
}

// graphQL is the question's i-th form as a request, "" when GraphQL does not ask it so.
func (q question) graphQL(i int) (string, error) {
	if q.selected == "-" {
		return "", nil
	}
	type moments struct {
		Gte string `json:"gte"`
		Lt  string `json:"lt"`
	}
	variables := struct {
		conditions

		CreatedAt *moments `json:"createdAt,omitempty"`
	}{conditions: q.ask(i)}
	variables.Mode = strings.ToUpper(variables.Mode)
	if variables.Mode == "" {
		variables.Mode = "FTS"
	}
	if from := variables.CreatedFrom; from != "" {
		to := variables.CreatedTo
		if to == "" {
			to = "2100-01-01T00:00:00Z"
		}
		variables.CreatedAt = &moments{from, to}
		variables.CreatedFrom, variables.CreatedTo = "", ""
	}
	selection := q.selected
	if selection == "" {
		selection = "nodes { score distance document { id title } }"
	}
	body, err := json.Marshal(map[string]any{"variables": variables, "query": `query Search($query: String, $mode: SearchMode!, $pathPrefix: String, $tagIds: [Int!], $near: NearInput,
		$within: BoundingBoxInput, $metadata: Map, $authorId: ID, $createdAt: TimeFilter) {
		searchDocuments(query: $query, mode: $mode, pathPrefix: $pathPrefix, tagIds: $tagIds, near: $near, within: $within, metadata: $metadata,
			authorId: $authorId, createdAt: $createdAt, first: 10) { ` + selection + ` } }`})
	return string(body), err
}

// run sends the statement and reads the answer, whatever it is.
func (s statement) run(ctx context.Context, c *pgx.Conn) error {
	rows, err := c.Query(ctx, s.sql, s.args...)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	rows.Close()
	return rows.Err()
}
