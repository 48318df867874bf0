package transport

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting bounds objects and lists within variables; deeper JSON is refused.
const maxNesting = 128

// scanner reads one JSON text. It is strict (RFC 8259, nothing after the value) and keeps numbers as they were written. Of
// equal keys the last wins. Strings without escapes share memory with the text.
//
// What our storage cannot hold (NUL, broken UTF-8, halves of surrogate pairs) stays as it is, so that the scalar that reads a
// variable can refuse it and name the field; clean is for strings that no scalar will see.
type scanner struct {
	text  string
	pos   int
	depth int
}

func newScanner(text string) *scanner { return &scanner{text: text} }

func (s *scanner) fail(what string) error {
	return fmt.Errorf("%s at byte %d", what, s.pos)
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// end checks that nothing but white space follows.
func (s *scanner) end() error {
	s.peek()
	if s.pos < len(s.text) {
		return s.fail("unexpected text after the JSON value")
	}
	return nil
}

// object calls member for each key; member must consume the value.
func (s *scanner) object(member func(key string) error) error {
	if s.peek() != '{' {
		return s.fail("expected an object")
	}
	if s.depth++; s.depth > maxNesting {
		return s.fail("JSON is nested too deeply")
	}
	s.pos++
	if s.peek() == '}' {
		s.pos++
		s.depth--
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fail("expected a key")
		}
		key, err := s.str()
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.fail("expected a colon")
		}
		s.pos++
		if err := member(key); err != nil {
			return err
		}
		more, err := s.more('}')
		if err != nil || !more {
			return err
		}
	}
}

// more consumes the comma between two elements, or the closing byte.
func (s *scanner) more(closing byte) (bool, error) {
	switch s.peek() {
	case ',':
		s.pos++
		return true, nil
	case closing:
		s.pos++
		s.depth--
		return false, nil
	}
	return false, s.fail("expected a comma or the end of a list or object")
}

func (s *scanner) list(element func() error) error {
	if s.depth++; s.depth > maxNesting {
		return s.fail("JSON is nested too deeply")
	}
	s.pos++ // [
	if s.peek() == ']' {
		s.pos++
		s.depth--
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		more, err := s.more(']')
		if err != nil || !more {
			return err
		}
	}
}

// value reads any value into map[string]any, []any, string, json.Number, bool or nil.
func (s *scanner) value() (any, error) {
	switch c := s.peek(); c {
	case '{':
		return s.mapping()
	case '[':
		out := []any{}
		err := s.list(func() error {
			v, err := s.value()
			out = append(out, v)
			return err
		})
		return out, err
	case '"':
		return s.str()
	case 't':
		return true, s.word("true")
	case 'f':
		return false, s.word("false")
	case 'n':
		return nil, s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) mapping() (map[string]any, error) {
	out := map[string]any{}
	err := s.object(func(key string) error {
		v, err := s.value()
		out[key] = v
		return err
	})
	return out, err
}

// raw checks one value and returns its text.
func (s *scanner) raw() (string, error) {
	s.peek()
	from := s.pos
	if err := s.skip(); err != nil {
		return "", err
	}
	return s.text[from:s.pos], nil
}

func (s *scanner) skip() error {
	switch s.peek() {
	case '{':
		return s.object(func(string) error { return s.skip() })
	case '[':
		return s.list(s.skip)
	default:
		_, err := s.value()
		return err
	}
}

func (s *scanner) word(w string) error {
	if !strings.HasPrefix(s.text[s.pos:], w) {
		return s.fail("unknown JSON value")
	}
	s.pos += len(w)
	return nil
}

// null consumes a null and says whether there was one.
func (s *scanner) null() bool {
	if s.peek() != 'n' {
		return false
	}
	return s.word("null") == nil
}

func (s *scanner) number() (json.Number, error) {
	from := s.pos
	if s.at('-') {
		s.pos++
	}
	switch {
	case s.at('0'):
		s.pos++
	case !s.digits():
		return "", s.fail("unknown JSON value")
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return "", s.fail("expected a digit")
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			return "", s.fail("expected a digit")
		}
	}
	return json.Number(s.text[from:s.pos]), nil
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.text) && s.text[s.pos] == c }

func (s *scanner) digits() bool {
	from := s.pos
	for s.pos < len(s.text) && s.text[s.pos] >= '0' && s.text[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > from
}

// str reads a string; the scanner stands on its opening quote.
func (s *scanner) str() (string, error) {
	s.pos++
	from := s.pos
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			out := s.text[from:s.pos]
			s.pos++
			return out, nil
		case c == '\\':
			return s.escaped(from)
		case c < ' ':
			return "", s.fail("control character in a string")
		default:
			s.pos++
		}
	}
	return "", s.fail("unterminated string")
}

// clean is str for a string that must be UTF-8 without NUL.
func (s *scanner) clean() (string, error) {
	out, err := s.str()
	switch {
	case err != nil:
		return "", err
	case strings.IndexByte(out, 0) >= 0:
		return "", s.fail("NUL character in a string")
	case !utf8.ValidString(out):
		return "", s.fail("a string is not valid UTF-8")
	}
	return out, nil
}

// escaped goes on with a string after its first backslash.
func (s *scanner) escaped(from int) (string, error) {
	// The length of the result is at most that of the source; the closing quote bounds it well enough.
	end := s.pos
	for end < len(s.text) && s.text[end] != '"' {
		if s.text[end] == '\\' {
			end++
		}
		end++
	}
	out := make([]byte, 0, min(end, len(s.text))-from)
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			out = append(out, s.text[from:s.pos]...)
			s.pos++
			return string(out), nil
		case c == '\\':
			out = append(out, s.text[from:s.pos]...)
			s.pos++
			var err error
			if out, err = s.escape(out); err != nil {
				return "", err
			}
			from = s.pos
		case c < ' ':
			return "", s.fail("control character in a string")
		default:
			s.pos++
		}
	}
	return "", s.fail("unterminated string")
}

// escape reads what follows a backslash.
func (s *scanner) escape(out []byte) ([]byte, error) {
	if s.pos >= len(s.text) {
		return nil, s.fail("unterminated string")
	}
	c := s.text[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		return s.unicode(out)
	}
	return nil, s.fail("unknown escape in a string")
}

func (s *scanner) unicode(out []byte) ([]byte, error) {
	r, ok := s.hex()
	if !ok {
		return nil, s.fail("unknown escape in a string")
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(out, r), nil
	}
	if strings.HasPrefix(s.text[s.pos:], `\u`) {
		after := s.pos
		s.pos += 2
		low, ok := s.hex()
		if !ok {
			return nil, s.fail("unknown escape in a string")
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return utf8.AppendRune(out, pair), nil
		}
		s.pos = after
	}
	// Half of a pair is kept in the form of its three bytes, which is no UTF-8.
	return append(out, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f), nil //nolint:gosec // the six bits each
}

// hex reads four hexadecimal digits.
func (s *scanner) hex() (rune, bool) {
	if s.pos+4 > len(s.text) {
		return -1, false
	}
	var r rune
	for _, c := range []byte(s.text[s.pos : s.pos+4]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1, false
		}
		r = r<<4 | rune(c)
	}
	s.pos += 4
	return r, true
}
