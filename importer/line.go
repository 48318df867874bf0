package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"stackforge/errs"
)

// line is one line of the input.
type line struct {
	number int64 // from 1
	text   []byte
	long   bool // over MaxLineBytes; text is its start
	last   bool // nothing follows, not even a line end
}

// fault is one thing that is wrong with a line.
type fault struct {
	Field   string    `json:"field"`
	Message string    `json:"message"`
	Code    errs.Code `json:"code"`
}

func invalid(field, message string) []fault {
	return []fault{{Field: field, Message: message, Code: errs.Validation}}
}

// isField reports whether a document has the field.
func isField(name string) bool {
	switch name {
	case "id", "externalId", "authorId", "title", "body", "path", "metadata", "tagIds", "longitude", "latitude", "language":
		return true
	}
	return false
}

// check finds what SQL could not take as JSON at all, and the fields that no document has; whether the values fit is for
// SQL to say. key is the line's externalId, else its id, else "".
func (l line) check() (key string, faults []fault) {
	if l.long {
		return "", []fault{{Message: fmt.Sprintf("A line has at most %d MiB.", MaxLineBytes>>20), Code: errs.TooLarge}}
	}
	if !utf8.Valid(l.text) {
		return "", invalid("", fmt.Sprintf("The line is not UTF-8 at byte %d.", badByte(l.text)+1))
	}
	if i := bytes.IndexByte(l.text, 0); i >= 0 {
		return "", invalid("", fmt.Sprintf("The line has a NUL character at byte %d.", i+1))
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(l.text, &fields); err != nil || fields == nil {
		return "", invalid("", l.syntax(err))
	}
	for name, value := range fields {
		switch {
		case !isField(name):
			faults = append(faults, fault{strconv.Quote(name), "A document has no such field.", errs.Validation})
		case bytes.Contains(value, []byte(`\u`)):
			if message := badEscape(value); message != "" {
				faults = append(faults, fault{name, message, errs.Validation})
			}
		}
	}
	if json.Unmarshal(fields["externalId"], &key) != nil || key == "" {
		_ = json.Unmarshal(fields["id"], &key) // another type is for SQL to refuse
	}
	return key, faults
}

// syntax says why a line is not a JSON object.
func (l line) syntax(err error) string {
	var s *json.SyntaxError
	switch {
	case errors.As(err, &s) && l.last && s.Offset >= int64(len(l.text)):
		return cutLine
	case errors.As(err, &s):
		return fmt.Sprintf("The line is not JSON: %s, at byte %d.", s.Error(), s.Offset)
	default:
		return "The line is not a JSON object."
	}
}

func badByte(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return len(b)
}

// badEscape looks for what JSON allows and PostgreSQL cannot store: NUL and halves of surrogate pairs.
func badEscape(value []byte) string {
	for i := 0; i+1 < len(value); i++ {
		if value[i] != '\\' {
			continue
		}
		i++
		if value[i] != 'u' {
			continue
		}
		r := escape(value[i+1:])
		i += 4
		switch {
		case r == 0:
			return "The text has a NUL character, which cannot be stored."
		case !utf16.IsSurrogate(r):
		case bytes.HasPrefix(value[i+1:], []byte(`\u`)) && utf16.DecodeRune(r, escape(value[i+3:])) != utf8.RuneError:
			i += 6
		default:
			return "The text has half of a surrogate pair, which is no character."
		}
	}
	return ""
}

// escape reads the four digits of an escape in valid JSON.
func escape(digits []byte) rune {
	n, err := strconv.ParseUint(string(digits[:min(4, len(digits))]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}
