package rest

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// moment is a time, in UTC with milliseconds.
type moment struct{ time.Time }

// momentForm is RFC 3339 with milliseconds.
const momentForm = `"2006-01-02T15:04:05.000Z"`

// notMoment is said of what is none.
const notMoment = "This is not a moment such as 2026-01-31T09:30:00.000Z."

// MarshalJSON writes the time.
func (m moment) MarshalJSON() ([]byte, error) {
	return m.UTC().AppendFormat(make([]byte, 0, len(momentForm)), momentForm), nil
}

// Schema describes it.
func (moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Examples: []any{"2026-01-31T09:30:00.000Z"}}
}

// maybe is a time that may be missing: null.
type maybe struct{ *time.Time }

// MarshalJSON writes the time or null.
func (m maybe) MarshalJSON() ([]byte, error) {
	if m.Time == nil {
		return []byte("null"), nil
	}
	return moment{*m.Time}.MarshalJSON()
}

// UnmarshalJSON reads a time or null.
func (m *maybe) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &m.Time) }

// Schema describes it.
func (maybe) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true, Examples: []any{"2026-01-31T09:30:00.000Z"}}
}

// tag is a whole number whose limits the database judges, so it is kept as it was written.
type tag struct{ json.RawMessage }

// UnmarshalJSON keeps the number.
func (t *tag) UnmarshalJSON(text []byte) error { return t.RawMessage.UnmarshalJSON(text) }

// Schema describes it.
func (tag) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Format: "int32"}
}

// object is a JSON object whose content nobody here looks into; null when it is missing.
type object struct{ json.RawMessage }

// UnmarshalJSON keeps the object.
func (o *object) UnmarshalJSON(text []byte) error { return o.RawMessage.UnmarshalJSON(text) }

// MarshalJSON writes it.
func (o object) MarshalJSON() ([]byte, error) {
	if o.RawMessage == nil {
		return []byte("null"), nil
	}
	return o.RawMessage, nil
}

// Schema describes it.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}
