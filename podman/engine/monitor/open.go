package monitor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"golang.org/x/sys/unix"
)

// JournalSocket is where systemd's journal takes entries.
const JournalSocket = "/run/systemd/journal/socket"

// openLog opens what the container's output goes to.
func openLog(req *Request, spec *wire.Spec) (err error) {
	switch {
	case req.Journal != "":
		spec.Name, spec.Tag = req.Journal, req.Tag
		spec.Log, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(spec.Log, &unix.SockaddrUnix{Name: JournalSocket})
		}
		if err != nil {
			return fmt.Errorf("connect to the journal: %w", err)
		}
	case req.Log != "":
		if spec.Log, err = unix.Open(req.Log, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND|unix.O_CLOEXEC, 0o600); err != nil {
			return fmt.Errorf("open log %q: %w", req.Log, err)
		}
	}
	return nil
}

// listenNotices makes the socket for the container's notices. Whoever may
// enter its directory, which is the container, may write to it.
func listenNotices(path string) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("make notification socket: %w", err)
	}
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make notification socket: %w", err)
	}
	defer unix.Close(dir)
	short := "/proc/self/fd/" + strconv.Itoa(dir) + "/" + filepath.Base(path)
	os.Remove(short)
	if err = unix.Bind(fd, &unix.SockaddrUnix{Name: short}); err == nil {
		err = unix.Chmod(short, 0o777)
	}
	if err != nil {
		return -1, fmt.Errorf("make notification socket %q: %w", path, err)
	}
	return fd, nil
}
