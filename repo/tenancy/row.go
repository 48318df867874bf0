package tenancy

import (
	"bytes"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rowWriter makes JSON objects of rows as PostgreSQL sends them, as text. To let the server do it (row_to_json) takes four times as much
// of its time. What it does not know here is JSON already: export_tenant sees to that.
type rowWriter struct {
	keys  [][]byte // of the columns, with what stands between it and the one before
	kinds []kind
	buf   []byte
}

// kind is how a value becomes JSON.
type kind int

const (
	raw    kind = iota // it is JSON
	truth              // t or f
	quoted             // it has nothing to escape
	moment
	words
)

// newRowWriter returns one for the rows of a result.
func newRowWriter(columns []pgconn.FieldDescription) *rowWriter {
	w := &rowWriter{keys: make([][]byte, len(columns)), kinds: make([]kind, len(columns))}
	for i, c := range columns {
		separator := ","
		if i == 0 {
			separator = "{"
		}
		w.keys[i] = append(appendEscaped([]byte(separator), []byte(c.Name)), ':')
		switch c.DataTypeOID {
		case pgtype.BoolOID:
			w.kinds[i] = truth
		case pgtype.UUIDOID:
			w.kinds[i] = quoted
		case pgtype.TimestamptzOID:
			w.kinds[i] = moment
		case pgtype.TextOID:
			w.kinds[i] = words
		}
	}
	return w
}

// object returns a row; it is overwritten by the next one.
func (w *rowWriter) object(values [][]byte) []byte {
	b := w.buf[:0]
	for i, v := range values {
		b = append(b, w.keys[i]...)
		switch {
		case v == nil:
			b = append(b, "null"...)
		case w.kinds[i] == raw:
			b = append(b, v...)
		case w.kinds[i] == truth && v[0] == 't':
			b = append(b, "true"...)
		case w.kinds[i] == truth:
			b = append(b, "false"...)
		case w.kinds[i] == quoted:
			b = append(append(append(b, '"'), v...), '"')
		case w.kinds[i] == moment:
			b = appendMoment(b, v)
		default:
			b = appendEscaped(b, v)
		}
	}
	w.buf = append(b, '}')
	return w.buf
}

// appendMoment writes 2026-11-21 10:00:00.5+00 as 2026-11-21T10:00:00.5+00:00. What is no such time, as infinity is, stays as it is:
// PostgreSQL reads it again.
func appendMoment(b, v []byte) []byte {
	b = append(b, '"')
	start := len(b)
	b = append(b, v...)
	if i := bytes.IndexByte(v, ' '); i >= 10 {
		b[start+i] = 'T'
		if n := len(v); v[n-3] == '+' || v[n-3] == '-' {
			b = append(b, ":00"...)
		}
	}
	return append(b, '"')
}

// appendEscaped writes a text as a JSON string. It is UTF-8, as the database's.
func appendEscaped(b, v []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i, c := range v {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, v[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, v[from:]...), '"')
}
