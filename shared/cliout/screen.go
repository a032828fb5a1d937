package cliout

import (
	"fmt"
	"io"
	"os"
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

// Begin makes room for the next output.
func (s *Screen) Begin() {
	if s.tty {
		fmt.Fprint(s.w, "\x1b[H\x1b[2J")
	}
}
