package transport

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// reference decodes with the standard library.
func reference(text string) (any, bool) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, err == io.EOF
}

func decode(text string) (any, error) {
	s := newScanner(text)
	v, err := s.value()
	if err == nil {
		err = s.end()
	}
	return v, err
}

func seeds() []string {
	return []string{
		`{}`, `[]`, `null`, `true`, `false`, `0`, `-0.5e+10`, `1E5`, `01`, `-`, `1.`, `.5`, `1e`, `+1`, `""`, `"a\n\u00fc\ud83d\ude00\/\b\f\r\t\\\""`,
		`"\ud800"`, `"\u0000"`, `"\x"`, `"`, "\"\x01\"", `{"a":1,"a":2}`, `{"a":[{"b":null}]}`, ` { "a" : [ 1 , 2 ] } `, `[1,]`, `{"a":}`, `{a:1}`, `tru`, `nul`, `[1 2]`,
		`{"a" 1}`, `{"a":1,}`, `[`, `{`, `{"`, `"\u12`, `"\ud83d\u0041"`, "\xff", `"é"`, oneBook, `{"id":"1","type":"subscribe","payload":{"query":"{a}"}}`,
	}
}

func TestScannerAgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for _, text := range seeds() {
		compare(t, text)
	}
}

// compare checks that both accept the same texts with the same values, but for what we refuse on purpose.
func compare(t *testing.T, text string) {
	t.Helper()
	want, ok := reference(text)
	got, err := decode(text)
	if err == nil {
		require.True(t, ok, "accepted %q", text)
		require.Equal(t, mended(want), mended(got), "%q", text)
		return
	}
	require.True(t, !ok || strings.Contains(err.Error(), "nested"), "refused %q: %s", text, err)
}

// mended replaces what is no UTF-8, as the standard library does on reading; how many signs it puts there does not matter.
func mended(v any) any {
	switch v := v.(type) {
	case string:
		v = strings.ToValidUTF8(v, "\ufffd")
		for strings.Contains(v, "\ufffd\ufffd") {
			v = strings.ReplaceAll(v, "\ufffd\ufffd", "\ufffd")
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = mended(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			name, _ := mended(key).(string)
			out[name] = nil // of keys that become equal either value may win
			if name == key {
				out[name] = mended(v[key])
			}
		}
		return out
	default:
		return v
	}
}

func TestStringsThatNothingCanHold(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`"a\u0000"`, `"\ud800"`, `"\udc00x"`, `"\ud800\ud800"`, `"\ud800\u0041"`, "\"\xff\""} {
		v, err := decode(text)
		require.NoError(t, err, text)
		s, _ := v.(string)
		require.True(t, strings.Contains(s, "\x00") || !utf8.ValidString(s), "%q lost what was wrong with it: %q", text, s)
		for _, request := range []string{`{"query":` + text + `}`, `{"query":"{a}","operationName":` + text + `}`} {
			_, err = parseRequest(request)
			require.Error(t, err, request)
		}
		req, err := parseRequest(`{"query":"{a}","variables":{"v":` + text + `}}`)
		require.NoError(t, err, text)
		require.Equal(t, map[string]any{"v": v}, req.variables)
		_, err = parseMessage(`{"type":"subscribe","id":` + text + `}`)
		require.Error(t, err, text)
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range seeds() {
		f.Add(text)
	}
	f.Fuzz(compare)
}

func FuzzMessage(f *testing.F) {
	for _, text := range seeds() {
		f.Add(text)
	}
	f.Add(`{"type":"connection_init","payload":{"apiKey":"x"}}`)
	f.Add(`{"id":null,"type":"complete","payload":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMessage(text)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) || m.kind == "" || len(m.id) > maxID {
			t.Fatalf("accepted %q", text)
		}
		if m.payload != "" && !json.Valid([]byte(m.payload)) {
			t.Fatalf("payload %q of %q", m.payload, text)
		}
		if built := head(m.id, "next") + "null}"; !json.Valid([]byte(built)) {
			t.Fatalf("id %q gives %q", m.id, built)
		}
		req, err := parseRequest(text)
		if err == nil && (!utf8.ValidString(req.query) || strings.Contains(req.query, "\x00")) {
			t.Fatalf("query %q", req.query)
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newCache(3, 1000)
	add := func(name string, size int) { c.add(name, &document{size: size}) }
	add("a", 100)
	add("b", 100)
	add("c", 100)
	require.NotNil(t, c.get("a"))
	add("d", 100) // evicts b: a was used
	require.NotNil(t, c.get("a"))
	require.Nil(t, c.get("b"))
	add("large", 900)
	require.NotNil(t, c.get("large"))
	require.LessOrEqual(t, c.size, 1000)
	add("too large", 1001)
	require.Nil(t, c.get("too large"))
	for i := range 1000 {
		add(string(rune('A'+i)), i%300)
		require.LessOrEqual(t, c.size, 1000)
		require.LessOrEqual(t, len(c.byID), 3)
	}
}

func TestSmallOrLargeFrames(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	p := w.modern(t)
	for _, n := range []int{0, 1, 100, 124, 125, 126, 127, 128, 1000, 32 << 10} {
		text := strings.Repeat("x", n)
		p.send(`{"id":"1","type":"subscribe","payload":{"query":"query ($t: String!) { echo(text: $t) }","variables":{"t":"` + text + `"}}}`)
		p.expect(`{"id":"1","type":"next","payload":{"data":{"echo":"` + text + `"}}}`)
		p.expect(`{"id":"1","type":"complete"}`)
	}
	p.send(`{"id":"1","type":"subscribe","payload":{"query":"{ books(first: 1000) { id title pages tags } }"}}`) // 64 KiB and more
	require.Greater(t, len(p.receive()), 1<<16)
	p.expect(`{"id":"1","type":"complete"}`)
}
