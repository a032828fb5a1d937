package cliout

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// redraw is how often rows are drawn at most.
const redraw = 100 * time.Millisecond

// Live draws rows that change below lines that are complete. Its methods may
// be called from several goroutines at once.
type Live struct {
	w     *os.File
	mu    sync.Mutex
	rows  []*Row
	drawn int // lines of rows on the screen now
	last  time.Time
}

// Row is something under way; it may take several lines.
type Row struct {
	live  *Live
	lines func(columns int) []string
}

// NewLive makes a view on a terminal.
func NewLive(w *os.File) *Live { return &Live{w: w} }

// Add adds a row. What lines depends on changes in Update only.
func (l *Live) Add(lines func(columns int) []string) *Row {
	r := &Row{l, lines}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, r)
	l.draw("")
	return r
}

// Update changes what rows show. They are drawn when that is some time ago.
func (l *Live) Update(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	if len(l.rows) > 0 && time.Since(l.last) >= redraw {
		l.draw("")
	}
}

// Say prints whole lines above the rows.
func (l *Live) Say(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draw(text + "\n")
}

// Aside takes the rows off the screen while do uses it.
func (l *Live) Aside(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := l.rows
	l.rows = nil
	l.draw("")
	do()
	l.rows = rows
	l.draw("")
}

// End ends the row. What said makes of it is printed above the others.
func (r *Row) End(said func(columns int) []string) {
	l := r.live
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.rows {
		if other == r {
			l.rows = append(l.rows[:i], l.rows[i+1:]...)
			columns, _ := size(l.w)
			l.draw(strings.Join(said(columns), "\n") + "\n")
			return
		}
	}
}

// Progress shows copies among the other rows.
func (l *Live) Progress() Progress { return &ttyProgress{live: l} }

// draw replaces the rows on the screen, with the complete lines above them.
// There are never more than the screen has room for: lines that have left it
// can't be replaced.
func (l *Live) draw(above string) {
	columns, height := size(l.w)
	var out strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", l.drawn)
	}
	out.WriteString("\r\x1b[J" + above)
	var lines []string
	for _, r := range l.rows {
		lines = append(lines, r.lines(columns)...)
	}
	if room := max(height-1, 1); len(lines) > room {
		lines = lines[len(lines)-room:]
	}
	if len(lines) > 0 {
		// A line of wide characters is cut off by the terminal, not broken.
		out.WriteString("\x1b[?7l" + strings.Join(lines, "\n") + "\n\x1b[?7h")
	}
	l.drawn, l.last = len(lines), time.Now()
	l.w.WriteString(out.String()) //nolint:errcheck // progress that can't be shown stops nothing
}

// Shorten cuts a text off after n characters.
func Shorten(s string, n int) string {
	if n < 0 || utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

func size(f *os.File) (columns, rows int) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return 80, 24
	}
	return int(size.Col), int(size.Row)
}
