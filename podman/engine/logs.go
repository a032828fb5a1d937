package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
)

// LogRequest says which lines of a container's log are wanted.
type LogRequest struct {
	Follow bool
	Tail   int // the last so many lines; negative for all
	Since  time.Time
	Until  time.Time
}

// LogLine is one entry of a log; Partial says that the line goes on in the
// next entry of its stream.
type LogLine struct {
	Time    time.Time
	Stream  string // stdout or stderr
	Partial bool
	Text    string
}

// followInterval is how often a followed log is looked at when it rests.
const followInterval = 50 * time.Millisecond

// Logs passes the lines of the container's log to each. Following, it goes on
// until the container has stopped, or ctx is done.
func (e *Engine) Logs(ctx context.Context, nameOrID string, req LogRequest, each func(LogLine) error) error {
	c, err := e.Lookup(nameOrID)
	if err != nil {
		return err
	}
	config, err := e.configuration(c.ID)
	if err != nil {
		return err
	}
	if config.LogDriver == journald {
		return e.journalLogs(ctx, c.ID, req, each)
	}
	path := e.LogPath(config)
	if path == "" {
		return errdef.Newf(errdef.ErrUnsupported, "this container is using the '%s' log driver, cannot read logs: this container is not logging output", config.LogDriver)
	}
	f, err := os.Open(path)
	for req.Follow && errors.Is(err, os.ErrNotExist) && ctx.Err() == nil {
		time.Sleep(followInterval)
		f, err = os.Open(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open log of container %q: %w", nameOrID, err)
	}
	defer f.Close()
	if req.Tail >= 0 {
		if err := seekTail(f, req.Tail); err != nil {
			return fmt.Errorf("read log of container %q: %w", nameOrID, err)
		}
	}
	return e.readLog(ctx, c.ID, f, req, each)
}

func (e *Engine) readLog(ctx context.Context, id string, f *os.File, req LogRequest, each func(LogLine) error) error {
	r := bufio.NewReaderSize(f, 64<<10)
	var partial string
	for ended := false; ctx.Err() == nil; {
		text, err := r.ReadString('\n')
		partial += text
		if err == nil {
			line, ok := parseLogLine(strings.TrimSuffix(partial, "\n"))
			partial = ""
			if !ok || line.Time.Before(req.Since) {
				continue
			}
			if !req.Until.IsZero() && line.Time.After(req.Until) {
				return nil
			}
			if err := each(line); err != nil {
				return err
			}
			continue
		}
		if err != io.EOF {
			return fmt.Errorf("read log: %w", err)
		}
		if !req.Follow || ended {
			return nil
		}
		if at, err := f.Seek(0, io.SeekCurrent); err == nil {
			if info, err := f.Stat(); err == nil && info.Size() < at { // it began anew
				f.Seek(0, io.SeekStart)
				r.Reset(f)
				partial = ""
				continue
			}
		}
		// The last lines may come between a look at the file and one at the
		// container, so it is read once more after the end.
		s := e.status(id)
		if ended = !s.Running(); !ended {
			time.Sleep(followInterval)
		}
	}
	return nil
}

// parseLogLine reads "TIME STREAM F|P TEXT".
func parseLogLine(s string) (line LogLine, ok bool) {
	stamp, rest, ok1 := strings.Cut(s, " ")
	stream, rest, ok2 := strings.Cut(rest, " ")
	tag, text, ok3 := strings.Cut(rest, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if !ok1 || !ok2 || !ok3 || err != nil {
		return LogLine{}, false
	}
	return LogLine{Time: at, Stream: stream, Partial: tag == "P", Text: text}, true
}

// seekTail leaves the file at the beginning of its n-th last whole line,
// reading blocks backwards from the end. Entries of partial lines count with
// the one that ends their line.
func seekTail(f *os.File, n int) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || n == 0 {
		return err
	}
	const block = 64 << 10
	var tail []byte
	for pos := end; pos > 0; {
		size := min(block, pos)
		pos -= size
		buf := make([]byte, size)
		if _, err := f.ReadAt(buf, pos); err != nil {
			return err
		}
		tail = append(buf, tail...)
		if cut, found := tailStart(tail, n); found {
			_, err := f.Seek(pos+int64(cut), io.SeekStart)
			return err
		}
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// tailStart finds where the n-th last complete line of the log text begins.
func tailStart(text []byte, n int) (at int, found bool) {
	lines := strings.SplitAfter(string(text), "\n")
	if len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	at = len(text)
	for i := len(lines) - 1; i > 0; i-- { // the first one may be cut off
		line, ok := parseLogLine(strings.TrimSuffix(lines[i], "\n"))
		if ok && !line.Partial {
			if n--; n < 0 {
				return at, true
			}
		}
		at -= len(lines[i])
	}
	return 0, false
}
