package cliout

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// redraw is how often bars are drawn at most.
const redraw = 100 * time.Millisecond

// ttyProgress draws the bars under way below the lines that are complete.
type ttyProgress struct {
	w     *os.File
	mu    sync.Mutex
	bars  []*ttyBar
	drawn int // lines of bars on the screen now
	last  time.Time
}

type ttyBar struct {
	p              *ttyProgress
	label          string
	current, total int64
}

func (p *ttyProgress) Start(kind, id string, total int64) Bar {
	if algorithm, hex, ok := strings.Cut(id, ":"); ok && algorithm == "sha256" {
		id = hex
	}
	b := &ttyBar{p: p, label: label(kind, shorten(id, 12)), total: total}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bars = append(p.bars, b)
	p.draw("")
	return b
}

func (p *ttyProgress) Say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw(line + "\n")
}

func (p *ttyProgress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw("")
	p.bars, p.drawn = nil, 0
}

func (b *ttyBar) Add(n int64) {
	b.p.mu.Lock()
	defer b.p.mu.Unlock()
	b.current += n
	if time.Since(b.p.last) >= redraw {
		b.p.draw("")
	}
}

func (b *ttyBar) Finish(err error) {
	p := b.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.bars {
		if other != b {
			continue
		}
		p.bars = append(p.bars[:i], p.bars[i+1:]...)
		state := "done"
		if err != nil {
			state = "failed"
		}
		p.draw(fmt.Sprintf("%s %s\n", b.label, state))
		return
	}
}

// draw replaces the bars on the screen, with the complete lines above them.
func (p *ttyProgress) draw(above string) {
	columns := width(p.w)
	var out strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", p.drawn)
	}
	out.WriteString("\r\x1b[J" + above)
	for _, b := range p.bars {
		out.WriteString(b.line(columns) + "\n")
	}
	p.drawn, p.last = len(p.bars), time.Now()
	p.w.WriteString(out.String()) //nolint:errcheck // progress that can't be shown stops nothing
}

// line is the bar in at most columns-1 characters.
func (b *ttyBar) line(columns int) string {
	if b.total <= 0 {
		return shorten(fmt.Sprintf("%s %s", b.label, HumanSize(b.current)), columns-1)
	}
	amount := fmt.Sprintf("%s / %s", HumanSize(b.current), HumanSize(b.total))
	room := columns - len(b.label) - len(amount) - 5
	if room < 10 {
		return shorten(b.label+" "+amount, columns-1)
	}
	room = min(room, 60)
	filled := min(room, int(int64(room)*b.current/b.total))
	return fmt.Sprintf("%s [%s%s] %s", b.label, strings.Repeat("=", filled), strings.Repeat("-", room-filled), amount)
}

func shorten(s string, n int) string {
	if len(s) > n && n >= 0 {
		return s[:n]
	}
	return s
}

func width(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return 80
	}
	return int(size.Col)
}
