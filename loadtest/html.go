package loadtest

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed report.html
var page string

// WriteHTML writes the report as one page with charts; it loads nothing.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{"chart": chart, "bars": bars}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, r)
}

// Size of a chart.
const (
	width  = 560.0
	height = 120.0
)

// line is one curve of a chart.
func line(list []Second, class string, top float64, value func(Second) float64) string {
	var b strings.Builder
	for i, s := range list {
		x := width * float64(i) / float64(max(len(list)-1, 1))
		fmt.Fprintf(&b, "%.1f,%.1f ", x, height-height*min(value(s)/top, 1))
	}
	return fmt.Sprintf(`<polyline class="%s" points="%s"/>`, class, strings.TrimSpace(b.String()))
}

// chart draws latency over time: p50 and p99.
func chart(list []Second) template.HTML {
	top := 1.0
	for _, s := range list {
		top = max(top, s.P99)
	}
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="p50 and p99 in ms by second">%s%s<text x="2" y="12">%.1f ms</text></svg>`, //nolint:gosec // numbers only
		width, height, line(list, "p99", top, func(s Second) float64 { return s.P99 }), line(list, "p50", top, func(s Second) float64 { return s.P50 }), top))
}

// bars draws requests by second; the part that failed is marked.
func bars(list []Second) template.HTML {
	top := 1.0
	for _, s := range list {
		top = max(top, float64(s.Requests+s.Failed))
	}
	var b strings.Builder
	w := width / float64(max(len(list), 1))
	for i, s := range list {
		h, f := height*float64(s.Requests)/top, height*float64(s.Failed)/top
		fmt.Fprintf(&b, `<rect class="ok" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, w*float64(i), height-h, w*0.9, h)
		if s.Failed > 0 {
			fmt.Fprintf(&b, `<rect class="failed" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, w*float64(i), height-f, w*0.9, f)
		}
	}
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="requests by second">%s<text x="2" y="12">%.0f/s</text></svg>`, //nolint:gosec // numbers only
		width, height, b.String(), top))
}
