package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"stackforge/hashid"
	"stackforge/nodeid"
)

// statements are what the product was seen to send for the same request: the bare handler runs the same texts.
type statements struct {
	Scope string `json:"scope"`
	Get   string `json:"get"`  // a document with its author
	Page  string `json:"page"` // a page with the authors
	List  string `json:"list"` // a page without
}

// usersSQL is the second statement of the variant that reads the authors on their own.
const usersSQL = `
		-- name: bench.Users
		SELECT id, email::text
		FROM app_users
		WHERE tenant_id = $1 AND id = ANY ($2)`

// bare answers as the product does, with net/http, pgx and nothing else: no GraphQL, no authentication, no metrics. It is
// the fastest thing that we know how to write by hand: columns are decoded into a struct, and JSON is appended to bytes.
type bare struct {
	pool   *pgxpool.Pool
	tenant string
	sql    statements
}

// serveBare is the process `bench bare`.
func serveBare(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench bare", flag.ContinueOnError)
	addr, url := fs.String("addr", "", "address to listen on"), fs.String("url", "", "database")
	tenant, file := fs.String("tenant", "", "the tenant's id"), fs.String("sql", "", "JSON file with the statements")
	if err := fs.Parse(args); err != nil {
		return err
	}
	b := &bare{tenant: *tenant}
	text, err := os.ReadFile(*file)
	if err == nil {
		err = json.Unmarshal(text, &b.sql)
	}
	if err == nil {
		b.pool, err = pool(ctx, *url)
	}
	if err != nil {
		return err
	}
	defer b.pool.Close()
	s := &http.Server{Addr: *addr, Handler: b, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// pool has the product's default size, role and session settings.
func pool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	c.MinConns, c.MaxConns = 5, 20
	maps.Copy(c.ConnConfig.RuntimeParams, map[string]string{
		"role": "app_api", "search_path": "public", "statement_timeout": "30000", "idle_in_transaction_session_timeout": "15000",
		"timezone": "UTC", "jit": "off", "application_name": "bare",
	})
	return pgxpool.NewWithConfig(ctx, c)
}

// ServeHTTP answers /document/{id}, /documents/{id} in the form of REST, /page and /joined.
func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, _ := room.Get().(*[]byte)
	defer room.Put(out)
	var err error
	id, isRest := strings.CutPrefix(r.URL.Path, "/documents/")
	if isRest {
		*out, err = b.rest(r.Context(), (*out)[:0], id)
		b.answer(w, *out, err)
		return
	}
	switch id, isOne := strings.CutPrefix(r.URL.Path, "/document/"); {
	case isOne:
		*out, err = b.one(r.Context(), (*out)[:0], id)
	case r.URL.Path == "/page":
		*out, err = b.page(r.Context(), (*out)[:0])
	default:
		*out, err = b.pageJoined(r.Context(), (*out)[:0])
	}
	b.answer(w, *out, err)
}

func (b *bare) answer(w http.ResponseWriter, out []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out)
}

//nolint:gochecknoglobals // a pool is only useful when it is shared
var room = sync.Pool{New: func() any { b := make([]byte, 0, 32<<10); return &b }}

// requestID is as long as a real one.
const requestID = "0193a7b0-7f6b-7d0e-9a52-5f3d1c2b4a69"

// query sends scope and statement in one round trip.
func (b *bare) query(ctx context.Context, sql string, each func(pgx.Rows) error, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, 31*time.Second)
	defer cancel()
	var batch pgx.Batch
	batch.Queue(b.sql.Scope, b.tenant, "", "*", requestID)
	batch.Queue(sql, args...)
	br := b.pool.SendBatch(ctx, &batch)
	defer br.Close()
	if _, err := br.Exec(); err != nil {
		return err
	}
	rows, err := br.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// doc is a row. Its columns are those of repo/document, in their order.
type doc struct {
	id, tenant, author  pgtype.UUID
	external            *string
	title, body, lang   string
	metadata            []byte
	path                *string
	tags                []int32
	longitude, latitude *float64
	model               *string
	version             int32
	created, updated    time.Time
	email               string
}

func (d *doc) columns(more ...any) []any {
	return append([]any{
		&d.id, &d.tenant, &d.author, &d.external, &d.title, &d.body, &d.lang, &d.metadata, &d.path, &d.tags, &d.longitude,
		&d.latitude, &d.model, &d.version, &d.created, &d.updated,
	}, more...)
}

// get reads a document.
func (b *bare) get(ctx context.Context, id string) (doc, error) {
	var d doc
	var authorCreated time.Time
	found := false
	err := b.query(ctx, b.sql.Get, func(rows pgx.Rows) error {
		found = true
		return rows.Scan(d.columns(&d.email, &authorCreated)...)
	}, b.tenant, id)
	if err != nil || !found {
		return d, errors.Join(err, fmt.Errorf("document %s", id))
	}
	return d, nil
}

func (b *bare) one(ctx context.Context, out []byte, id string) ([]byte, error) {
	d, err := b.get(ctx, id)
	if err != nil {
		return nil, err
	}
	out = append(out, `{"data":{"document":`...)
	out = d.append(out)
	return append(out, `}}`...), nil
}

// rest answers as REST does.
func (b *bare) rest(ctx context.Context, out []byte, id string) ([]byte, error) {
	d, err := b.get(ctx, id)
	if err != nil {
		return nil, err
	}
	out = append(out, `{"id":"`...)
	out = append(out, d.id.String()...)
	out = append(out, `","tenantId":"`...)
	out = append(out, d.tenant.String()...)
	out = append(out, `","authorId":"`...)
	out = append(out, d.author.String()...)
	out = append(out, `","title":`...)
	out = appendString(out, d.title)
	out = append(out, `,"body":`...)
	out = appendString(out, d.body)
	out = append(out, `,"metadata":`...)
	// The data have nothing that would have to be escaped, so the hstore's text is that of its JSON but for the signs.
	out = appendString(out, strings.ReplaceAll(strings.Trim(string(d.metadata), "{}"), `": "`, `"=>"`))
	out = append(out, `,"path":`...)
	out = appendOptional(out, d.path)
	out = append(out, `,"tagIds":[`...)
	for i, t := range d.tags {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, int64(t), 10)
	}
	out = append(out, `],"longitude":`...)
	out = appendFloat(out, d.longitude)
	out = append(out, `,"latitude":`...)
	out = appendFloat(out, d.latitude)
	out = append(out, `,"createdAt":`...)
	out = d.created.UTC().AppendFormat(out, layout)
	out = append(out, `,"updatedAt":`...)
	out = d.updated.UTC().AppendFormat(out, layout)
	return append(out, '}', '\n'), nil
}

// layout is that of the product's times.
const layout = `"2006-01-02T15:04:05.000Z"`

// pageSize is that of the product's default; its statement asks for one more, to see whether there is one.
const pageSize = 20

// page makes two round trips, as one would for any relation.
func (b *bare) page(ctx context.Context, out []byte) ([]byte, error) {
	docs := make([]doc, 0, pageSize+1)
	err := b.query(ctx, b.sql.List, func(rows pgx.Rows) error {
		docs = append(docs, doc{})
		return rows.Scan(docs[len(docs)-1].columns()...)
	}, b.tenant)
	if err != nil {
		return nil, err
	}
	docs = docs[:min(len(docs), pageSize)]
	emails := make(map[[16]byte]string, len(docs))
	ids := make([]pgtype.UUID, 0, len(docs))
	for i := range docs {
		if _, there := emails[docs[i].author.Bytes]; !there {
			emails[docs[i].author.Bytes] = ""
			ids = append(ids, docs[i].author)
		}
	}
	err = b.query(ctx, usersSQL, func(rows pgx.Rows) error {
		var id pgtype.UUID
		var email string
		err := rows.Scan(&id, &email)
		emails[id.Bytes] = email
		return err
	}, b.tenant, ids)
	if err != nil {
		return nil, err
	}
	for i := range docs {
		docs[i].email = emails[docs[i].author.Bytes]
	}
	return appendDocs(out, docs), nil
}

// pageJoined makes the product's one round trip.
func (b *bare) pageJoined(ctx context.Context, out []byte) ([]byte, error) {
	var authorCreated time.Time
	docs := make([]doc, 0, pageSize+1)
	err := b.query(ctx, b.sql.Page, func(rows pgx.Rows) error {
		docs = append(docs, doc{})
		d := &docs[len(docs)-1]
		return rows.Scan(d.columns(&d.email, &authorCreated)...)
	}, b.tenant)
	return appendDocs(out, docs[:min(len(docs), pageSize)]), err
}

func appendDocs(out []byte, docs []doc) []byte {
	out = append(out, `{"data":{"documents":[`...)
	for i := range docs {
		if i > 0 {
			out = append(out, ',')
		}
		out = docs[i].append(out)
	}
	return append(out, `]}}`...)
}

// append writes what fields asks for, in its order.
func (d *doc) append(out []byte) []byte {
	id := d.id.String()
	author := d.author.String()
	out = append(out, `{"id":"`...)
	out = append(out, id...)
	out = append(out, `","nodeId":"`...)
	out = append(out, nodeid.Encode("Document", id)...)
	out = append(out, `","hashid":"`...)
	out = append(out, hashid.Document(d.id.Bytes)...)
	out = append(out, `","tenantId":"`...)
	out = append(out, d.tenant.String()...)
	out = append(out, `","authorId":"`...)
	out = append(out, author...)
	out = append(out, `","title":`...)
	out = appendString(out, d.title)
	out = append(out, `,"body":`...)
	out = appendString(out, d.body)
	out = append(out, `,"language":`...)
	out = appendString(out, d.lang)
	out = append(out, `,"metadata":`...)
	out = append(out, d.metadata...)
	out = append(out, `,"path":`...)
	out = appendOptional(out, d.path)
	out = append(out, `,"tagIds":[`...)
	for i, t := range d.tags {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, int64(t), 10)
	}
	out = append(out, `],"longitude":`...)
	out = appendFloat(out, d.longitude)
	out = append(out, `,"latitude":`...)
	out = appendFloat(out, d.latitude)
	out = append(out, `,"externalId":`...)
	out = appendOptional(out, d.external)
	out = append(out, `,"embeddingModel":`...)
	out = appendOptional(out, d.model)
	out = append(out, `,"version":`...)
	out = strconv.AppendInt(out, int64(d.version), 10)
	out = append(out, `,"createdAt":`...)
	out = d.created.UTC().AppendFormat(out, layout)
	out = append(out, `,"updatedAt":`...)
	out = d.updated.UTC().AppendFormat(out, layout)
	out = append(out, `,"author":{"id":"`...)
	out = append(out, author...)
	out = append(out, `","email":`...)
	out = appendString(out, d.email)
	return append(out, `}}`...)
}

func appendOptional(out []byte, s *string) []byte {
	if s == nil {
		return append(out, "null"...)
	}
	return appendString(out, *s)
}

func appendFloat(out []byte, f *float64) []byte {
	if f == nil {
		return append(out, "null"...)
	}
	return strconv.AppendFloat(out, *f, 'g', -1, 64)
}

// appendString writes a JSON string; PostgreSQL's text is valid UTF-8.
func appendString(out []byte, s string) []byte {
	out = append(out, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(out, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
	}
	return append(append(out, s[from:]...), '"')
}
