package names

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Messages on the keeper's socket, one byte of kind and a text. A connection
// that stays open without a message keeps the keeper.
const (
	Sync = 'S' // to the keeper: read the tables; the text names the network that is waited for
	Done = 'D' // from the keeper: that network's names are answered for
	Fail = 'E' // from the keeper: they are not; the text says why
)

// MaxMessage bounds a message, in bytes.
const MaxMessage = 4096

// patience is how long a command waits for the keeper's answer, in seconds.
const patience = 3

// ErrSilent says that the keeper doesn't answer.
var ErrSilent = errors.New("the keeper of names doesn't answer")

// ErrGone says that nobody listens, or that the keeper ended meanwhile.
var ErrGone = errors.New("the keeper of names is gone")

// Socket is the keeper's socket in dir.
func Socket(dir string) string { return filepath.Join(dir, "keeper") }

// Listen makes the keeper's socket in dir, in place of one left over.
func Listen(dir string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), Socket(dir))
	err = atShortPath(dir, func(path string) error {
		os.Remove(path)
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			return err
		}
		return unix.Listen(fd, 128)
	})
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Dial connects to the keeper of dir; ErrGone when there is none.
func Dial(dir string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: patience})
	err = atShortPath(dir, func(path string) error {
		return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	})
	if err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT) {
			err = ErrGone
		}
		if errors.Is(err, unix.EAGAIN) { // more wait already than the kernel lets
			err = ErrSilent
		}
		return nil, err
	}
	return os.NewFile(uintptr(fd), Socket(dir)), nil
}

// pidFile is where the keeper tells its process ID.
func pidFile(dir string) string { return filepath.Join(dir, "keeper.pid") }

// Sign tells that this process is the keeper of dir.
func Sign(dir string) error {
	return os.WriteFile(pidFile(dir), []byte(strconv.Itoa(os.Getpid())), 0o600)
}

// Signed tells whether this process is still the keeper of dir.
func Signed(dir string) bool {
	text, err := os.ReadFile(pidFile(dir))
	return err == nil && string(text) == strconv.Itoa(os.Getpid())
}

// Program is the name of the keeper's process.
const Program = "podman-keeper"

// End kills the keeper of dir, which doesn't answer; what it did is done by the
// next.
func End(dir string) {
	text, err := os.ReadFile(pidFile(dir))
	pid, err2 := strconv.Atoi(string(text))
	if err != nil || err2 != nil {
		return
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	comm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil || string(comm) != Program+"\n" {
		return // the number is another process's by now
	}
	unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, patience*1000)
}

// Ask has the keeper read the tables and waits until it answers for the
// network.
func Ask(conn *os.File, network string) error {
	fd := int(conn.Fd())
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: patience})
	if err := unix.Sendto(fd, append([]byte{Sync}, network...), unix.MSG_NOSIGNAL, nil); err != nil {
		return ErrGone
	}
	buf := make([]byte, MaxMessage)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return ErrSilent
		case err != nil || n == 0:
			return ErrGone
		case buf[0] == Fail:
			return errors.New(string(buf[1:n]))
		}
		return nil
	}
}

// atShortPath gives f a path of dir's socket that fits into a socket address
// (108 bytes) however long dir is.
func atShortPath(dir string, f func(path string) error) error {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return f(Socket("/proc/self/fd/" + strconv.Itoa(fd)))
}
