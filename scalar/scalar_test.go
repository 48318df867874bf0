package scalar_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/scalar"
)

func TestText(t *testing.T) {
	t.Parallel()

	for _, s := range []string{"", "x", "ü🦀", "\u0001", "\ufffd", strings.Repeat("x", 1<<16)} {
		got, err := scalar.UnmarshalString(s)
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
	for _, v := range []any{"a\x00", "\xff", "\xed\xa0\x80", 5, int64(5), json.Number("5"), true, nil, []any{"x"}, map[string]any{}} {
		_, err := scalar.UnmarshalString(v)
		require.Error(t, err, "%v", v)
	}
	for v, want := range map[any]string{"x": "x", json.Number("12"): "12", int64(-3): "-3", 7: "7"} {
		got, err := scalar.UnmarshalID(v)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, v := range []any{"a\x00", "\xff", true, nil, 1.5} {
		_, err := scalar.UnmarshalID(v)
		require.Error(t, err, "%v", v)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()

	for v, want := range map[any]int{json.Number("-5"): -5, int64(math.MaxInt32): math.MaxInt32, json.Number("-2147483648"): math.MinInt32, 0: 0, json.Number("-0"): 0} {
		got, err := scalar.UnmarshalInt(v)
		require.NoError(t, err, "%v", v)
		require.Equal(t, want, got)
		small, err := scalar.UnmarshalInt32(v)
		require.NoError(t, err)
		require.Equal(t, int32(want), small)
	}
	for _, v := range []any{"5", json.Number("1.5"), json.Number("1e3"), json.Number("2147483648"), int64(math.MinInt32 - 1), json.Number("1e400"), 1.0, true, nil} {
		_, err := scalar.UnmarshalInt(v)
		require.Error(t, err, "%v", v)
		_, err = scalar.UnmarshalInt32(v)
		require.Error(t, err, "%v", v)
	}
	for v, want := range map[any]float64{json.Number("-5"): -5, json.Number("1e-7"): 1e-7, int64(3): 3, 1.5: 1.5, json.Number("1e308"): 1e308} {
		got, err := scalar.UnmarshalFloat(t.Context(), v)
		require.NoError(t, err, "%v", v)
		require.InDelta(t, want, got, 0)
	}
	for _, v := range []any{"5", "NaN", json.Number("1e400"), json.Number("-1e400"), math.Inf(1), math.NaN(), true, nil, []any{}} {
		_, err := scalar.UnmarshalFloat(t.Context(), v)
		require.Error(t, err, "%v", v)
	}
	require.Error(t, scalar.MarshalFloat(math.Inf(1)).MarshalGQLContext(t.Context(), &bytes.Buffer{}))
	n, err := scalar.UnmarshalInt64(json.Number("9223372036854775807"))
	require.NoError(t, err)
	require.Equal(t, int64(math.MaxInt64), n)
	_, err = scalar.UnmarshalInt64(json.Number("9223372036854775808"))
	require.Error(t, err)
	k, err := scalar.UnmarshalID64("42")
	require.NoError(t, err)
	require.Equal(t, int64(42), k)
	_, err = scalar.UnmarshalID64("4 2")
	require.Error(t, err)
}

func written(t *testing.T, at time.Time) string {
	t.Helper()

	var b bytes.Buffer
	scalar.MarshalTime(at).MarshalGQL(&b)
	return b.String()
}

func TestTime(t *testing.T) {
	t.Parallel()

	zone := time.FixedZone("", -5*3600)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC), `"2026-01-31T09:30:00.000Z"`},
		{time.Date(2026, 1, 31, 22, 30, 0, 999_999_999, zone), `"2026-02-01T03:30:00.999Z"`},
		{time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), `"0001-01-01T00:00:00.000Z"`},
	} {
		require.Equal(t, c.want, written(t, c.at))
	}
	for text, want := range map[string]string{
		"2026-01-31T09:30:00Z": `"2026-01-31T09:30:00.000Z"`, "2026-01-31T09:30:00.5+02:00": `"2026-01-31T07:30:00.500Z"`, "9999-12-31T23:59:59Z": `"9999-12-31T23:59:59.000Z"`,
	} {
		got, err := scalar.UnmarshalTime(text)
		require.NoError(t, err, text)
		require.Equal(t, want, written(t, got))
	}
	for _, v := range []any{
		"", "now", "infinity", "2026-01-31", "2026-01-31 09:30:00Z", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00",
		"0001-01-01T00:00:00+01:00", "2026-01-31T09:30:00Z\x00", 5, nil,
	} {
		_, err := scalar.UnmarshalTime(v)
		require.Error(t, err, "%v", v)
	}
}

func TestUUID(t *testing.T) {
	t.Parallel()

	id := uuid.New()
	var b bytes.Buffer
	scalar.MarshalUUID(id).MarshalGQL(&b)
	require.Equal(t, `"`+id.String()+`"`, b.String())
	for _, s := range []string{id.String(), strings.ToUpper(id.String())} {
		got, err := scalar.UnmarshalUUID(s)
		require.NoError(t, err)
		require.Equal(t, id, got)
	}
	for _, s := range []string{"", "x", "{" + id.String() + "}", "urn:uuid:" + id.String(), strings.ReplaceAll(id.String(), "-", ""), id.String() + " ", strings.Repeat("x", 36)} {
		_, err := scalar.UnmarshalUUID(s)
		require.Error(t, err, s)
	}
}

func TestJSONAndMap(t *testing.T) {
	t.Parallel()

	nested := map[string]any{"a": []any{nil, true, json.Number("1.50"), "x\\u0000"}, "": map[string]any{}}
	got, err := scalar.UnmarshalJSON(nested)
	require.NoError(t, err, `a backslash before u0000 is no NUL`)
	require.JSONEq(t, `{"a":[null,true,1.50,"x\\u0000"],"":{}}`, string(got))
	require.Contains(t, string(got), "1.50", "numbers keep their digits")
	for _, v := range []any{
		"a\x00", "\xff",
		[]any{"\x00"},
		map[string]any{"\x00": 1},
		map[string]any{"a": []any{map[string]any{"b": "\xed\xa0\x80"}}},
		json.Number("1e1001"), json.Number("1e-1001"), json.Number("1e99999999999999999999"), json.Number(strings.Repeat("9", 1001)),
	} {
		_, err := scalar.UnmarshalJSON(v)
		require.Error(t, err, "%v", v)
	}
	got, err = scalar.UnmarshalMap(map[string]any{"k": "v", "": ""})
	require.NoError(t, err)
	require.JSONEq(t, `{"k":"v","":""}`, string(got))
	for _, v := range []any{
		nil, "x",
		[]any{},
		map[string]any{"a": 1},
		map[string]any{"a": nil},
		map[string]any{"a": json.Number("1")},
		map[string]any{"a": map[string]any{}},
		map[string]any{"a": "\x00"},
		map[string]any{"\xff": "a"},
	} {
		_, err := scalar.UnmarshalMap(v)
		require.Error(t, err, "%v", v)
	}
	var b bytes.Buffer
	scalar.MarshalJSON(nil).MarshalGQL(&b)
	require.Equal(t, "null", b.String())
}
