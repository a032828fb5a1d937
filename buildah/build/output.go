package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/imgcopy"
)

// output shows how a build goes on: whole lines, even when stages run side by
// side.
type output struct {
	mu     sync.Mutex
	mode   string
	stdout io.Writer // discards when quiet
	stderr io.Writer
	live   *liveView     // of mode tty
	events *json.Encoder // of mode json
	failed sync.Once     // one failure is shown; others follow from it

	checked atomic.Bool // the Containerfile's warnings are said, once for all platforms
}

func newOutput(req *Request) *output {
	o := &output{mode: req.Progress, stdout: req.Stdout, stderr: req.Stderr}
	if req.Quiet {
		o.mode = "none"
	}
	switch o.mode {
	case "none":
		o.stdout = io.Discard
	case "json":
		o.stdout, o.events = io.Discard, json.NewEncoder(req.Stderr)
		o.events.SetEscapeHTML(false)
	case "tty":
		if f, ok := req.Stdout.(*os.File); ok {
			o.live = newLiveView(f)
		}
	}
	return o
}

// close ends the display.
func (o *output) close() {
	if o.live != nil {
		o.live.close()
	}
}

// line is about the build, not a step of it.
func (o *output) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	switch {
	case o.live != nil:
		o.live.Say(text)
	case o.events != nil:
		o.event(stepEvent{Status: "message", Message: text})
	default:
		o.log("%s", text)
	}
}

// log is a line that only a log has: the other displays show the step itself.
func (o *output) log(format string, args ...any) {
	if o.live != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintf(o.stdout, format+"\n", args...)
}

func (o *output) warn(format string, args ...any) {
	if o.events != nil {
		o.event(stepEvent{Status: "warning", Message: fmt.Sprintf(format, args...)})
		return
	}
	o.aside(func() { cliout.Warn(o.stderr, format, args...) })
}

// aside lets do write to the terminal.
func (o *output) aside(do func()) {
	if o.live != nil {
		o.live.Aside(do)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	do()
}

// progress shows how pulls go on: on standard error, or among the steps.
func (o *output) progress() cliout.Progress {
	if o.live != nil {
		return o.live.Progress()
	}
	f, ok := o.stderr.(*os.File)
	switch {
	case !ok || o.mode == "none":
		return cliout.NewProgress(nil, "none")
	case o.mode == "json":
		return cliout.NewProgress(f, "json")
	}
	return cliout.NewProgress(f, "auto")
}

// chooser asks the user, if there is a terminal to do so.
func (o *output) chooser() imgcopy.Chooser {
	ask := cliout.NewChooser(os.Stdin, os.Stdout)
	if ask == nil || o.live == nil {
		return ask
	}
	return func(ctx context.Context, question string, options []string) (n int, err error) {
		o.live.Aside(func() { n, err = ask(ctx, question, options) })
		return n, err
	}
}

// explain shows what a person needs beside an error's text. One who wants no
// progress shown gets it with the error.
func (o *output) explain(err error) {
	var e *explained
	if !errors.As(err, &e) {
		return
	}
	o.failed.Do(func() {
		text := strings.TrimSuffix(e.text, "\n")
		if o.mode == "none" {
			fmt.Fprintln(o.stderr, text)
			return
		}
		o.line("%s", text)
	})
}

// explained is an error with what helps to understand it.
type explained struct {
	error
	text string
}

func (e *explained) Unwrap() error { return e.error }

// explain adds to an error the lines of the Containerfile that it is about and
// the last of what the step's command wrote, where nobody has seen that.
func explain(err error, name string, text []byte, st *shownStep) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var b strings.Builder
	if st != nil {
		st.last(&b)
	}
	if first, last := dockerfile.Lines(err); first > 0 {
		fmt.Fprintf(&b, "%s:%d\n", name, first)
		dockerfile.Excerpt(&b, text, first, last)
	}
	if b.Len() == 0 {
		return err
	}
	return &explained{err, b.String()}
}

// stream gives a process a file that ends up in w. The returned function waits
// until all of it has arrived; the file is closed by it.
func stream(w io.Writer) (*os.File, func(), error) {
	if f, ok := w.(*os.File); ok {
		return f, func() {}, nil
	}
	if w == io.Discard {
		f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return nil, nil, err
		}
		return f, func() { f.Close() }, nil
	}
	r, out, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(w, r)
		r.Close()
		if lines, ok := w.(*lineWriter); ok {
			lines.end()
		}
	}()
	return out, func() { out.Close(); <-done }, nil
}
