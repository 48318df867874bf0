package importer

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// How often the progress is shown: redrawn on a terminal, a line of its own elsewhere.
const (
	redraw  = 100 * time.Millisecond
	newLine = 5 * time.Second
)

// Bar shows the progress of an import: a bar with rate and time left on a terminal, a plain line every five seconds elsewhere.
type Bar struct {
	out   io.Writer
	width int // of the terminal; 0 for no terminal
	clock func() time.Time
	shown time.Time
	drawn bool
}

// NewBar returns a Bar on w. It is a terminal's bar when w is a file that is one.
func NewBar(w io.Writer) *Bar {
	b := &Bar{out: w, clock: time.Now}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.width = 80
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			b.width = width
		}
	}
	b.shown = b.clock()
	return b
}

// Show draws the progress when it is time to.
func (b *Bar) Show(p Progress) {
	now := b.clock()
	switch {
	case b.width > 0 && now.Sub(b.shown) >= redraw:
		fmt.Fprintf(b.out, "\r\x1b[K%s", b.draw(p))
		b.drawn = true
	case b.width == 0 && now.Sub(b.shown) >= newLine:
		fmt.Fprintln(b.out, text(p))
	default:
		return
	}
	b.shown = now
}

// Close removes the bar from a terminal.
func (b *Bar) Close() {
	if b.drawn {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

func (b *Bar) draw(p Progress) string {
	tail := text(p)
	cells := min(b.width-len([]rune(tail))-4, 40)
	if p.TotalBytes == 0 || cells < 5 {
		return clip(tail, b.width-1)
	}
	full := int(int64(cells) * min(p.Bytes, p.TotalBytes) / p.TotalBytes)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "] " + tail
}

func clip(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:max(width, 0)])
	}
	return s
}

// text is one line, such as "42 %  25,000 lines  5,100/s  7s left".
func text(p Progress) string {
	var parts []string
	if p.TotalBytes > 0 {
		parts = append(parts, fmt.Sprintf("%d %%", 100*min(p.Bytes, p.TotalBytes)/p.TotalBytes))
	}
	parts = append(parts, thousands(p.Lines)+" lines", thousands(int64(p.Rate))+"/s")
	if p.Rejected > 0 {
		parts = append(parts, thousands(p.Rejected)+" rejected")
	}
	if p.ETA > 0 {
		parts = append(parts, max(p.ETA.Round(time.Second), time.Second).String()+" left")
	}
	return strings.Join(parts, "  ")
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
