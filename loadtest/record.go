package loadtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are recorded in microseconds, to three digits.
const (
	lowest  = 1
	highest = int64(time.Minute / time.Microsecond)
	digits  = 3
)

// recorder counts what a scenario did. It is safe for use by many.
type recorder struct {
	mu      sync.Mutex
	began   time.Time
	all     *hdrhistogram.Histogram
	calls   map[string]*calls
	seconds []*second
	errors  map[string]int64
	limited int64 // answers 429
	frames  int64
	wrongs  int64
}

type calls struct {
	latency  *hdrhistogram.Histogram
	statuses map[int]int64
	failed   int64 // without an answer
	wrong    int64 // with a status that is not right
}

type second struct {
	latency *hdrhistogram.Histogram
	failed  int64
}

func newRecorder() *recorder {
	return &recorder{began: time.Now(), all: histogram(), calls: map[string]*calls{}, errors: map[string]int64{}}
}

func histogram() *hdrhistogram.Histogram { return hdrhistogram.New(lowest, highest, digits) }

func (r *recorder) start(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began = at
}

// done counts an answer.
func (r *recorder) done(name string, took time.Duration, status int, ok bool, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, s := r.call(name), r.now()
	us := min(max(took.Microseconds(), lowest), highest)
	for _, h := range []*hdrhistogram.Histogram{r.all, c.latency, s.latency} {
		_ = h.RecordValue(us) // it is within the bounds
	}
	c.statuses[status]++
	switch {
	case ok:
		return
	case status == 429: // the limit is doing its work: told apart
		r.limited++
		return
	}
	c.wrong++
	s.failed++
	r.wrongs++
	r.errors[fmt.Sprintf("%s: status %d %s", name, status, code(body))]++
}

// failed counts a request without an answer.
func (r *recorder) failed(name string, took time.Duration, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, s := r.call(name), r.now()
	_ = r.all.RecordValue(min(max(took.Microseconds(), lowest), highest)) // it is within the bounds
	c.failed++
	s.failed++
	r.wrongs++
	r.errors[name+": "+why]++
}

// frame counts a message over a WebSocket.
func (r *recorder) frame() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames++
}

// wrong counts what was right by its status and not by what it said.
func (r *recorder) wrong(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(text) >= len(errUnexpected.Error()) && text[:len(errUnexpected.Error())] == errUnexpected.Error() {
		return // done has counted it
	}
	r.wrongs++
	r.errors[text]++
}

func (r *recorder) call(name string) *calls {
	c := r.calls[name]
	if c == nil {
		c = &calls{latency: histogram(), statuses: map[int]int64{}}
		r.calls[name] = c
	}
	return c
}

// now is the second that is running.
func (r *recorder) now() *second {
	n := max(int(time.Since(r.began)/time.Second), 0)
	for len(r.seconds) <= n {
		r.seconds = append(r.seconds, &second{latency: histogram()})
	}
	return r.seconds[n]
}

// second returns what happened in one second, false when nothing did.
func (r *recorder) second(n int) (Tick, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n >= len(r.seconds) {
		return Tick{}, false
	}
	s := r.seconds[n]
	return Tick{
		Second: n, Requests: s.latency.TotalCount(), Failed: s.failed,
		P50: at(s.latency, 50), P99: at(s.latency, 99),
	}, true
}

// at is a percentile.
func at(h *hdrhistogram.Histogram, percentile float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(percentile)) * time.Microsecond
}

// mostErrors is how many kinds of errors a report names.
const mostErrors = 20

func (r *recorder) result(took time.Duration) Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := Result{Took: took, Requests: r.all.TotalCount(), Unexpected: r.wrongs, Limited: r.limited, Frames: r.frames, Latency: latency(r.all), Statuses: map[string]int64{}}
	if took > 0 {
		out.PerSecond = float64(out.Requests) / took.Seconds()
	}
	for name, c := range r.calls {
		out.Calls = append(out.Calls, Call{Name: name, Requests: c.latency.TotalCount() + c.failed, Unexpected: c.wrong + c.failed, Latency: latency(c.latency)})
		for status, n := range c.statuses {
			out.Statuses[strconv.Itoa(status/100)+"xx"] += n
			if status >= 500 {
				out.ServerErrors += n
			}
		}
		if c.failed > 0 {
			out.Statuses["none"] += c.failed
		}
	}
	slices.SortFunc(out.Calls, func(a, b Call) int { return cmp.Compare(a.Name, b.Name) })
	for text, n := range r.errors {
		out.Errors = append(out.Errors, Count{text, n})
	}
	slices.SortFunc(out.Errors, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Text, b.Text)) })
	out.Errors = out.Errors[:min(len(out.Errors), mostErrors)]
	for i, s := range r.seconds {
		out.Seconds = append(out.Seconds, Second{Second: i, Requests: s.latency.TotalCount(), Failed: s.failed, P50: ms(at(s.latency, 50)), P99: ms(at(s.latency, 99))})
	}
	return out
}

func latency(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	return Latency{
		Mean: ms(time.Duration(h.Mean()) * time.Microsecond), P50: ms(at(h, 50)), P90: ms(at(h, 90)), P95: ms(at(h, 95)), P99: ms(at(h, 99)),
		P999: ms(at(h, 99.9)), Max: ms(time.Duration(h.Max()) * time.Microsecond),
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// code is the code of an error's body.
func code(body []byte) string {
	var e struct {
		Code   string `json:"code"`
		Errors []struct {
			Extensions struct {
				Code string `json:"code"`
			} `json:"extensions"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	if e.Code == "" && len(e.Errors) > 0 {
		return e.Errors[0].Extensions.Code
	}
	return e.Code
}
