package importer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/importer"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

type bundle struct {
	*dbtest.DB
	scope tenant.Scope
	ctx   context.Context //nolint:containedctx // the tenant's
}

func setup(t *testing.T) bundle {
	t.Helper()
	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	return bundle{d, s, tenant.With(t.Context(), s)}
}

func (b bundle) options(in io.Reader, rejects io.Writer) importer.Options {
	return importer.Options{TenantID: b.scope.TenantID, AuthorID: b.scope.UserID, Reader: in, Rejects: rejects}
}

// load imports a text and returns the report without its duration, and the rejects.
func (b bundle) load(t *testing.T, text string) (importer.Report, []reject, error) {
	t.Helper()
	var out bytes.Buffer
	r, err := importer.Run(t.Context(), b.API, b.options(strings.NewReader(text), &out))
	r.Duration = 0
	return r, rejectsOf(t, &out), err
}

type reject struct {
	Line    int    `json:"line"`
	Field   string `json:"field"`
	Message string `json:"message"`
	Code    string `json:"code"`
	Input   string `json:"input"`
}

func rejectsOf(t *testing.T, in io.Reader) []reject {
	t.Helper()
	var out []reject
	for d := json.NewDecoder(in); d.More(); {
		var r reject
		require.NoError(t, d.Decode(&r))
		out = append(out, r)
	}
	return out
}

type document struct {
	Title     string
	Body      string
	Version   int
	Xmin      string
	Path      *string
	Tags      []int32
	Meta      map[string]string
	Longitude *float64
	Language  string
	Embedded  bool
}

func (b bundle) get(t *testing.T, externalID string) document {
	t.Helper()
	d, err := db.Get[document](b.ctx, b.API, "document", `
		-- name: importer_test.get
		SELECT title, body, version, xmin::text, path_text AS path, tag_ids AS tags, hstore_to_jsonb(metadata) AS meta, longitude,
		       language, embedding IS NOT NULL AS embedded
		FROM documents WHERE external_id = $1`, externalID)
	require.NoError(t, err)
	return d
}

func (b bundle) count(t *testing.T) int {
	t.Helper()
	n, err := db.Get[int](t.Context(), b.Owner, "count", `
		-- name: importer_test.count
		SELECT count(*) FROM documents`)
	require.NoError(t, err)
	return n
}

func lines(n, from int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `{"externalId":"e%d","title":"Title %d","body":"Body of %d","path":"a.b%d","tagIds":[%d,3],"metadata":{"n":"%d"},"longitude":%d.5,"latitude":1.25}`+"\n",
			from+i, from+i, from+i, i%7, i, i, i%100)
	}
	return s.String()
}

func TestImport(t *testing.T) {
	t.Parallel()
	b := setup(t)

	r, rejected, err := b.load(t, lines(2500, 0))
	require.NoError(t, err)
	require.Empty(t, rejected)
	require.Equal(t, importer.Report{Lines: 2500, Created: 2500}, r)
	before := b.get(t, "e7")
	lon := 7.5
	path := "a.b0"
	require.Equal(t, document{
		Title: "Title 7", Body: "Body of 7", Version: 1, Xmin: before.Xmin, Path: &path, Tags: []int32{7, 3},
		Meta: map[string]string{"n": "7"}, Longitude: &lon, Language: "en",
	}, before)

	// Equal lines change nothing, not even a row version.
	r, _, err = b.load(t, lines(2500, 0))
	require.NoError(t, err)
	require.Equal(t, importer.Report{Lines: 2500, Unchanged: 2500}, r)
	require.Equal(t, before, b.get(t, "e7"))

	// A changed text drops the vector, a changed tag does not.
	b.Exec(t, `UPDATE documents SET embedding = array_fill(1::real, ARRAY[1536]), embedding_model = 'm'`)
	r, _, err = b.load(t, `{"externalId":"e7","title":"Title 7","body":"another body"}
{"externalId":"e8","title":"Title 8","body":"Body of 8","tagIds":[9],"path":null,"longitude":null,"latitude":null}
{"externalId":"e9","title":"Title 9","body":"Body of 9","tagIds":[9,3.0],"longitude":9.50,"metadata":{"n":"9"}}
`)
	require.NoError(t, err)
	require.Equal(t, importer.Report{Lines: 3, Updated: 2, Unchanged: 1}, r)
	text := b.get(t, "e7")
	require.Equal(t, "another body", text.Body)
	require.False(t, text.Embedded)
	require.Equal(t, []int32{7, 3}, text.Tags, "an absent field keeps")
	tags := b.get(t, "e8")
	require.True(t, tags.Embedded)
	require.Equal(t, []int32{9}, tags.Tags)
	require.Nil(t, tags.Path)
	require.Nil(t, tags.Longitude)
	require.Equal(t, 2, tags.Version)
	require.Equal(t, 2500, b.count(t))
}

func TestKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const id = "0190b5a1-7c3e-7abc-8def-0123456789ab"

	// By id, in either case of its letters; with both, the id decides.
	r, rejected, err := b.load(t, `{"id":"`+id+`","title":"t","body":"1"}
{"id":"`+strings.ToUpper(id)+`","title":"t","body":"2","externalId":"x"}
{"externalId":"x","title":"t","body":"2"}
`)
	require.NoError(t, err)
	require.Empty(t, rejected)
	require.Equal(t, int64(3), r.Lines)
	require.Equal(t, 1, b.count(t))
	r, rejected, err = b.load(t, `{"id":"0190b5a1-7c3e-7abc-8def-000000000001","title":"t","body":"3","externalId":"x"}`)
	require.NoError(t, err)
	require.Equal(t, int64(1), r.Rejected)
	require.Equal(t, "externalId", rejected[0].Field)
	require.Equal(t, "CONFLICT", rejected[0].Code)

	// The last line of a key wins, within a batch and across batches.
	var s strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&s, `{"externalId":"k%d","title":"t","body":"%d"}`+"\n", i%5, i)
	}
	_, _, err = b.load(t, s.String())
	require.NoError(t, err)
	for k := range 5 {
		require.Equal(t, fmt.Sprint(2995+k), b.get(t, fmt.Sprintf("k%d", k)).Body)
	}

	// A last line that is not valid leaves the one before.
	r, _, err = b.load(t, `{"externalId":"l","title":"t","body":"good"}
{"externalId":"l","title":"","body":"bad"}`)
	require.NoError(t, err)
	require.Equal(t, importer.Report{Lines: 2, Created: 1, Rejected: 1}, r)
	require.Equal(t, "good", b.get(t, "l").Body)

	// Without a key a line is new at each run.
	before := b.count(t)
	for range 2 {
		_, _, err = b.load(t, `{"title":"anonymous","body":""}`)
		require.NoError(t, err)
	}
	require.Equal(t, before+2, b.count(t))
}

func TestBadLines(t *testing.T) {
	t.Parallel()
	b := setup(t)
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	huge := `{"title":"t","body":"` + strings.Repeat("x", 8<<20) + `"}`
	for _, c := range []struct{ name, line, field, code, message string }{
		{"broken UTF-8", "{\"title\":\"\xff\",\"body\":\"b\"}", "", "VALIDATION_FAILED", "not UTF-8 at byte 11"},
		{"NUL escape", `{"title":"t","body":"a\u0000b"}`, "body", "VALIDATION_FAILED", "NUL"},
		{"NUL byte", "{\"title\":\"t\x00\",\"body\":\"b\"}", "", "VALIDATION_FAILED", "NUL"},
		{"half a surrogate pair", `{"title":"\ud83d","body":"b"}`, "title", "VALIDATION_FAILED", "surrogate"},
		{"the wrong half", `{"title":"\ude00\ud83d","body":"b"}`, "title", "VALIDATION_FAILED", "surrogate"},
		{"no JSON", `title: t`, "", "VALIDATION_FAILED", "not JSON"},
		{"two objects", `{"title":"t","body":"b"}{}`, "", "VALIDATION_FAILED", "not JSON"},
		{"a list", `[1]`, "", "VALIDATION_FAILED", "not a JSON object"},
		{"null", `null`, "", "VALIDATION_FAILED", "not a JSON object"},
		{"too long", huge, "", "PAYLOAD_TOO_LARGE", "8 MiB"},
		{"unknown field", `{"title":"t","body":"b","tags":[1]}`, `"tags"`, "VALIDATION_FAILED", "no such field"},
		{"no title", `{"body":"b"}`, "title", "VALIDATION_FAILED", "required"},
		{"blank title", `{"title":" ","body":"b"}`, "title", "VALIDATION_FAILED", "blank"},
		{"no body", `{"title":"t","body":null}`, "body", "VALIDATION_FAILED", "required"},
		{"path", `{"title":"t","body":"b","path":"a b"}`, "path", "VALIDATION_FAILED", "labels"},
		{"metadata", `{"title":"t","body":"b","metadata":{"a":1}}`, "metadata", "VALIDATION_FAILED", "string"},
		{"tags", `{"title":"t","body":"b","tagIds":[1.5]}`, "tagIds", "VALIDATION_FAILED", "whole numbers"},
		{"huge number", `{"title":"t","body":"b","tagIds":[1e999999]}`, "", "VALIDATION_FAILED", "cannot be stored"},
		{"half a point", `{"title":"t","body":"b","longitude":1}`, "latitude", "VALIDATION_FAILED", "together"},
		{"outside", `{"title":"t","body":"b","longitude":181,"latitude":0}`, "longitude", "VALIDATION_FAILED", "180"},
		{"language", `{"title":"t","body":"b","language":"klingon"}`, "language", "VALIDATION_FAILED", "language code"},
		{"id", `{"title":"t","body":"b","id":"1"}`, "id", "VALIDATION_FAILED", "uuid"},
		{"externalId", `{"title":"t","body":"b","externalId":5}`, "externalId", "VALIDATION_FAILED", "string"},
		{"author", `{"title":"t","body":"b","authorId":"0190b5a1-7c3e-7abc-8def-0123456789ab"}`, "authorId", "VALIDATION_FAILED", "no such user"},
		{"deep", `{"title":"t","body":"b","metadata":{"a":` + deep + `}}`, "metadata", "VALIDATION_FAILED", "string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			good := `{"title":"good","body":"` + c.name + `"}`
			r, rejected, err := b.load(t, good+"\n"+c.line+"\r\n\n"+good)
			require.NoError(t, err)
			require.Equal(t, importer.Report{Lines: 3, Created: 2, Rejected: 1}, r)
			require.Len(t, rejected, 1)
			require.Equal(t, 2, rejected[0].Line)
			require.Equal(t, c.field, rejected[0].Field)
			require.Equal(t, c.code, rejected[0].Code)
			require.Contains(t, rejected[0].Message, c.message)
			require.LessOrEqual(t, len(rejected[0].Input), 2048)
			require.True(t, strings.HasPrefix(strings.ToValidUTF8(c.line, "\ufffd"), rejected[0].Input))
		})
	}

	t.Run("several faults of a line come together", func(t *testing.T) {
		t.Parallel()
		r, rejected, err := b.load(t, `{"title":"","path":"..","longitude":500,"latitude":0}`)
		require.NoError(t, err)
		require.Equal(t, int64(1), r.Rejected)
		var fields []string
		for _, f := range rejected {
			fields = append(fields, f.Field)
		}
		require.ElementsMatch(t, []string{"title", "body", "path", "longitude"}, fields)
	})
}

func TestCutInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	whole := lines(100, 0)

	r, rejected, err := b.load(t, whole[:len(whole)-20])
	require.NoError(t, err)
	require.Equal(t, importer.Report{Lines: 100, Created: 99, Rejected: 1}, r)
	require.Equal(t, 100, rejected[0].Line)
	require.Equal(t, "The file ends in the middle of a line.", rejected[0].Message)

	r, rejected, err = b.load(t, "\ufeff"+strings.TrimRight(whole, "\n"))
	require.NoError(t, err, "a last line needs no line end, a byte order mark is skipped")
	require.Empty(t, rejected)
	require.Equal(t, importer.Report{Lines: 100, Created: 1, Unchanged: 99}, r)

	r, _, err = b.load(t, "")
	require.NoError(t, err)
	require.Zero(t, r)
}

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := io.WriteString(z, text)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.Bytes()
}

func TestGzip(t *testing.T) {
	t.Parallel()
	b := setup(t)
	packed := zip(t, lines(20000, 0))
	cut := packed[:len(packed)/2]
	r, rejected, err := b.load(t, string(cut))
	require.True(t, errs.Is(err, errs.Validation), "%v", err)
	require.Positive(t, r.Created)
	require.Less(t, r.Created, int64(20000))
	require.Equal(t, r.Lines, r.Created+r.Rejected)
	require.LessOrEqual(t, len(rejected), 1, "only the line that was cut")

	last := importer.Progress{}
	o := b.options(bytes.NewReader(packed), nil)
	o.TotalBytes = int64(len(packed))
	o.OnProgress = func(p importer.Progress) { last = p }
	again, err := importer.Run(t.Context(), b.API, o)
	require.NoError(t, err)
	require.Equal(t, int64(20000), again.Lines)
	require.Equal(t, r.Created, again.Unchanged)
	require.Equal(t, int64(20000), last.Lines)
	require.Equal(t, last.TotalBytes, last.Bytes)

	spoiled := bytes.Clone(packed)
	spoiled[len(spoiled)-6] ^= 1 // the checksum
	r, _, err = b.load(t, string(spoiled))
	require.True(t, errs.Is(err, errs.Validation), "%v", err)
	require.Equal(t, int64(20000), r.Unchanged)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := b.options(strings.NewReader(lines(5000, 0)), nil)
	o.BatchLines = 100
	o.OnProgress = func(p importer.Progress) {
		if p.Lines >= 1000 {
			cancel()
		}
	}
	r, err := importer.Run(ctx, b.API, o)
	require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
	require.GreaterOrEqual(t, r.Created, int64(1000))
	require.Less(t, b.count(t), 5000)

	again, _, err := b.load(t, lines(5000, 0))
	require.NoError(t, err)
	require.Equal(t, int64(5000), again.Created+again.Unchanged)
	require.GreaterOrEqual(t, again.Unchanged, r.Created)
	require.Equal(t, 5000, b.count(t))
}

// A reader that never answers must not keep a cancelled import.
func TestSilentInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in, out := io.Pipe()
	defer out.Close() // ends the read that was left behind
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = io.WriteString(out, lines(1, 0)) // returns when it was read
		cancel()
	}()
	_, err := importer.Run(ctx, b.API, b.options(in, nil))
	require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
}

func TestTenants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b
	other.scope = dbtest.Tenant(t, b.DB)
	other.ctx = tenant.With(t.Context(), other.scope)
	const text = `{"id":"0190b5a1-7c3e-7abc-8def-0123456789ab","externalId":"x","title":"first","body":"b"}`
	_, _, err := b.load(t, text)
	require.NoError(t, err)

	// The same id and externalId in another tenant are another document.
	r, _, err := other.load(t, strings.Replace(text, "first", "second", 1))
	require.NoError(t, err)
	require.Equal(t, importer.Report{Lines: 1, Created: 1}, r)
	require.Equal(t, "first", b.get(t, "x").Title)
	require.Equal(t, "second", other.get(t, "x").Title)

	// An author of another tenant is no author.
	o := b.options(strings.NewReader(`{"title":"t","body":"b"}`), nil)
	o.AuthorID = other.scope.UserID
	r, err = importer.Run(t.Context(), b.API, o)
	require.NoError(t, err)
	require.Equal(t, int64(1), r.Rejected)
}

func TestRejectsFail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in, out := io.Pipe()
	require.NoError(t, in.Close())
	_, err := importer.Run(t.Context(), b.API, b.options(strings.NewReader("x"), out))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

// Whatever document_is_plain lets pass, document_errors finds nothing in.
func TestPlainIsValid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	values := map[string][]string{
		"title":      {"", `null`, `5`, `""`, `" "`, `"t"`, `"` + strings.Repeat("é", 500) + `"`, `"` + strings.Repeat("é", 501) + `"`},
		"body":       {"", `null`, `[]`, `""`, `"b"`},
		"language":   {"", `null`, `"en"`, `"de"`, `"xx"`, `"plain"`, `1`},
		"path":       {"", `null`, `""`, `"a"`, `"a.b_c"`, `"a..b"`, `"a-b"`, `"."`, `"a b"`, `{}`, `"` + strings.Repeat("a", 256) + `"`},
		"metadata":   {"", `null`, `{}`, `{"a":"b"}`, `{"a":null}`, `{"a":["b"]}`, `{"a":{}}`, `[]`, `"x"`},
		"tagIds":     {"", `null`, `[]`, `[1]`, `[1.0]`, `[1.5]`, `[null]`, `["1"]`, `[[1]]`, `[2147483647]`, `[2147483648]`, `[-2147483649]`, `{}`},
		"longitude":  {"", `null`, `0`, `180`, `180.1`, `"1"`},
		"latitude":   {"", `null`, `0`, `-90`, `-91`},
		"externalId": {"", `null`, `""`, `"x"`, `5`, `"` + strings.Repeat("x", 201) + `"`},
		"id":         {"", `null`, `5`, `"5"`, `"0190b5a1-7c3e-7abc-8def-0123456789ab"`},
		"authorId":   {"", `"0190b5a1-7c3e-7abc-8def-0123456789ab"`},
	}
	// Each value of each field with the rest good, and each with each value of one other field.
	var inputs []string
	for f, fs := range values {
		for g, gs := range values {
			for _, fv := range fs {
				for _, gv := range gs {
					in := map[string]json.RawMessage{"title": []byte(`"t"`), "body": []byte(`""`)}
					for name, v := range map[string]string{f: fv, g: gv} {
						delete(in, name)
						if v != "" {
							in[name] = []byte(v)
						}
					}
					text, err := json.Marshal(in)
					require.NoError(t, err)
					inputs = append(inputs, string(text))
				}
			}
		}
	}
	type verdict struct{ Plain, Wrong int }
	v, err := db.Get[verdict](b.ctx, b.API, "verdict", `
		-- name: importer_test.TestPlainIsValid
		SELECT count(*) FILTER (WHERE plain) AS plain, count(*) FILTER (WHERE plain AND errors <> '[]') AS wrong
		FROM (
		    SELECT document_is_plain(i::jsonb) AS plain,
		           document_errors($1, i::jsonb || jsonb_build_object('authorId', $2::uuid), true) AS errors
		    FROM unnest($3::text[]) AS t (i)) checked`, b.scope.TenantID, b.scope.UserID, inputs)
	require.NoError(t, err)
	require.Positive(t, v.Plain)
	require.Zero(t, v.Wrong)
}

func TestCommand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := t.TempDir()
	file := dir + "/in.ndjson"
	require.NoError(t, os.WriteFile(file, []byte(lines(10, 0)+"bad\n"), 0o600))
	var out, progress bytes.Buffer
	o := importer.CommandOptions{Tenant: b.scope.TenantID, Path: file, Stdout: &out, Stderr: &progress}
	clean, err := importer.Command(t.Context(), b.API, o)
	require.NoError(t, err)
	require.False(t, clean)
	require.Contains(t, out.String(), "10 created, 0 updated, 0 unchanged, 1 rejected.")
	f, err := os.Open(file + ".rejects.ndjson")
	require.NoError(t, err)
	require.Len(t, rejectsOf(t, f), 1)
	require.NoError(t, f.Close())

	// A clean run leaves no reject file.
	require.NoError(t, os.WriteFile(file, []byte(lines(10, 0)), 0o600))
	clean, err = importer.Command(t.Context(), b.API, o)
	require.NoError(t, err)
	require.True(t, clean)
	require.NoFileExists(t, file+".rejects.ndjson")

	o.Path, o.Stdin, o.Rejects = "-", strings.NewReader(lines(3, 100)), dir+"/rejects"
	clean, err = importer.Command(t.Context(), b.API, o)
	require.NoError(t, err)
	require.True(t, clean)
	require.Equal(t, 13, b.count(t))

	o.Path, o.Rejects = file, file
	_, err = importer.Command(t.Context(), b.API, o)
	require.True(t, errs.Is(err, errs.Validation))
	require.FileExists(t, file)
	o.Rejects, o.Author = "", "nobody@example.com"
	_, err = importer.Command(t.Context(), b.API, o)
	require.True(t, errs.Is(err, errs.NotFound))
	o.Author, o.Tenant = "", uuid.New()
	_, err = importer.Command(t.Context(), b.API, o)
	require.True(t, errs.Is(err, errs.NotFound))
	o.Tenant, o.Path = b.scope.TenantID, dir+"/none"
	_, err = importer.Command(t.Context(), b.API, o)
	require.True(t, errs.Is(err, errs.Validation))

	// A tenant without users gets one.
	b.Exec(t, `INSERT INTO tenants (id, name) VALUES ('0190b5a1-7c3e-7abc-8def-0123456789ab', 'empty')`)
	o.Tenant, o.Path = uuid.MustParse("0190b5a1-7c3e-7abc-8def-0123456789ab"), file
	for range 2 {
		clean, err = importer.Command(t.Context(), b.API, o)
		require.NoError(t, err)
		require.True(t, clean)
	}
	n, err := db.Get[int](t.Context(), b.Owner, "count", `
		-- name: importer_test.TestCommand
		SELECT count(*) FROM app_users WHERE email = 'import@localhost'`)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}
