package httpd

import (
	"math"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"stackforge/errs"
)

// Handler shows the metrics: as JSON, or in the Prometheus text format when the Accept header names text/plain or
// OpenMetrics, or the query says ?format=prometheus (?format=json always gives JSON).
func (m *Metrics) Handler() http.Handler {
	text := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Add("Vary", "Accept")
		if wantsText(r) {
			text.ServeHTTP(w, r)
			return
		}
		b, err := m.snapshot()
		if err != nil {
			WriteError(w, r, errs.Wrap(errs.Internal, err, "The metrics cannot be read."))
			return
		}
		writeJSON(w, http.StatusOK, b)
	})
}

func wantsText(r *http.Request) bool {
	switch r.URL.Query().Get("format") {
	case "prometheus":
		return true
	case "json":
		return false
	}
	accept := strings.ToLower(strings.Join(r.Header["Accept"], ","))
	for part := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(part, ";")
		switch strings.TrimSpace(media) {
		case "application/json", "text/html":
			return false
		case "text/plain", "application/openmetrics-text", "application/vnd.google.protobuf":
			return true
		}
	}
	return false
}

// snapshotBody is the JSON form. A name with labels stands beside its sum under the bare name. Times are in seconds.
type snapshotBody struct {
	Counters map[string]float64 `json:"counters"`
	Gauges   map[string]float64 `json:"gauges"`
	Timings  map[string]timing  `json:"timings"`
}

// timing describes a distribution. Percentiles are read off the histogram's buckets by linear interpolation, so they are
// estimates; above the last bound they are that bound.
type timing struct {
	Count uint64  `json:"count"`
	Sum   float64 `json:"sum"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
}

func (m *Metrics) snapshot() (snapshotBody, error) {
	b := snapshotBody{Counters: map[string]float64{}, Gauges: map[string]float64{}, Timings: map[string]timing{}}
	families, err := m.registry.Gather()
	if err != nil {
		return b, err
	}
	for _, f := range families {
		var total dto.Histogram
		var sum float64
		for _, one := range f.GetMetric() {
			name := f.GetName() + labels(one)
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				sum += one.GetCounter().GetValue()
				b.Counters[name] = finite(one.GetCounter().GetValue())
				b.Counters[f.GetName()] = finite(sum)
			case dto.MetricType_GAUGE:
				b.Gauges[name] = finite(one.GetGauge().GetValue())
			case dto.MetricType_HISTOGRAM:
				add(&total, one.GetHistogram())
				b.Timings[name] = timingOf(one.GetHistogram())
				b.Timings[f.GetName()] = timingOf(&total)
			default: // the runtime's summary of collections; the text format has it
			}
		}
	}
	return b, nil
}

// finite replaces what JSON cannot hold.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

func labels(m *dto.Metric) string {
	if len(m.GetLabel()) == 0 {
		return ""
	}
	parts := make([]string, 0, len(m.GetLabel()))
	for _, l := range m.GetLabel() {
		parts = append(parts, l.GetName()+"="+l.GetValue())
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// add sums two histograms of one family; they have the same bounds.
func add(total, h *dto.Histogram) {
	count, sum := total.GetSampleCount()+h.GetSampleCount(), total.GetSampleSum()+h.GetSampleSum()
	total.SampleCount, total.SampleSum = &count, &sum
	for i, b := range h.GetBucket() {
		if i == len(total.Bucket) {
			var zero uint64
			total.Bucket = append(total.Bucket, &dto.Bucket{UpperBound: b.UpperBound, CumulativeCount: &zero})
		}
		n := total.Bucket[i].GetCumulativeCount() + b.GetCumulativeCount()
		total.Bucket[i].CumulativeCount = &n
	}
}

func timingOf(h *dto.Histogram) timing {
	t := timing{Count: h.GetSampleCount(), Sum: h.GetSampleSum()}
	if t.Count == 0 {
		return t
	}
	t.Mean = t.Sum / float64(t.Count)
	t.P50, t.P95, t.P99 = quantile(h, .5), quantile(h, .95), quantile(h, .99)
	return t
}

func quantile(h *dto.Histogram, q float64) float64 {
	rank := q * float64(h.GetSampleCount())
	var below, lower float64
	for _, b := range h.GetBucket() {
		n := float64(b.GetCumulativeCount())
		if math.IsInf(b.GetUpperBound(), 1) {
			break
		}
		if n >= rank {
			return lower + (b.GetUpperBound()-lower)*(rank-below)/(n-below)
		}
		below, lower = n, b.GetUpperBound()
	}
	return lower
}
