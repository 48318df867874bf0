package rest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// notText is said of text that PostgreSQL could not store; encoding/json would put other characters in its place.
const notText = "Text must be UTF-8 without NUL."

// textError is the way to such a text in a body; see detail.
type textError string

func (e textError) Error() string { return "text that cannot be stored: " + string(e) }

// strictJSON is huma's JSON without texts that cannot be stored.
func strictJSON() huma.Format {
	f := huma.DefaultJSONFormat
	f.Unmarshal = func(body []byte, v any) error {
		if err := json.Unmarshal(body, v); err != nil {
			return err
		}
		if _, first := v.(*any); first && !storableJSON(body) { // a body is read twice: to be judged, and into its type
			return textError(unstorable(body, "", maxNamed))
		}
		return nil
	}
	return f
}

// storable reports whether a text can be stored.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// storableJSON reports whether all texts of valid JSON can be stored.
func storableJSON(text []byte) bool {
	if !utf8.Valid(text) {
		return false
	}
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return true
		}
		text = text[i:]
		r, ok := escaped(text)
		if !ok {
			text = text[2:]
			continue
		}
		text = text[6:]
		if utf16.IsSurrogate(r) {
			second, _ := escaped(text)
			if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
				return false
			}
			text = text[6:]
		}
		if r == 0 {
			return false
		}
	}
}

// escaped reads \uXXXX at the beginning of valid JSON.
func escaped(text []byte) (rune, bool) {
	if !bytes.HasPrefix(text, []byte(`\u`)) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}

// maxNamed is how deep within a body a text is named.
const maxNamed = 4

// unstorable is the way to the first text that cannot be stored, as far as levels go.
func unstorable(value json.RawMessage, at string, levels int) string {
	var object map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case levels == 0:
	case json.Unmarshal(value, &object) == nil:
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if !storableJSON(object[name]) {
				return unstorable(object[name], strings.TrimPrefix(at+"."+name, "."), levels-1)
			}
		}
	case json.Unmarshal(value, &list) == nil:
		for i, item := range list {
			if !storableJSON(item) {
				return unstorable(item, at+"["+strconv.Itoa(i)+"]", levels-1)
			}
		}
	}
	if at == "" {
		return "body"
	}
	return at
}
