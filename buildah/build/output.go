package build

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/podsuite/podsuite/shared/cliout"
)

// output prints progress lines, whole ones even when stages run side by side.
type output struct {
	mu     sync.Mutex
	stdout io.Writer // discards when quiet
	stderr io.Writer
}

func newOutput(req *Request) *output {
	o := &output{stdout: req.Stdout, stderr: req.Stderr}
	if req.Quiet {
		o.stdout = io.Discard
	}
	return o
}

func (o *output) line(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintf(o.stdout, format+"\n", args...)
}

func (o *output) warn(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	cliout.Warn(o.stderr, format, args...)
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
	}()
	return out, func() { out.Close(); <-done }, nil
}
