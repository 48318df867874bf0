package tenancy

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// ExportFormat names the form of an export: lines of JSON, the first a Header, then rows {"table": …, "row": …} table by table,
// parents before children, the last a Trailer. A reader that does not find the trailer has half an export.
const ExportFormat = "stackforge-tenant/1"

// fetchRows is how many rows the server sends without waiting to be asked. The rows go out as they come, so it bounds no memory.
const fetchRows = 20_000

// Header is the first line of an export, under the name "header".
type Header struct {
	Format        string           `json:"format"`
	TenantID      uuid.UUID        `json:"tenantId"`
	Name          string           `json:"name"`
	SchemaVersion int              `json:"schemaVersion"` // the newest numbered migration
	ExportedAt    time.Time        `json:"exportedAt"`
	Counts        map[string]int64 `json:"counts"` // rows by table
}

// Trailer is the last line of an export, under the name "trailer".
type Trailer struct {
	Rows   int64            `json:"rows"`
	Counts map[string]int64 `json:"counts"` // rows by table, as they were written
	SHA256 string           `json:"sha256"` // of all lines before, with their line ends
}

// table is one that holds rows of the tenant.
type table struct {
	Name string `db:"name"`
	Kind string `db:"kind"`
	Rows int64  `db:"row_count"`
}

// exported reports whether its rows are in an export.
func (t table) exported() bool { return t.Kind == "data" || t.Kind == "log" }

// Exporter writes exports. The pool may act as the API or as the owner.
type Exporter struct{ db *db.DB }

// NewExporter returns an Exporter.
func NewExporter(h *db.DB) *Exporter { return &Exporter{db: h} }

// Export writes all rows of the caller's tenant, as they were at one moment, to w. Nothing is collected in memory, here or in
// the database; one connection is held to the end. It is errs.NotFound without such a tenant; an error of w is returned as it is.
func (e *Exporter) Export(ctx context.Context, w io.Writer) (Trailer, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Trailer{}, err
	}
	var trailer Trailer
	err = e.db.Once(ctx, db.Snapshot, func(tx *db.Tx) error {
		var err error
		trailer, err = export(ctx, tx, s.TenantID, w)
		return err
	})
	return trailer, err
}

func export(ctx context.Context, tx *db.Tx, id uuid.UUID, w io.Writer) (Trailer, error) {
	header, tables, err := describe(ctx, tx, id)
	if err != nil {
		return Trailer{}, err
	}
	// What the reader takes its time for counts as the statement's; who takes nothing at all is the caller's affair. Values are
	// written in one way, however the database is set: 05/06/2026 is another day elsewhere.
	if _, err := db.Exec(ctx, tx, `
		-- name: tenancy.ExportSettings
		SELECT set_config(name, value, true)
		FROM (VALUES ('statement_timeout', '0'),
		             ('DateStyle', 'ISO'),
		             ('TimeZone', 'UTC'),
		             ('IntervalStyle', 'postgres'),
		             ('extra_float_digits', '1'),
		             ('bytea_output', 'hex')) s (name, value)`, pgx.QueryExecModeExec); err != nil {
		return Trailer{}, err
	}
	out := newLines(w)
	trailer := Trailer{Counts: map[string]int64{}}
	if err := out.value("header", header); err != nil {
		return trailer, err
	}
	for _, t := range tables {
		if t.Rows == 0 {
			continue
		}
		n, err := exportTable(ctx, tx, id, t.Name, out)
		if err != nil {
			return trailer, err
		}
		trailer.Counts[t.Name] = n
		trailer.Rows += n
	}
	if trailer.SHA256, err = out.sum(); err != nil {
		return trailer, err
	}
	if err := out.value("trailer", trailer); err != nil {
		return trailer, err
	}
	return trailer, out.flush()
}

// describe returns the header and the tables of an export.
func describe(ctx context.Context, tx *db.Tx, id uuid.UUID) (Header, []table, error) {
	t, err := New(tx).Get(ctx, id)
	if err != nil {
		return Header{}, nil, err
	}
	version, err := schemaVersion(ctx, tx)
	if err != nil {
		return Header{}, nil, err
	}
	all, err := rowCounts(ctx, tx, id)
	if err != nil {
		return Header{}, nil, err
	}
	h := Header{
		Format: ExportFormat, TenantID: id, Name: t.Name, SchemaVersion: version, ExportedAt: time.Now().UTC(), Counts: map[string]int64{},
	}
	var tables []table
	for _, t := range all {
		if t.exported() {
			tables = append(tables, t)
			h.Counts[t.Name] = t.Rows
		}
	}
	return h, tables, nil
}

func schemaVersion(ctx context.Context, h db.Handle) (int, error) {
	return db.Get[int](ctx, h, "version", `
		-- name: tenancy.SchemaVersion
		SELECT max(version)
		FROM core.schema_version`)
}

// rowCounts returns every table with rows of tenants, and how many this one has, parents first.
func rowCounts(ctx context.Context, h db.Handle, id uuid.UUID) ([]table, error) {
	return db.List[table](ctx, h, `
		-- name: tenancy.RowCounts
		SELECT name,
		       kind,
		       row_count
		FROM tenant_row_counts(@tenant) WITH ORDINALITY
		ORDER BY ordinality`, pgx.NamedArgs{"tenant": id})
}

// exportTable writes the rows of one table through a cursor, so that the server need not hold them either.
func exportTable(ctx context.Context, tx *db.Tx, id uuid.UUID, name string, out *lines) (int64, error) {
	if _, err := db.Exec(ctx, tx, `
		-- name: tenancy.Export
		SELECT export_tenant(@tenant, @table)`, pgx.NamedArgs{"tenant": id, "table": name}); err != nil {
		return 0, err
	}
	var total int64
	var row *rowWriter
	write := func(columns []pgconn.FieldDescription, values [][]byte) error {
		if row == nil {
			row = newRowWriter(columns)
		}
		return out.row(name, row.object(values))
	}
	for {
		// Not prepared: what the cursor returns is another table's each time.
		n, err := db.Each(ctx, tx, `
			-- name: tenancy.ExportRows
			FETCH 20000 FROM tenant_export`, write, pgx.QueryExecModeExec)
		if err != nil {
			return total, err
		}
		if total += n; n < fetchRows {
			break
		}
	}
	_, err := db.Exec(ctx, tx, `
		-- name: tenancy.ExportRows
		CLOSE tenant_export`)
	return total, err
}

// lines writes the lines of an export and their checksum.
type lines struct {
	w    *bufio.Writer
	hash hash.Hash
}

func newLines(w io.Writer) *lines {
	l := &lines{hash: sha256.New()}
	l.w = bufio.NewWriterSize(io.MultiWriter(l.hash, w), 64<<10)
	return l
}

func (l *lines) row(table string, row []byte) error {
	_, _ = l.w.WriteString(`{"table":"`) // a bufio.Writer keeps its first error
	_, _ = l.w.WriteString(table)
	_, _ = l.w.WriteString(`","row":`)
	_, _ = l.w.Write(row)
	_, err := l.w.WriteString("}\n")
	return err
}

func (l *lines) value(name string, v any) error {
	text, err := json.Marshal(map[string]any{name: v})
	if err != nil {
		return errs.From(err)
	}
	_, err = l.w.Write(append(text, '\n'))
	return err
}

// sum returns the checksum of all lines up to here.
func (l *lines) sum() (string, error) {
	err := l.w.Flush()
	return hex.EncodeToString(l.hash.Sum(nil)), err
}

func (l *lines) flush() error { return l.w.Flush() }
