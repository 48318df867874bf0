package worker

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// secret is what must not leave a run whose payload came encrypted: the texts of the payload, wherever a handler or a
// library put them into an error or a result. Numbers and texts of under four characters are left: they say too little, and
// stand everywhere. A nil secret conceals nothing.
type secret struct{ replacer *strings.Replacer }

const concealed = "[encrypted]"

func newSecret(payload json.RawMessage) *secret {
	var v any
	if err := json.Unmarshal(payload, &v); err != nil {
		return &secret{strings.NewReplacer(string(payload), concealed)}
	}
	var texts []string
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case string:
			if len(v) >= 4 {
				quoted := strconv.Quote(v) // as %q writes it
				texts = append(texts, v, quoted[1:len(quoted)-1])
			}
		case []any:
			for _, e := range v {
				collect(e)
			}
		case map[string]any:
			for _, e := range v {
				collect(e)
			}
		}
	}
	collect(v)
	slices.SortFunc(texts, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // one may be within another
	pairs := make([]string, 0, 2*len(texts))
	for _, t := range texts {
		pairs = append(pairs, t, concealed)
	}
	return &secret{strings.NewReplacer(pairs...)}
}

// text returns a text without them.
func (s *secret) text(text string) string {
	if s == nil {
		return text
	}
	return s.replacer.Replace(text)
}

// shown returns an error and its cause as the log and last_error may have them.
func (s *secret) shown(err error) (message, why error) {
	message, why = err, cause(err)
	if s == nil {
		return message, why
	}
	if why != nil {
		why = errors.New(s.text(why.Error()))
	}
	return errors.New(s.text(err.Error())), why
}

// result returns a result without them.
func (s *secret) result(result json.RawMessage) json.RawMessage {
	if s == nil || result == nil {
		return result
	}
	d := json.NewDecoder(bytes.NewReader(result))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil
	}
	out, err := json.Marshal(s.value(v))
	if err != nil {
		return nil
	}
	return out
}

func (s *secret) value(v any) any {
	switch v := v.(type) {
	case string:
		return s.text(v)
	case []any:
		for i := range v {
			v[i] = s.value(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[s.text(name)] = s.value(e)
		}
		return out
	}
	return v
}
