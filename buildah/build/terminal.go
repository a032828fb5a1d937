package build

import (
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// relay carries what a process's terminal shows to out, and what is typed on
// in to it, until the returned function is called after the process's end.
func relay(console, in *os.File, out io.Writer) (done func()) {
	restore := func() {}
	if in != nil && term.IsTerminal(int(in.Fd())) {
		resize(console, in)
		if state, err := term.MakeRaw(int(in.Fd())); err == nil {
			restore = func() { _ = term.Restore(int(in.Fd()), state) }
		}
	}
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	go func() {
		for range changed {
			resize(console, in)
		}
	}()
	if in != nil {
		go func() { _, _ = io.Copy(console, in) }()
	}
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		_, _ = io.Copy(out, console) // ends with EIO when the last process has closed the terminal
	}()
	return func() {
		<-shown
		signal.Stop(changed)
		close(changed)
		restore()
		console.Close()
	}
}

// resize gives the terminal the size of the one that it is shown on.
func resize(console, shownOn *os.File) {
	if size, err := unix.IoctlGetWinsize(int(shownOn.Fd()), unix.TIOCGWINSZ); err == nil {
		_ = unix.IoctlSetWinsize(int(console.Fd()), unix.TIOCSWINSZ, size)
	}
}
