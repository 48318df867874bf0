package workflows_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
)

// values are the names that a script knows.
type values map[string]string

// name stands for a value: ${id}, or ${count+1} for a number that is so much more.
var name = regexp.MustCompile(`"?\$\{(\w+)(\+\d+)?\}"?`)

// fill replaces the names that are known.
func (v values) fill(text string) (string, error) {
	var failed error
	out := name.ReplaceAllStringFunc(text, func(found string) string {
		m := name.FindStringSubmatch(found)
		value, ok := v[m[1]]
		if !ok {
			failed = fmt.Errorf("nothing is known as %s", found)
		}
		if m[2] != "" {
			n, err := strconv.ParseInt(value, 10, 64)
			more, _ := strconv.ParseInt(m[2][1:], 10, 64) // digits, by the expression
			if err != nil {
				failed = fmt.Errorf("%s is no number: %q", found, value)
			}
			value = strconv.FormatInt(n+more, 10)
		}
		before, after := "", ""
		if strings.HasPrefix(found, `"`) {
			before = `"`
		}
		if strings.HasSuffix(found, `"`) {
			after = `"`
		}
		return before + value + after
	})
	return out, failed
}

// pattern reads a pattern. Names that are known are replaced; the others become strings, and stand for what will be found.
func (v values) pattern(text string) (any, error) {
	text = name.ReplaceAllStringFunc(text, func(found string) string {
		m := name.FindStringSubmatch(found)
		if _, known := v[m[1]]; known {
			out, err := v.fill(found)
			if err == nil {
				return out
			}
		}
		return `"${` + m[1] + `}"`
	})
	return decode(text)
}

func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var out any
	err := d.Decode(&out)
	if err == nil && d.More() {
		err = fmt.Errorf("there is more than one value")
	}
	return out, err
}

// matches compares a value with a pattern, and then knows the names that were new. Objects may have more fields than the
// pattern; lists must be as long, unless "..." stands for any number of elements.
func (v values) matches(pattern, value any) error {
	found := maps.Clone(v)
	if err := found.match("", pattern, value); err != nil {
		return err
	}
	maps.Copy(v, found)
	return nil
}

func (v values) match(at string, pattern, value any) error {
	switch p := pattern.(type) {
	case string:
		return v.matchText(at, p, value)
	case map[string]any:
		object, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is no object: %s", at, show(value))
		}
		for key, want := range p {
			have, ok := object[key]
			if !ok {
				return fmt.Errorf("%s.%s is missing", at, key)
			}
			if err := v.match(at+"."+key, want, have); err != nil {
				return err
			}
		}
		return nil
	case []any:
		list, ok := value.([]any)
		if !ok {
			return fmt.Errorf("%s is no list: %s", at, show(value))
		}
		return v.matchList(at, p, list)
	case json.Number:
		if n, ok := value.(json.Number); ok && number(n) == number(p) {
			return nil
		}
	default:
		if value == pattern { // true, false, null
			return nil
		}
	}
	return fmt.Errorf("%s is %s, not %s", at, show(value), show(pattern))
}

func number(n json.Number) float64 {
	f, _ := n.Float64() // the decoder took it for a number
	return f
}

func (v values) matchText(at, pattern string, value any) error {
	if m := name.FindString(pattern); m != "" && m == pattern {
		if value == nil {
			return fmt.Errorf("%s is null", at)
		}
		if key := m[2 : len(m)-1]; key != "any" {
			if known, ok := v[key]; ok && known != plain(value) {
				return fmt.Errorf("%s is %s, not %s", at, show(value), known)
			}
			v[key] = plain(value)
		}
		return nil
	}
	if value != pattern {
		return fmt.Errorf("%s is %s, not %s", at, show(value), show(pattern))
	}
	return nil
}

// matchList tries what "..." may stand for, nothing first.
func (v values) matchList(at string, pattern, list []any) error {
	if len(pattern) == 0 {
		if len(list) > 0 {
			return fmt.Errorf("%s has more: %s", at, show(list))
		}
		return nil
	}
	if pattern[0] == "..." {
		var err error
		for skip := range len(list) + 1 {
			found := maps.Clone(v)
			if err = found.matchList(at, pattern[1:], list[skip:]); err == nil {
				maps.Copy(v, found)
				return nil
			}
		}
		return fmt.Errorf("%s has none such: %s", at, show(pattern[1:]))
	}
	if len(list) == 0 {
		return fmt.Errorf("%s ends before %s", at, show(pattern[0]))
	}
	if err := v.match(at+"[]", pattern[0], list[0]); err != nil {
		return err
	}
	return v.matchList(at, pattern[1:], list[1:])
}

// plain is a value as text.
func plain(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	return show(value)
}

// show is a value as JSON, not too long.
func show(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text[:min(len(text), 1000)])
}
