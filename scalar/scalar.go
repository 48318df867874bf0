// Package scalar reads and writes the GraphQL scalars of the schema. Text with a NUL or broken UTF-8 is refused here, with
// the field's name, because PostgreSQL could not store it.
package scalar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
)

var (
	errText  = errors.New("text must be UTF-8 without NUL")
	errMap   = errors.New("must be an object whose values are strings")
	errJSON  = errors.New("texts must be UTF-8 without NUL, and numbers between -1e1000 and 1e1000 in at most 1,000 characters")
	errInt   = errors.New("must be a whole number of 32 bits")
	errFloat = errors.New("must be a number of 64 bits")
)

func text(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("must be a string")
	}
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return "", errText
	}
	return s, nil
}

// MarshalString writes a text.
func MarshalString(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalString reads a text.
func UnmarshalString(v any) (string, error) { return text(v) }

// MarshalID writes an id that is text already.
func MarshalID(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalID reads an id; whole numbers are taken as their digits, as the specification asks.
func UnmarshalID(v any) (string, error) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case int:
		return strconv.Itoa(v), nil
	default:
		return text(v)
	}
}

// MarshalUUID writes an id that is a uuid.
func MarshalUUID(id uuid.UUID) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		var b [38]byte
		b[0], b[37] = '"', '"'
		encodeUUID(b[1:37], id)
		_, _ = w.Write(b[:])
	})
}

func encodeUUID(dst []byte, id uuid.UUID) {
	text, _ := id.MarshalText() // never fails
	copy(dst, text)
}

// UnmarshalUUID reads a uuid.
func UnmarshalUUID(v any) (uuid.UUID, error) {
	s, err := text(v)
	if err != nil {
		return uuid.Nil, err
	}
	return ParseUUID(s)
}

// ParseUUID reads the usual form of a uuid and no other.
func ParseUUID(s string) (uuid.UUID, error) {
	if len(s) != 36 {
		return uuid.Nil, errors.New("is not a uuid")
	}
	id, err := uuid.Parse(s)
	if err != nil {
		return uuid.Nil, errors.New("is not a uuid")
	}
	return id, nil
}

// MarshalID64 writes an id that is a number of 64 bits.
func MarshalID64(id int64) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		b := append(make([]byte, 0, 24), '"')
		b = append(strconv.AppendInt(b, id, 10), '"')
		_, _ = w.Write(b)
	})
}

// UnmarshalID64 reads an id that is a number of 64 bits.
func UnmarshalID64(v any) (int64, error) {
	s, err := UnmarshalID(v)
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errors.New("is not a number")
	}
	return id, nil
}

// layout has milliseconds always, so that times have one length.
const layout = `"2006-01-02T15:04:05.000Z"`

// MarshalTime writes a moment in UTC with milliseconds.
func MarshalTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = w.Write(t.UTC().AppendFormat(make([]byte, 0, len(layout)), layout))
	})
}

// UnmarshalTime reads a moment in RFC 3339.
func UnmarshalTime(v any) (time.Time, error) {
	s, err := text(v)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if year := t.UTC().Year(); err != nil || year < 1 || year > 9999 {
		return time.Time{}, errors.New("is not a time such as 2026-01-31T09:30:00Z")
	}
	return t, nil
}

// MarshalJSON writes a JSON value as it is.
func MarshalJSON(v json.RawMessage) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		if len(v) == 0 {
			_, _ = io.WriteString(w, "null")
			return
		}
		_, _ = w.Write(v)
	})
}

// UnmarshalJSON reads any JSON value. Its texts, keys included, must be UTF-8 without NUL, and its numbers such as
// PostgreSQL's numeric can hold.
func UnmarshalJSON(v any) (json.RawMessage, error) {
	if !storable(v) {
		return nil, errJSON
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, errors.New("is not JSON")
	}
	return b, nil
}

// storable reports whether every text and number within a value can be kept.
func storable(v any) bool {
	switch v := v.(type) {
	case json.Number:
		if len(v) > 1000 {
			return false
		}
		if i := strings.IndexAny(v.String(), "eE"); i >= 0 {
			exponent, err := strconv.Atoi(v.String()[i+1:])
			return err == nil && exponent >= -1000 && exponent <= 1000
		}
	case string:
		_, err := text(v)
		return err == nil
	case []any:
		for _, e := range v {
			if !storable(e) {
				return false
			}
		}
	case map[string]any:
		for key, e := range v {
			if !storable(key) || !storable(e) {
				return false
			}
		}
	}
	return true
}

// MarshalMap writes a flat JSON object as it is.
func MarshalMap(m json.RawMessage) graphql.Marshaler { return MarshalJSON(m) }

// UnmarshalMap reads an object whose values are strings.
func UnmarshalMap(v any) (json.RawMessage, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errMap
	}
	for key, value := range object {
		if _, ok := value.(string); !ok {
			return nil, errMap
		}
		if !storable(key) || !storable(value) {
			return nil, errText
		}
	}
	return UnmarshalJSON(object)
}

// MarshalInt writes a whole number.
func MarshalInt(n int) graphql.Marshaler { return graphql.MarshalInt(n) }

// UnmarshalInt reads a whole number of 32 bits; text that looks like one is refused, as the specification asks.
func UnmarshalInt(v any) (int, error) {
	n, err := wholeNumber(v)
	if err != nil || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, errInt
	}
	return int(n), nil
}

// MarshalInt32 writes a whole number.
func MarshalInt32(n int32) graphql.Marshaler { return graphql.MarshalInt32(n) }

// UnmarshalInt32 is UnmarshalInt.
func UnmarshalInt32(v any) (int32, error) {
	n, err := UnmarshalInt(v)
	return int32(n), err //nolint:gosec // its range was checked
}

// MarshalFloat writes a number; infinity and what is no number are errors.
func MarshalFloat(f float64) graphql.ContextMarshaler { return graphql.MarshalFloatContext(f) }

// UnmarshalFloat reads a number of 64 bits; text that looks like one is refused, as the specification asks.
func UnmarshalFloat(_ context.Context, v any) (float64, error) {
	if _, isText := v.(string); isText || v == nil {
		return 0, errFloat
	}
	f, err := graphql.UnmarshalFloat(v)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, errFloat
	}
	return f, nil
}

// MarshalInt64 writes a whole number.
func MarshalInt64(n int64) graphql.Marshaler { return graphql.MarshalInt64(n) }

// UnmarshalInt64 reads a whole number.
func UnmarshalInt64(v any) (int64, error) { return wholeNumber(v) }

func wholeNumber(v any) (int64, error) {
	switch v := v.(type) {
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil {
			return 0, errors.New("must be a whole number")
		}
		return n, nil
	default:
		return 0, errors.New("must be a whole number")
	}
}
