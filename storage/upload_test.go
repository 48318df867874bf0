package storage_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/storage"
	"stackforge/storage/storagetest"
)

// paused is a body that tells when so much of it was read, and goes on when it is told to.
type paused struct {
	io.Reader

	left     int
	reached  chan struct{}
	released chan struct{}
}

// Read reads on, and waits once.
func (p *paused) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if p.left > 0 && p.left <= n {
		close(p.reached)
		<-p.released
	}
	p.left -= n
	return n, err
}

// Parts that an upload leaves because its server, or the service, went away are found by the prefix of their keys and their age.
func TestAbortUploads(t *testing.T) {
	t.Parallel()

	server := storagetest.Start(t)
	s := server.Open(t)
	body := &paused{Reader: bytes.NewReader(content(t, 16<<20)), left: 11 << 20, reached: make(chan struct{}), released: make(chan struct{})}
	failed := make(chan error, 1)
	go func() { failed <- s.Write(t.Context(), "a/1/large", storage.Object{ContentType: "text/plain"}, body) }()
	<-body.reached
	server.Kill()
	close(body.released)
	require.True(t, storage.Failed(<-failed))
	server.Run(t)

	abort := func(prefix string, before time.Time) int {
		n, err := s.AbortUploads(t.Context(), prefix, before)
		require.NoError(t, err)
		return n
	}
	later := time.Now().Add(time.Hour)
	require.Zero(t, abort("a/1/", time.Now().Add(-time.Hour)), "it could still be under way")
	require.Zero(t, abort("a/2/", later))
	require.Equal(t, 1, abort("a/1/", later))
	require.Zero(t, abort("", later), "it is gone")
	require.Empty(t, server.Parts(t))
	require.Empty(t, keys(t, s, ""))
}

// More uploads than a page of their list has.
func TestAbortManyUploads(t *testing.T) {
	t.Parallel()

	server := storagetest.Start(t)
	s := server.Open(t)
	for range 3 {
		require.NoError(t, storage.Begin(t.Context(), s, "a/1/same"))
	}
	for range 1003 {
		require.NoError(t, storage.Begin(t.Context(), s, "a/1/"+uuid.NewString()))
	}
	n, err := s.AbortUploads(t.Context(), "a/", time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1006, n)
	require.Empty(t, server.Parts(t))
}

// A connection that the service has closed meanwhile is no failure.
func TestRestart(t *testing.T) {
	t.Parallel()

	server := storagetest.Start(t)
	s := server.Open(t)
	write := func() error {
		return s.Write(t.Context(), "a", storage.Object{ContentType: "text/plain"}, strings.NewReader("abc"))
	}
	require.NoError(t, write())
	server.Kill()
	server.Run(t)
	require.NoError(t, write())
	server.Kill()
	server.Run(t)
	require.Equal(t, "abc", string(read(t, s, "a", 3)))
}
