package crypt

import (
	"os"
	"sync"
	"time"
)

// Source is where a process has its ring from. One that follows a file sees a rotation within a few seconds.
type Source struct {
	path string
	load func() (*Ring, error)

	mu      sync.Mutex
	ring    *Ring
	state   fileState
	checked time.Time
}

type fileState struct {
	size     int64
	modified time.Time
}

// FollowEvery is how often a file is looked at.
const FollowEvery = 2 * time.Second

// Fixed returns a Source whose ring never changes.
func Fixed(r *Ring) *Source { return &Source{ring: r} }

// Follow returns a Source whose ring load reads from a file, now and whenever the file has changed. It is an error when the
// first reading fails; while a later one does, the ring stays as it is.
func Follow(path string, load func() (*Ring, error)) (*Source, error) {
	s := &Source{path: path, load: load, checked: time.Now(), state: stateOf(path)}
	var err error
	s.ring, err = load()
	return s, err
}

// Ring returns the ring.
func (s *Source) Ring() *Ring {
	if s.path == "" {
		return s.ring
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.checked) < FollowEvery {
		return s.ring
	}
	s.checked = time.Now()
	s.read()
	return s.ring
}

// Fresh returns the ring after a look at the file, for a ciphertext of a key that is new.
func (s *Source) Fresh() *Ring {
	if s.path == "" {
		return s.ring
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read()
	return s.ring
}

func (s *Source) read() {
	state := stateOf(s.path)
	if state == s.state {
		return
	}
	if r, err := s.load(); err == nil {
		s.ring, s.state = r, state
	}
}

func stateOf(path string) fileState {
	fi, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{fi.Size(), fi.ModTime()}
}
