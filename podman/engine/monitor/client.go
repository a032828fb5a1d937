package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"github.com/podsuite/podsuite/shared/carried"
	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
)

// Launcher is a launcher process that waits for its request. Starting it
// early lets it come up while the container's layer and network are made.
type Launcher struct {
	Pid  int // of the process, which will be the monitor
	conn *Conn
	dir  string
}

// Prepare starts a launcher, executing image (see package image). Its attach
// socket will lie in dir as "attach"; held are descriptors that stay open while
// the container lives. Abandon or Launch must follow.
// With direct the container is going to have this process's streams.
func Prepare(image *os.File, dir string, held []*os.File, direct bool) (*Launcher, error) {
	fail := func(err error) (*Launcher, error) { return nil, fmt.Errorf("start the monitor: %w", err) }
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	defer theirs.Close()
	conn := &Conn{fd: pair[0]}
	listen, err := listenAt(dir)
	if err != nil {
		conn.Close()
		return fail(err)
	}
	defer listen.Close()
	files := append([]*os.File{theirs, listen}, held...)
	program, done, err := carried.Path(image, files)
	if err != nil {
		conn.Close()
		return fail(err)
	}
	defer done()
	cmd := exec.Command(program)
	cmd.Args = []string{launcherName}
	cmd.Dir = "/"
	cmd.ExtraFiles = files
	if direct {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		conn.Close()
		return fail(err)
	}
	pid := cmd.Process.Pid
	cmd.Process.Release()
	return &Launcher{Pid: pid, conn: conn, dir: dir}, nil
}

// Abandon ends a launcher that will get no request.
func (l *Launcher) Abandon() { l.conn.Close() }

// Launch has the container started, and attached to first where attach. The
// error carries the exit status (errdef.Exit) when the container's command
// could not be started.
func (l *Launcher) Launch(req Request, attach bool) (pid int, conn *Conn, err error) {
	defer func() {
		if err != nil {
			l.conn.Close()
		}
	}()
	req.Attach = attach
	data, err := json.Marshal(req)
	if err != nil {
		return 0, nil, fmt.Errorf("start the monitor: %w", err)
	}
	if err := wire.Send(l.conn.fd, wire.Launch, data, 0); err != nil {
		return 0, nil, fmt.Errorf("start the monitor: %w", err)
	}
	kind, body, err := l.conn.Receive()
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("start the monitor: %w", err)
	case kind == wire.Started:
		pid, err = strconv.Atoi(string(body))
		return pid, l.conn, err
	case kind == wire.Failed:
		code, text, _ := strings.Cut(string(body), " ")
		n, _ := strconv.Atoi(code)
		return 0, nil, &errdef.Exit{Code: n, Err: errors.New(text)}
	}
	return 0, nil, errors.New("start the monitor: it ended before the container had started")
}

// Conn is a connection to a container's monitor.
type Conn struct {
	fd  int
	buf []byte
}

// Connect opens a connection to the monitor whose attach socket lies in dir;
// the class is errdef.ErrUnavailable when nobody listens there.
func Connect(dir string) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("connect to the monitor: %w", err)
	}
	err = withShortPath(dir, func(path string) error {
		return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	})
	if err != nil {
		unix.Close(fd)
		return nil, errdef.Newf(errdef.ErrUnavailable, "connect to the monitor: %w", err)
	}
	return &Conn{fd: fd}, nil
}

// Send sends one message of at most wire.MaxData bytes.
func (c *Conn) Send(kind byte, body []byte) error { return wire.Send(c.fd, kind, body, 0) }

// Receive waits for a message; the body is valid until the next call. Kind 0
// says that the monitor is gone.
func (c *Conn) Receive() (kind byte, body []byte, err error) {
	if c.buf == nil {
		c.buf = make([]byte, 64<<10)
	}
	return wire.Receive(c.fd, c.buf, 0)
}

// Hangup wakes whoever receives on the connection, for whom the monitor is
// gone then.
func (c *Conn) Hangup() { unix.Shutdown(c.fd, unix.SHUT_RDWR) }

// Close ends the connection and wakes whoever receives on it.
func (c *Conn) Close() error {
	c.Hangup()
	return unix.Close(c.fd)
}

// listenAt makes the attach socket. It stands under a temporary name first,
// so that a stale one is replaced in one step.
func listenAt(dir string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "attach")
	err = withShortPath(dir, func(path string) error {
		os.Remove(path)
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			return err
		}
		return unix.Listen(fd, 64)
	})
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("listen on %q: %w", filepath.Join(dir, "attach"), err)
	}
	return f, nil
}

// withShortPath gives f a path of dir's attach socket that fits into a socket
// address (108 bytes) however long dir is.
func withShortPath(dir string, f func(path string) error) error {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return f("/proc/self/fd/" + strconv.Itoa(fd) + "/attach")
}
