package httpd

import (
	"hash/maphash"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"stackforge/errs"
)

// LimitConfig says how many requests are let through.
type LimitConfig struct {
	Max     int              // per caller and window; 0 lets all through
	Window  time.Duration    // starts with the first request of a caller
	Proxies []netip.Prefix   // whose X-Forwarded-For is believed
	Now     func() time.Time // default time.Now
}

// Limiter counts requests per API key, and per address where there is none, in windows of fixed length. Its memory is
// bounded: when too many callers are counted, those that were counted longest ago start anew. Keys and addresses are counted
// apart, so that nobody without a key can make a key's count go. It is safe for concurrent use.
//
// Each process counts on its own.
type Limiter struct {
	config    LimitConfig
	keys      windows
	addresses windows
	refused   atomic.Int64
}

// Quota is what a caller has left.
type Quota struct {
	Limit     int
	Remaining int
	Reset     time.Duration // until the window ends
}

// NewLimiter returns a Limiter.
func NewLimiter(c LimitConfig) *Limiter {
	if c.Now == nil {
		c.Now = time.Now
	}
	seed := maphash.MakeSeed()
	l := &Limiter{config: c}
	l.keys.seed, l.addresses.seed = seed, seed
	return l
}

// Refused is how many requests were refused since the start.
func (l *Limiter) Refused() int64 { return l.refused.Load() }

// Callers is how many callers are counted.
func (l *Limiter) Callers() int { return l.keys.callers() + l.addresses.callers() }

// AdmitKey counts a request of an API key. perMinute replaces Max and Window when it is not 0. When it is false, the request was
// answered 429.
func (l *Limiter) AdmitKey(w http.ResponseWriter, r *http.Request, key uuid.UUID, perMinute int) bool {
	limit, window := l.rate(perMinute)
	return l.admit(w, r, &l.keys, [16]byte(key), limit, window)
}

// CountKey is AdmitKey for an operation within a WebSocket: errs.RateLimited when it is one too many.
func (l *Limiter) CountKey(key uuid.UUID, perMinute int) error {
	limit, window := l.rate(perMinute)
	if limit <= 0 {
		return nil
	}
	_, err := l.count(&l.keys, [16]byte(key), limit, window)
	return err
}

// AdmitAddress counts a request of an address. When it is false, the request was answered 429.
func (l *Limiter) AdmitAddress(w http.ResponseWriter, r *http.Request) bool {
	if l.config.Max == 0 {
		return true
	}
	return l.admit(w, r, &l.addresses, place(l.Address(r)), l.config.Max, l.config.Window)
}

// Left is what a key has left, without counting; false when nothing is limited.
func (l *Limiter) Left(key uuid.UUID, perMinute int) (Quota, bool) {
	limit, window := l.rate(perMinute)
	if limit <= 0 {
		return Quota{}, false
	}
	now := l.config.Now().UnixNano()
	used, end := l.keys.look([16]byte(key), now, int64(window))
	return quota(used, limit, now, end), true
}

// rate is how many requests are let through in which time.
func (l *Limiter) rate(perMinute int) (int, time.Duration) {
	if perMinute == 0 {
		return l.config.Max, l.config.Window
	}
	return perMinute, time.Minute
}

func (l *Limiter) admit(w http.ResponseWriter, r *http.Request, in *windows, caller [16]byte, limit int, window time.Duration) bool {
	if limit <= 0 {
		return true
	}
	q, err := l.count(in, caller, limit, window)
	h := w.Header()
	values := []string{strconv.Itoa(q.Limit), strconv.Itoa(q.Remaining), strconv.Itoa(seconds(q.Reset))} // one piece for all three
	h["Ratelimit-Limit"], h["Ratelimit-Remaining"], h["Ratelimit-Reset"] = values[0:1:1], values[1:2:2], values[2:3:3]
	if err == nil {
		return true
	}
	h["Retry-After"] = []string{strconv.Itoa(seconds(q.Reset))}
	WriteError(w, r, err)
	return false
}

func (l *Limiter) count(in *windows, caller [16]byte, limit int, window time.Duration) (Quota, error) {
	now := l.config.Now().UnixNano()
	used, end := in.take(caller, now, int64(window))
	q := quota(used, limit, now, end)
	if used <= limit {
		return q, nil
	}
	l.refused.Add(1)
	return q, errs.Newf(errs.RateLimited, "More than %d requests in %s; try again in %d s.", limit, window, seconds(q.Reset))
}

func quota(used, limit int, now, end int64) Quota {
	return Quota{Limit: limit, Remaining: max(0, limit-used), Reset: time.Duration(max(0, end-now))}
}

// seconds rounds up, to 1 at least.
func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// Address is where a request comes from: the peer, or, when that is a proxy that is believed, the last address in
// X-Forwarded-For that is none.
func (l *Limiter) Address(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // not TCP: all count as one
	}
	at := peer.Addr().Unmap()
	if !l.believed(at) {
		return at
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return at
		}
		if at = next.Unmap(); !l.believed(at) {
			return at
		}
	}
	return at
}

func (l *Limiter) believed(a netip.Addr) bool {
	for _, p := range l.config.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// place is who an address belongs to: with IPv6 a customer has a network of 64 bits.
func place(a netip.Addr) [16]byte {
	b := a.As16()
	if a.Is6() && !a.Is4In6() {
		clear(b[8:])
	}
	return b
}

// shards are locked apart, so that callers do not wait for each other.
const shards = 32

// maxCallers bounds the callers that are counted in one shard; an entry takes some 60 bytes.
const maxCallers = 4096

// windows are the open windows of callers.
type windows struct {
	seed   maphash.Seed
	shards [shards]shard
}

// shard holds windows in two generations: when the young one is full it becomes the old one, whose windows are forgotten.
type shard struct {
	mu         sync.Mutex
	young, old map[[16]byte]*window
	_          [24]byte // keeps the locks of neighbours apart
}

type window struct {
	end  int64 // Unix nanoseconds
	used int
}

// ended reports whether a new window begins: also when the caller has shorter ones by now.
func (w *window) ended(now, length int64) bool { return now >= w.end || w.end-now > length }

func (w *windows) shard(caller [16]byte) *shard {
	return &w.shards[maphash.Bytes(w.seed, caller[:])%shards]
}

// take counts one request and returns how many there were in the window, which ends at end.
func (w *windows) take(caller [16]byte, now, length int64) (used int, end int64) {
	s := w.shard(caller)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(caller)
	if c == nil {
		c = &window{}
		s.add(caller, c)
	}
	if c.ended(now, length) {
		*c = window{end: now + length}
	}
	if c.used < math.MaxInt32 {
		c.used++
	}
	return c.used, c.end
}

// look is take without counting.
func (w *windows) look(caller [16]byte, now, length int64) (used int, end int64) {
	s := w.shard(caller)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(caller); c != nil && !c.ended(now, length) {
		return c.used, c.end
	}
	return 0, now + length
}

func (w *windows) callers() (n int) {
	for i := range w.shards {
		s := &w.shards[i]
		s.mu.Lock()
		n += len(s.young) + len(s.old)
		s.mu.Unlock()
	}
	return n
}

func (s *shard) find(caller [16]byte) *window {
	if c := s.young[caller]; c != nil {
		return c
	}
	c := s.old[caller]
	if c != nil {
		delete(s.old, caller)
		s.add(caller, c)
	}
	return c
}

func (s *shard) add(caller [16]byte, c *window) {
	if len(s.young) >= maxCallers || s.young == nil {
		s.old, s.young = s.young, make(map[[16]byte]*window)
	}
	s.young[caller] = c
}
