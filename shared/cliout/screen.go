package cliout

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// Screen shows the same output again and again: on a terminal each takes the
// place of the one before, elsewhere they follow each other.
type Screen struct {
	w   io.Writer
	tty bool
}

// NewScreen makes a screen of w.
func NewScreen(w io.Writer) *Screen {
	f, ok := w.(*os.File)
	return &Screen{w: w, tty: ok && IsTerminal(f)}
}

// Repeat shows something at intervals, until it is told to end.
func Repeat(ctx context.Context, interval time.Duration, show func() error) error {
	for {
		if err := show(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}

// Begin makes room for the next output.
func (s *Screen) Begin() {
	if s.tty {
		fmt.Fprint(s.w, "\x1b[H\x1b[2J")
	}
}
