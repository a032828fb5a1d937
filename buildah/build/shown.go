package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/podsuite/podsuite/shared/cliout"
)

// keptLines is how much of a command's output is shown once more when it fails.
const keptLines = 20

// stepEvent is a step as the display shows it, and a line of mode json.
type stepEvent struct {
	Status   string    `json:"status"` // start, output, done, cached, failed, canceled, message, warning
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind,omitempty"` // step
	Platform string    `json:"platform,omitempty"`
	Stage    int       `json:"stage,omitempty"` // from 1, where there are several
	Stages   int       `json:"stages,omitempty"`
	Name     string    `json:"name,omitempty"` // of the stage
	Step     int       `json:"step,omitempty"` // of the stage, from 1
	Steps    int       `json:"steps,omitempty"`
	Text     string    `json:"text,omitempty"`
	Seconds  *float64  `json:"seconds,omitempty"` // that the step took
	Stream   string    `json:"stream,omitempty"`  // of the output: stdout or stderr
	Message  string    `json:"message,omitempty"` // a line of the output, or another one
	Error    string    `json:"error,omitempty"`
}

func (o *output) event(e stepEvent) {
	e.Time = time.Now().UTC()
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.events.Encode(e) // progress that can't be shown stops nothing
}

// shownStep is a step under way.
type shownStep struct {
	out    *output
	event  stepEvent
	tells  bool // a log has the step's output right before its error
	cached bool
	began  time.Time
	row    *cliout.Row // of mode tty

	mu    sync.Mutex
	lines []string // the last ones of the output
}

// begin shows the step.
func (st *shownStep) begin() {
	st.began = time.Now()
	switch o := st.out; {
	case o.live != nil:
		st.row = o.live.Add(st.rows)
	case o.events != nil:
		e := st.event
		e.Status = "start"
		o.event(e)
	default:
		text := st.event.Text
		if st.event.Step > 0 {
			text = fmt.Sprintf("STEP %d/%d: %s", st.event.Step, st.event.Steps, text)
		}
		if st.event.Stage > 0 {
			text = fmt.Sprintf("[%d/%d] %s", st.event.Stage, st.event.Stages, text)
		}
		if st.event.Platform != "" {
			text = "[" + st.event.Platform + "] " + text
		}
		o.log("%s", text)
	}
}

// end shows how the step ended.
func (st *shownStep) end(err error) {
	e := st.event
	e.Status = "done"
	switch {
	case errors.Is(err, context.Canceled):
		e.Status = "canceled" // because of another one
	case err != nil:
		e.Status, e.Error = "failed", err.Error()
	case st.cached:
		e.Status = "cached"
	}
	took := time.Since(st.began)
	switch o := st.out; {
	case o.live != nil:
		mark := map[string]string{"failed": "ERROR ", "cached": "CACHED ", "canceled": "CANCELED "}[e.Status]
		st.row.End(func(columns int) []string { return []string{st.title(mark, took, columns)} })
	case o.events != nil:
		seconds := took.Seconds()
		e.Seconds = &seconds
		o.event(e)
	}
}

// label says which of the build's steps it is.
func (st *shownStep) label() string {
	var words []string
	if st.event.Platform != "" {
		words = append(words, st.event.Platform)
	}
	switch {
	case st.event.Name != "":
		words = append(words, st.event.Name)
	case st.event.Stage > 0:
		words = append(words, fmt.Sprintf("stage %d", st.event.Stage))
	}
	if st.event.Step > 0 {
		words = append(words, fmt.Sprintf("%d/%d", st.event.Step, st.event.Steps))
	}
	if len(words) == 0 {
		return st.event.Text
	}
	return "[" + strings.Join(words, " ") + "] " + st.event.Text
}

// title is the step's line on a terminal, the time at its right edge.
func (st *shownStep) title(mark string, took time.Duration, columns int) string {
	seconds := fmt.Sprintf("%.1fs", took.Seconds())
	room := max(columns-2-len(seconds), 0)
	return fmt.Sprintf("%-*s %s", room, cliout.Shorten(" => "+mark+shownLine(st.label()), room), seconds)
}

// writers are where the step's command writes to. Each must be written to by
// one at a time.
func (st *shownStep) writers() (stdout, stderr io.Writer) {
	o := st.out
	if o.mode == "none" || o.events != nil || o.live != nil {
		through := io.Discard
		if o.mode == "none" {
			through = o.stderr
		}
		return &lineWriter{st: st, stream: "stdout", through: io.Discard}, &lineWriter{st: st, stream: "stderr", through: through}
	}
	if st.tells {
		return o.stdout, o.stderr
	}
	return &lineWriter{st: st, stream: "stdout", through: o.stdout}, &lineWriter{st: st, stream: "stderr", through: o.stderr}
}

// lineWriter takes a command's output.
type lineWriter struct {
	st      *shownStep
	stream  string
	through io.Writer // gets it as it is
	partial []byte
}

// maxLine is what is kept of a line.
const maxLine = 4 << 10

func (w *lineWriter) Write(p []byte) (int, error) {
	_, _ = w.through.Write(p) // a log that is full stops no command
	rest := p
	for len(rest) > 0 {
		i := bytes.IndexByte(rest, '\n')
		line := rest
		if i >= 0 {
			line = rest[:i]
		}
		w.partial = append(w.partial, line[:min(len(line), max(0, maxLine-len(w.partial)))]...)
		if i < 0 {
			break
		}
		w.flush()
		rest = rest[i+1:]
	}
	return len(p), nil
}

// end takes what came without a line's end.
func (w *lineWriter) end() {
	if len(w.partial) > 0 {
		w.flush()
	}
}

func (w *lineWriter) flush() {
	w.st.wrote(w.stream, string(w.partial))
	w.partial = w.partial[:0]
}

// wrote takes a line of the command's output.
func (st *shownStep) wrote(stream, line string) {
	add := func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		if st.lines = append(st.lines, shownLine(line)); len(st.lines) > keptLines {
			st.lines = st.lines[1:]
		}
	}
	switch o := st.out; {
	case o.live != nil:
		o.live.Update(add)
		return
	case o.events != nil:
		e := st.event
		e.Status, e.Stream, e.Message = "output", stream, strings.ToValidUTF8(line, "\uFFFD")
		o.event(e)
	}
	add()
}

// last adds the end of the command's output.
func (st *shownStep) last(b *strings.Builder) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.lines) == 0 {
		return
	}
	fmt.Fprintf(b, "------\n > %s:\n%s\n------\n", shownLine(st.label()), strings.Join(st.lines, "\n"))
}

// shownLine is a line that does nothing to a terminal but be shown: of one that
// was written over, what stayed.
func shownLine(line string) string {
	line = strings.TrimRight(line, "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	var b strings.Builder
	for len(line) > 0 {
		if rest, ok := strings.CutPrefix(line, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r >= 0x40 && r <= 0x7e })
			if end < 0 {
				break
			}
			line = rest[end+1:]
			continue
		}
		r, size := utf8.DecodeRuneInString(line)
		line = line[size:]
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		}
	}
	return b.String()
}
