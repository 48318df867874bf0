package cli

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/term"
)

// meter shows the progress of a command: a bar on a terminal, a line every five seconds elsewhere.
type meter struct {
	p     *program
	what  string // is counted, such as documents
	total int
	start time.Time
	shown time.Time
	drawn bool
}

func (p *program) newMeter(what string, total int) *meter {
	now := time.Now()
	return &meter{p: p, what: what, total: total, start: now, shown: now}
}

// show tells how many are done, when it is time to, and how many of those with success, by which it guesses the time left.
func (m *meter) show(done, well int) {
	every := 5 * time.Second
	if m.p.Terminal {
		every = 100 * time.Millisecond
	}
	now := time.Now()
	if now.Sub(m.shown) < every {
		return
	}
	m.shown = now
	rate := float64(well) / now.Sub(m.start).Seconds()
	line := fmt.Sprintf("%d of %d %s  %.0f/s", done, m.total, m.what, rate)
	if left := m.total - done; rate > 0 && left > 0 {
		line += "  " + time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second).String() + " left"
	}
	if !m.p.Terminal {
		m.p.say("%s", line)
		return
	}
	fmt.Fprintf(m.p.Stderr, "\r\x1b[K%s", m.bar(line, done))
	m.drawn = true
}

// bar puts a bar before a line where the terminal is wide enough.
func (m *meter) bar(line string, done int) string {
	width := 80
	if f, ok := m.p.Stderr.(interface{ Fd() uintptr }); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			width = w
		}
	}
	cells := min(width-len(line)-4, 40)
	if cells < 5 || m.total == 0 {
		return line
	}
	full := cells * min(done, m.total) / m.total
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "] " + line
}

// clear removes the bar from a terminal.
func (m *meter) clear() {
	if m.drawn {
		fmt.Fprint(m.p.Stderr, "\r\x1b[K")
		m.drawn = false
	}
}
