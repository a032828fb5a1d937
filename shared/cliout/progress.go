package cliout

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Progress shows how a copy goes on. Its methods may be called from several
// goroutines at once.
type Progress interface {
	// Start begins one thing of a kind ("blob", "config"); total is its size
	// in bytes, -1 when unknown.
	Start(kind, id string, total int64) Bar
	// Say prints a line of its own ("Writing manifest to image destination").
	Say(line string)
	// Done ends the display; whatever is not finished stays as it was.
	Done()
}

// Bar is one thing under way.
type Bar interface {
	// Add counts n more bytes.
	Add(n int64)
	// Finish ends the bar; a nil err means that the thing is complete.
	Finish(err error)
}

// NewProgress makes a progress display on w, normally standard error. mode:
//
//	"auto"         "tty" on a terminal, "plain" elsewhere
//	"tty"          bars that are redrawn
//	"plain"        one line when a thing starts
//	"json"         one JSON object a line
//	"none", ""     nothing
func NewProgress(w *os.File, mode string) Progress {
	switch ProgressMode(w, mode) {
	case "tty":
		return NewLive(w).Progress()
	case "plain":
		return &plainProgress{w: w}
	case "json":
		return &jsonProgress{enc: json.NewEncoder(w)}
	}
	return noProgress{}
}

// ProgressMode is what a mode comes to on w.
func ProgressMode(w *os.File, mode string) string {
	if mode != "auto" {
		return mode
	}
	if IsTerminal(w) && os.Getenv("TERM") != "dumb" {
		return "tty"
	}
	return "plain"
}

// IsTerminal tells whether f is a terminal.
func IsTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

func label(kind, id string) string {
	if !strings.Contains(kind, " ") {
		kind = "Copying " + kind
	}
	return kind + " " + id
}

type noProgress struct{}

func (noProgress) Start(string, string, int64) Bar { return noProgress{} }
func (noProgress) Say(string)                      {}
func (noProgress) Done()                           {}
func (noProgress) Add(int64)                       {}
func (noProgress) Finish(error)                    {}

type plainProgress struct {
	mu sync.Mutex
	w  *os.File
}

func (p *plainProgress) Start(kind, id string, _ int64) Bar {
	p.Say(label(kind, id))
	return noProgress{}
}

func (p *plainProgress) Say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, line)
}

func (p *plainProgress) Done() {}

// jsonEvent is one line of the "json" mode.
type jsonEvent struct {
	Status string `json:"status"` // start, progress, done, failed, message
	Kind   string `json:"kind,omitempty"`
	Digest string `json:"digest,omitempty"` // or another name of the thing
	Bytes  int64  `json:"bytes"`            // that have come so far
	Total  int64  `json:"total,omitempty"`  // bytes; -1 unknown
	Rate   int64  `json:"rate,omitempty"`   // bytes a second, from the start
	Error  string `json:"error,omitempty"`
}

type jsonProgress struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func (p *jsonProgress) send(e any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enc.Encode(e) //nolint:errcheck // progress that can't be shown stops nothing
}

func (p *jsonProgress) Say(line string) {
	p.send(struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}{"message", line})
}
func (p *jsonProgress) Done() {}

func (p *jsonProgress) Start(kind, id string, total int64) Bar {
	now := time.Now()
	b := &jsonBar{p: p, event: jsonEvent{Kind: kind, Digest: id, Total: total}, start: now, last: now}
	b.send("start")
	return b
}

type jsonBar struct {
	p     *jsonProgress
	mu    sync.Mutex
	event jsonEvent
	start time.Time
	last  time.Time
}

func (b *jsonBar) send(status string) {
	b.event.Status = status
	if d := time.Since(b.start); d > 0 && b.event.Bytes > 0 {
		b.event.Rate = int64(float64(b.event.Bytes) / d.Seconds())
	}
	b.p.send(b.event)
}

func (b *jsonBar) Add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.event.Bytes += n
	if now := time.Now(); now.Sub(b.last) >= time.Second/2 {
		b.last = now
		b.send("progress")
	}
}

func (b *jsonBar) Finish(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.event.Error = err.Error()
		b.send("failed")
		return
	}
	b.send("done")
}
