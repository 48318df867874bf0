package tenancy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
)

// Bounds of a statement of an import, and of a line.
const (
	importRows  = 1000
	importBytes = 4 << 20
	maxLine     = 512 << 20
)

// Importer restores exports, as the owner of the tables.
type Importer struct{ db *db.DB }

// NewImporter returns an Importer. The pool must act as the owner.
func NewImporter(h *db.DB) *Importer { return &Importer{db: h} }

// exportLine is any line of an export.
type exportLine struct {
	Header  *Header         `json:"header"`
	Table   string          `json:"table"`
	Row     json.RawMessage `json:"row"`
	Trailer *Trailer        `json:"trailer"`
}

// Import restores the tenant of an export in one transaction: all of it, or nothing. Logs are not restored. It is errs.Conflict
// when the tenant is there, or a number of its rows is another tenant's, and errs.Validation for what is no whole export of
// this version or an earlier one.
func (i *Importer) Import(ctx context.Context, r io.Reader) (Header, Trailer, error) {
	var run importRun
	err := i.db.Once(ctx, db.Change, func(tx *db.Tx) error {
		run = importRun{tx: tx, sum: sha256.New(), counts: map[string]int64{}, restored: map[string]int64{}}
		return run.read(ctx, r)
	})
	return run.header, Trailer{Counts: run.restored, Rows: total(run.restored), SHA256: run.found}, err
}

func total(counts map[string]int64) (n int64) {
	for _, v := range counts {
		n += v
	}
	return n
}

// importRun is one import under way.
type importRun struct {
	tx       *db.Tx
	header   Header
	kinds    map[string]string // of this database's tables
	sum      hash.Hash
	found    string           // the checksum
	counts   map[string]int64 // rows by table, as they were read
	restored map[string]int64

	// Rows of one table that are not sent yet.
	table string
	rows  bytes.Buffer
	n     int
}

func notAnExport(message string) error {
	return errs.Wrap(errs.Validation, errors.New("import"), message)
}

func (r *importRun) read(ctx context.Context, in io.Reader) error {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 0, 1<<20), maxLine)
	for s.Scan() {
		var l exportLine
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return notAnExport("A line of the file is no JSON object of an export.")
		}
		done, err := r.line(ctx, &l)
		if err != nil || done {
			return err
		}
		_, _ = r.sum.Write(s.Bytes()) // never fails
		_, _ = r.sum.Write([]byte{'\n'})
	}
	if err := s.Err(); err != nil {
		return errs.Wrap(errs.Validation, err, "The file cannot be read to its end.")
	}
	return notAnExport("The file has no trailer: it is not whole.")
}

// line takes one line; done is true for the last one.
func (r *importRun) line(ctx context.Context, l *exportLine) (done bool, err error) {
	switch {
	case l.Header != nil && r.header.Format == "":
		return false, r.start(ctx, l.Header)
	case r.header.Format == "":
		return false, notAnExport("The file does not begin with the header of an export.")
	case l.Trailer != nil:
		return true, r.finish(ctx, l.Trailer)
	case l.Table == "" || len(l.Row) == 0:
		return false, notAnExport("A line of the file is neither a row nor a trailer.")
	}
	return false, r.add(ctx, l.Table, l.Row)
}

// start checks whether this database can take the export.
func (r *importRun) start(ctx context.Context, h *Header) error {
	if h.Format != ExportFormat {
		return errs.Newf(errs.Validation, "The format %.40q is not known; this program reads %s.", h.Format, ExportFormat)
	}
	version, err := schemaVersion(ctx, r.tx)
	if err != nil {
		return err
	}
	if h.SchemaVersion > version {
		return errs.Newf(errs.Validation, "The export is of schema version %d and this database of %d: migrate first.", h.SchemaVersion, version)
	}
	if _, err := New(r.tx).Get(ctx, h.TenantID); !errs.Is(err, errs.NotFound) {
		if err == nil {
			err = errs.Newf(errs.Conflict, "The tenant %s is there already.", h.TenantID)
		}
		return err
	}
	tables, err := rowCounts(ctx, r.tx, h.TenantID)
	r.kinds = make(map[string]string, len(tables))
	for _, t := range tables {
		r.kinds[t.Name] = t.Kind
	}
	r.header = *h
	return err
}

func (r *importRun) add(ctx context.Context, table string, row []byte) error {
	r.counts[table]++
	kind, is := r.kinds[table]
	if kind == "log" || !is && strings.HasPrefix(table, "files_") { // former exports have detached months of files
		return nil
	}
	if table != r.table || r.n >= importRows || r.rows.Len()+len(row) > importBytes {
		if err := r.send(ctx); err != nil {
			return err
		}
		r.table = table
	}
	if r.n > 0 {
		r.rows.WriteByte(',')
	}
	r.rows.Write(row)
	r.n++
	return nil
}

// send inserts the rows that have been collected.
func (r *importRun) send(ctx context.Context) error {
	if r.n == 0 {
		return nil
	}
	n, err := db.Get[int64](ctx, r.tx, "count", `
		-- name: tenancy.ImportRows
		SELECT import_tenant_rows(@tenant, @table, @rows::jsonb)`,
		pgx.NamedArgs{"tenant": r.header.TenantID, "table": r.table, "rows": "[" + r.rows.String() + "]"})
	r.restored[r.table] += n
	r.rows.Reset()
	r.n = 0
	return err
}

func (r *importRun) finish(ctx context.Context, t *Trailer) error {
	if err := r.send(ctx); err != nil {
		return err
	}
	r.found = hex.EncodeToString(r.sum.Sum(nil))
	if r.found != t.SHA256 || !maps.Equal(r.counts, t.Counts) {
		return notAnExport("The file is not as it was written: its rows do not fit the checksum and the counts of the trailer.")
	}
	_, err := db.Exec(ctx, r.tx, `
		-- name: tenancy.FinishImport
		SELECT finish_tenant_import(@tenant)`, pgx.NamedArgs{"tenant": r.header.TenantID})
	return err
}
