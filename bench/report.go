package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is one line of the table.
type figure struct {
	part, what    string
	measured      string
	peer          string // what it is compared with, and that one's figure
	ratio         string
	bar           string // "" without one
	missed, noted bool
}

// report collects figures in the order of their measurement.
type report struct {
	figures []figure
	started time.Time
}

// ratio adds a figure that is judged by its ratio to a peer.
func (r *report) ratio(part, what, measured, peer string, ratio, bar float64) {
	f := figure{part: part, what: what, measured: measured, peer: peer, ratio: fmt.Sprintf("%.2f", ratio), noted: bar == 0}
	if bar > 0 {
		f.bar, f.missed = fmt.Sprintf("≥ %.2f", bar), ratio < bar
	}
	r.figures = append(r.figures, f)
}

// bound adds a figure that is judged by itself.
func (r *report) bound(part, what, measured, peer, ratio, bar string, ok bool) {
	r.figures = append(r.figures, figure{part: part, what: what, measured: measured, peer: peer, ratio: ratio, bar: bar, missed: !ok})
}

// note adds a figure that nobody judges.
func (r *report) note(part, what, measured, peer, ratio string) {
	r.figures = append(r.figures, figure{part: part, what: what, measured: measured, peer: peer, ratio: ratio, noted: true})
}

// failed adds a part that could not be measured, which counts as missed.
func (r *report) failed(part string, err error) {
	text := strings.Join(strings.Fields(err.Error()), " ")
	r.figures = append(r.figures, figure{part: part, what: "NOT MEASURED: " + text, bar: "-", missed: true})
}

func (r *report) missed() bool {
	return slices.ContainsFunc(r.figures, func(f figure) bool { return f.missed })
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s, %d CPUs, %s, load %s, %s\n\n", machine(), runtime.NumCPU(), runtime.Version(), load(), r.started.UTC().Format(time.DateOnly))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "PART\tFIGURE\tMEASURED\tBESIDE\tRATIO\tBAR\t")
	for _, f := range r.figures {
		verdict := "ok"
		switch {
		case f.missed:
			verdict = "MISSED"
		case f.noted:
			verdict = ""
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.part, f.what, f.measured, f.peer, f.ratio, f.bar, verdict)
	}
	_ = t.Flush()
}

// machine names the processor.
func machine() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}

// load is the machine's load average: above the number of CPUs, others were working too.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:min(3, len(strings.Fields(string(text))))], " ")
}

// median returns the middle of the values, which it sorts.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// quantile returns a quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(math.Ceil(q*float64(len(sorted))))-1)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

// count writes a number with its thousands apart.
func count(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
