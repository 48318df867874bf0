package loadtest

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run found. Times are in milliseconds.
type Report struct {
	URL         string        `json:"url"`
	Started     time.Time     `json:"started"`
	Duration    time.Duration `json:"durationNs"` // of each scenario
	Connections int           `json:"connections"`
	Rate        int           `json:"rate"` // iterations a second of each scenario; 0: a closed loop
	Parallel    bool          `json:"parallel"`
	Scenarios   []Result      `json:"scenarios"`
	Missed      []string      `json:"missed"` // thresholds
}

// Result is one scenario through one door.
type Result struct {
	Name         string           `json:"name"`
	About        string           `json:"about"`
	Door         string           `json:"door"`
	Took         time.Duration    `json:"tookNs"`
	Requests     int64            `json:"requests"`
	PerSecond    float64          `json:"perSecond"`
	Frames       int64            `json:"frames"` // over WebSockets
	Latency      Latency          `json:"latency"`
	Statuses     map[string]int64 `json:"statuses"`     // by class; none: there was no answer
	Unexpected   int64            `json:"unexpected"`   // answers that were not right, and requests without one
	ServerErrors int64            `json:"serverErrors"` // answers 5xx
	Limited      int64            `json:"limited"`      // answers 429
	Calls        []Call           `json:"calls"`
	Errors       []Count          `json:"errors"` // the most frequent
	Seconds      []Second         `json:"seconds"`
}

// Latency is how long requests took.
type Latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Call is one kind of request.
type Call struct {
	Name       string  `json:"name"`
	Requests   int64   `json:"requests"`
	Unexpected int64   `json:"unexpected"`
	Latency    Latency `json:"latency"`
}

// Count is a text and how often it came.
type Count struct {
	Text string `json:"text"`
	N    int64  `json:"n"`
}

// Second is what happened in one.
type Second struct {
	Second   int     `json:"second"`
	Requests int64   `json:"requests"`
	Failed   int64   `json:"failed"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
}

// OK reports whether every answer was right and every threshold was kept.
func (r *Report) OK() bool {
	return len(r.Missed) == 0 && !slices.ContainsFunc(r.Scenarios, func(s Result) bool { return s.Unexpected > 0 })
}

// Limited reports whether the server's rate limit was met.
func (r *Report) Limited() bool {
	return slices.ContainsFunc(r.Scenarios, func(s Result) bool { return s.Limited > 0 })
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText writes the report for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "scenario\tdoor\trequests\t/s\tp50 ms\tp95 ms\tp99 ms\tmax ms\t2xx\t4xx\t5xx\tframes\tunexpected\t")
	for _, s := range r.Scenarios {
		fmt.Fprintf(t, "%s\t%s\t%d\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t%d\t%d\t%d\t%d\t\n", s.Name, s.Door, s.Requests, s.PerSecond,
			s.Latency.P50, s.Latency.P95, s.Latency.P99, s.Latency.Max, s.Statuses["2xx"], s.Statuses["4xx"], s.Statuses["5xx"], s.Frames, s.Unexpected)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range r.Scenarios {
		for _, e := range s.Errors {
			fmt.Fprintf(w, "%s (%s): %d × %s\n", s.Name, s.Door, e.N, e.Text)
		}
	}
	if r.Limited() {
		fmt.Fprintln(w, "The server's rate limit was met (429). Start it with RATE_LIMIT_MAX=0 to measure the server and not the limit.")
	}
	for _, m := range r.Missed {
		fmt.Fprintln(w, "missed: "+m)
	}
	return nil
}

// Threshold is a bound that a scenario must keep.
type Threshold struct {
	Scenario string // "" for all
	What     string // p50, p90, p95, p99, max, unexpected, rate
	Below    bool   // else above
	Value    float64
}

// ParseThreshold reads one, such as p99<100, mixed-workload:rate>200 or unexpected<1. Times are in milliseconds.
func ParseThreshold(text string) (Threshold, error) {
	var t Threshold
	rest := text
	if name, after, ok := strings.Cut(rest, ":"); ok {
		t.Scenario, rest = name, after
		if !slices.Contains(Names(), name) {
			return t, fmt.Errorf("threshold %q: there is no scenario %q", text, name)
		}
	}
	i := strings.IndexAny(rest, "<>")
	if i < 0 {
		return t, fmt.Errorf("threshold %q: there is no < or >", text)
	}
	t.What, t.Below = strings.TrimSpace(rest[:i]), rest[i] == '<'
	if _, ok := (Result{}).value(t.What); !ok {
		return t, fmt.Errorf("threshold %q: there is no figure %q; there are p50, p90, p95, p99, max, unexpected and rate", text, t.What)
	}
	if _, err := fmt.Sscanf(strings.TrimSpace(rest[i+1:]), "%g", &t.Value); err != nil {
		return t, fmt.Errorf("threshold %q: %q is no number", text, rest[i+1:])
	}
	return t, nil
}

func (s Result) value(what string) (float64, bool) {
	switch what {
	case "p50":
		return s.Latency.P50, true
	case "p90":
		return s.Latency.P90, true
	case "p95":
		return s.Latency.P95, true
	case "p99":
		return s.Latency.P99, true
	case "max":
		return s.Latency.Max, true
	case "unexpected":
		return float64(s.Unexpected), true
	case "rate":
		return s.PerSecond, true
	}
	return 0, false
}

// Judge records which thresholds were missed.
func (r *Report) Judge(list []Threshold) {
	r.Missed = nil
	for _, t := range list {
		for _, s := range r.Scenarios {
			if t.Scenario != "" && t.Scenario != s.Name {
				continue
			}
			v, _ := s.value(t.What)
			if t.Below && v >= t.Value || !t.Below && v <= t.Value {
				r.Missed = append(r.Missed, fmt.Sprintf("%s (%s): %s is %g, the bound %g", s.Name, s.Door, t.What, v, t.Value))
			}
		}
	}
}
