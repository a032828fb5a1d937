package event

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Log is the file of events. The zero Log, which has no path, keeps none.
type Log struct {
	Path string
	Max  int64 // bytes; a longer file is set aside as the old one, and that one goes

	mu   sync.Mutex
	file *os.File
}

// maxLine is longer than any event that a program of ours writes.
const maxLine = 1 << 20

// oldSuffix names the file that was set aside.
const oldSuffix = ".1"

// Write appends an event; its time is now where it has none. The line is one
// write to a file opened for appending, so that those of several processes
// never mix.
func (l *Log) Write(e Event) error {
	if l.Path == "" {
		return nil
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC()
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		return err
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

// open opens the file once, and sets a long one aside first.
func (l *Log) open() error {
	if l.file != nil {
		return nil
	}
	const flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	f, err := os.OpenFile(l.Path, flags, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(l.Path), 0o700); err == nil {
			f, err = os.OpenFile(l.Path, flags, 0o600)
		}
	}
	if err != nil {
		return fmt.Errorf("open events: %w", err)
	}
	if info, err := f.Stat(); err == nil && l.Max > 0 && info.Size() > l.Max {
		if f, err = l.rotate(f, flags); err != nil {
			return err
		}
	}
	l.file = f
	return nil
}

// rotate sets the file aside unless somebody else has done it meanwhile.
func (l *Log) rotate(f *os.File, flags int) (*os.File, error) {
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err == nil && sameFile(f, l.Path) {
		if err := os.Rename(l.Path, l.Path+oldSuffix); err != nil {
			return nil, fmt.Errorf("set events aside: %w", err)
		}
	}
	fresh, err := os.OpenFile(l.Path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open events: %w", err)
	}
	return fresh, nil
}

func sameFile(f *os.File, path string) bool {
	ours, err1 := f.Stat()
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(ours, there)
}

// Range says which events are read.
type Range struct {
	Since, Until time.Time // zero for no limit
	Follow       bool      // go on with what comes, up to Until
}

// followInterval is how often a log is looked at that is followed.
const followInterval = 50 * time.Millisecond

// Read passes the events to each, the oldest first. Following, it ends with
// ctx or with the end of the range.
func (l *Log) Read(ctx context.Context, r Range, each func(*Event) error) error {
	if err := l.readFile(l.Path+oldSuffix, r, each); err != nil {
		return err
	}
	if !r.Follow {
		return l.readFile(l.Path, r, each)
	}
	return l.follow(ctx, r, each)
}

func (l *Log) readFile(path string, r Range, each func(*Event) error) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	defer f.Close()
	return readLines(bufio.NewReaderSize(f, 64<<10), new(line), r, each)
}

// line is an event's line as far as it has been read.
type line struct{ text []byte }

// readLines passes on the whole lines that are there. Lines that are no
// events are passed over.
func readLines(in *bufio.Reader, at *line, r Range, each func(*Event) error) error {
	for {
		part, err := in.ReadSlice('\n')
		if len(at.text) < maxLine {
			at.text = append(at.text, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read events: %w", err)
		}
		var e Event
		bad := json.Unmarshal(at.text, &e)
		at.text = at.text[:0]
		if bad != nil || !r.Since.IsZero() && e.Time.Before(r.Since) || !r.Until.IsZero() && e.Time.After(r.Until) {
			continue
		}
		if err := each(&e); err != nil {
			return err
		}
	}
}

func (l *Log) follow(ctx context.Context, r Range, each func(*Event) error) error {
	var f *os.File
	var in *bufio.Reader
	at := new(line)
	defer func() { f.Close() }()
	for {
		if f != nil {
			if err := readLines(in, at, r, each); err != nil {
				return err
			}
		}
		// Read to its end, a file that was set aside gives way to its successor.
		if f == nil || !sameFile(f, l.Path) {
			if next, err := os.Open(l.Path); err == nil {
				f.Close()
				f, in = next, bufio.NewReaderSize(next, 64<<10)
				continue
			}
		}
		if !r.Until.IsZero() && time.Now().After(r.Until) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followInterval):
		}
	}
}
