package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Streams are what a command attaches to a container or to a process in it.
// A nil one is not attached.
type Streams struct {
	In         *os.File
	Out, Err   *os.File
	DetachKeys string // "" = the default ctrl-p,ctrl-q
	SigProxy   bool   // pass signals on
}

// defaultDetachKeys is containers.conf's default.
const defaultDetachKeys = "ctrl-p,ctrl-q"

// errDetached ends an attachment that the user left with the detach keys.
var errDetached = errors.New("detached")

// session is an attachment to a running container through its monitor.
type session struct {
	conn     *monitor.Conn
	terminal bool
	pid      int
}

// run moves data until the container exits (its status is returned), the user
// detaches (errDetached) or the monitor goes away.
func (s *session) run(streams Streams) (status int, err error) {
	keys, err := parseDetachKeys(streams.DetachKeys)
	if err != nil {
		return 0, err
	}
	if s.terminal {
		restore := rawTerminal(streams.In)
		defer restore()
		stop := watchSize(firstTerminal(streams.Out, streams.In), func(rows, cols int) {
			s.conn.Send(wire.Resize, []byte(strconv.Itoa(rows)+" "+strconv.Itoa(cols)))
		})
		defer stop()
	} else {
		keys = nil
	}
	if streams.SigProxy {
		defer proxySignals(s.pid)()
	}
	detached := make(chan struct{})
	if streams.In != nil {
		go s.copyInput(streams.In, keys, detached)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		status, err = s.copyOutput(streams)
	}()
	select {
	case <-done:
		return status, err
	case <-detached:
		return 0, errDetached
	}
}

// copyOutput writes what the container writes. A reader of ours that is gone
// (a closed pipe) ends nothing: the container runs on and its output is read
// and dropped, so that it never hangs.
func (s *session) copyOutput(streams Streams) (status int, err error) {
	for {
		kind, body, err := s.conn.Receive()
		if err != nil {
			return 0, fmt.Errorf("read the container's output: %w", err)
		}
		switch kind {
		case wire.Stdout:
			err = writeTo(streams.Out, body)
		case wire.Stderr:
			err = writeTo(streams.Err, body)
		case wire.Exited:
			return strconv.Atoi(string(body))
		case 0:
			return 0, errdef.Newf(errdef.ErrUnavailable, "the container's monitor is gone")
		}
		if err != nil {
			return 0, &errdef.Exit{Code: 126, Err: fmt.Errorf("attaching to the container: %w", err)}
		}
	}
}

func writeTo(f *os.File, data []byte) error {
	if f == nil {
		return nil
	}
	_, err := f.Write(data)
	if errors.Is(err, unix.EPIPE) {
		return nil
	}
	return err
}

func (s *session) copyInput(in *os.File, keys []byte, detached chan struct{}) {
	buf := make([]byte, wire.MaxData)
	match := detachMatcher{keys: keys}
	for {
		n, err := in.Read(buf)
		data, left := match.filter(buf[:n])
		if len(data) > 0 && s.conn.Send(wire.Stdin, data) != nil {
			return
		}
		if left {
			close(detached)
			return
		}
		if err != nil {
			s.conn.Send(wire.StdinEOF, nil)
			return
		}
	}
}

// detachMatcher holds back what may be the beginning of the detach keys.
type detachMatcher struct {
	keys []byte
	seen int
}

// filter returns what to pass on, and whether the keys were typed in full.
func (d *detachMatcher) filter(in []byte) (out []byte, detached bool) {
	if len(d.keys) == 0 {
		return in, false
	}
	for _, b := range in {
		if b == d.keys[d.seen] {
			if d.seen++; d.seen == len(d.keys) {
				return out, true
			}
			continue
		}
		out = append(out, d.keys[:d.seen]...)
		if d.seen = 0; b == d.keys[0] {
			d.seen = 1
			if len(d.keys) == 1 {
				return out, true
			}
			continue
		}
		out = append(out, b)
	}
	return out, false
}

// parseDetachKeys reads a list of keys: a letter, or ctrl- and a letter or
// one of @ [ ] \ ^ _. An empty list (given as "") is the default; "none"
// cannot be typed, so there is no such word in the reference either.
func parseDetachKeys(s string) ([]byte, error) {
	if s == "" {
		s = defaultDetachKeys
	}
	var keys []byte
	for _, key := range strings.Split(s, ",") {
		if c, ok := strings.CutPrefix(key, "ctrl-"); ok && len(c) == 1 && (c[0] >= 'a' && c[0] <= 'z' || strings.Contains(`@[\]^_`, c)) {
			keys = append(keys, strings.ToUpper(c)[0]&0x1f)
		} else if len(key) == 1 {
			keys = append(keys, key[0])
		} else {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid detach keys: unknown character: '%s'", key)
		}
	}
	return keys, nil
}

// rawTerminal makes the terminal behind f raw and returns what undoes it.
func rawTerminal(f *os.File) (restore func()) {
	if f == nil || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	state, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { term.Restore(int(f.Fd()), state) }
}

func firstTerminal(files ...*os.File) *os.File {
	for _, f := range files {
		if f != nil && term.IsTerminal(int(f.Fd())) {
			return f
		}
	}
	return nil
}

// watchSize reports the size of the terminal behind f, now and when it
// changes.
func watchSize(f *os.File, report func(rows, cols int)) (stop func()) {
	if f == nil {
		return func() {}
	}
	tell := func() {
		if cols, rows, err := term.GetSize(int(f.Fd())); err == nil {
			report(rows, cols)
		}
	}
	tell()
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	go func() {
		for range changed {
			tell()
		}
	}()
	return func() { signal.Stop(changed); close(changed) }
}

// proxySignals passes the signals that this process gets on to the process;
// a descriptor of it makes sure that none reaches a later one of its number.
func proxySignals(pid int) (stop func()) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return func() {}
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, proxied()...)
	go func() {
		for s := range signals {
			unix.PidfdSendSignal(pidfd, s.(unix.Signal), nil, 0)
		}
		unix.Close(pidfd)
	}()
	return func() { signal.Stop(signals); close(signals) }
}

// proxied are the signals that mean something to a container: not those that
// the kernel or the Go runtime sends this process about itself.
func proxied() (list []os.Signal) {
	for n := unix.Signal(1); n < 32; n++ {
		switch n {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, unix.SIGURG, unix.SIGPIPE, unix.SIGWINCH,
			unix.SIGTTIN, unix.SIGTTOU, unix.SIGTSTP, unix.SIGCONT, unix.SIGPROF:
		default:
			list = append(list, n)
		}
	}
	return list
}

// Attach connects the streams to a running container until it exits, or the
// user detaches.
func (e *Engine) Attach(ctx context.Context, id string, streams Streams) (status int, err error) {
	if !e.Running(id) {
		return 0, errdef.Newf(errdef.ErrConflict, "attaching to container %s: you can only attach to running containers", id)
	}
	config, err := e.configuration(id)
	if err != nil {
		return 0, err
	}
	pidfd, run, err := e.initHandle(id)
	if err != nil {
		return 0, err
	}
	unix.Close(pidfd)
	conn, err := monitor.Connect(e.Store.ContainerRunDir(id))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.Send(wire.Attach, nil); err != nil {
		return 0, fmt.Errorf("attach to container %q: %w", config.Name, err)
	}
	if !config.Stdin {
		streams.In = nil
	}
	s := session{conn: conn, terminal: config.Terminal, pid: run.Pid}
	status, err = s.run(streams)
	if errors.Is(err, errDetached) {
		return 0, nil
	}
	return status, err
}
