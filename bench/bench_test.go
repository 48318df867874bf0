package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAppendString(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `quotes " and \ `, "line\nbreak\r\tand \x01\x1f", "naïve 漢字 <b>&"} {
		var got string
		require.NoError(t, json.Unmarshal(appendString(nil, s), &got), s)
		require.Equal(t, s, got)
	}
}

func TestFrame(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300)
	both := append([]byte{0x81, 2, 'h', 'i'}, append([]byte{0x81, 126, 1, 44}, long...)...)

	payload, size := frame(both)
	require.Equal(t, "hi", string(payload))
	payload, rest := frame(both[size:])
	require.Equal(t, long, string(payload))
	require.Equal(t, len(both), size+rest)
	for n := range 4 {
		_, size := frame(both[:n])
		require.Zero(t, size, "%d bytes are no frame", n)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 5\r\n\r\nhello"
	body, end, err := head([]byte(answer))
	require.NoError(t, err)
	require.Equal(t, "hello", answer[body:end])

	_, end, err = head([]byte(answer[:20]))
	require.NoError(t, err)
	require.Zero(t, end)

	_, _, err = head([]byte("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"))
	require.Error(t, err)
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	list := make([]time.Duration, 100)
	for i := range list {
		list[i] = time.Duration(i + 1)
	}
	require.Equal(t, time.Duration(50), quantile(list, .5))
	require.Equal(t, time.Duration(99), quantile(list, .99))
	require.Equal(t, time.Duration(100), quantile(list, 1))
	require.Zero(t, quantile(nil, .5))
	require.InDelta(t, 2.5, median([]float64{4, 1, 2, 3}), 0)
}

// A proxy that does not see a statement would let the bare handler run another one.
func TestProxyLook(t *testing.T) {
	t.Parallel()
	p := &proxy{trips: map[string]int{}, texts: map[string]string{}}
	s := &session{proxy: p, names: map[string]string{}}
	const text = "\n\t\t-- name: document.Get\n\t\tSELECT 1"
	s.look('P', []byte("s1\x00"+text+"\x00\x00\x00"))
	s.look('S', nil)
	s.look('B', []byte("\x00s1\x00\x00\x00"))
	s.look('E', []byte("\x00\x00\x00\x00\x00"))
	s.look('S', nil)

	require.Equal(t, map[string]int{"": 1, "document.Get": 1}, p.counts())
	got, err := p.text("document.Get")
	require.NoError(t, err)
	require.Equal(t, text, got)
	_, err = p.text("document.List")
	require.Error(t, err)
}
