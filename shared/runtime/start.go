package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// execFifo is the file in a container's state directory that its init writes
// to, and so blocks on, just before it executes the user's command.
const execFifo = "exec.fifo"

// pollMillis is how often Start looks whether init died while it waits.
const pollMillis = 100

// Start reads from the fifo that init waits on. It needs no part of the
// container's state unless init does not answer.
func (b *builtin) Start(ctx context.Context, id string) error {
	dir, err := b.dir(id)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, execFifo)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOENT) {
		return b.notStartable(id, dir)
	}
	if err != nil {
		return fmt.Errorf("start container %q: open %s: %w", id, path, err)
	}
	defer unix.Close(fd)
	if err := b.awaitInit(ctx, id, fd); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("start container %q: %w", id, err)
	}
	return nil
}

// notStartable says why there is no fifo to open.
func (b *builtin) notStartable(id, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return errdef.Newf(errdef.ErrNotFound, "start container %q: container does not exist", id)
	}
	return errdef.Newf(errdef.ErrConflict, "start container %q: container has been started already", id)
}

// awaitInit returns when init has written its byte.
func (b *builtin) awaitInit(ctx context.Context, id string, fd int) error {
	var buf [1]byte
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, pollMillis)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("start container %q: poll: %w", id, err)
		case n > 0:
			read, err := unix.Read(fd, buf[:])
			if read == 1 {
				return nil
			}
			if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
				continue
			}
			// Somebody else got the byte: the container runs.
			return errdef.Newf(errdef.ErrConflict, "start container %q: container has been started already", id)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("start container %q: %w", id, err)
		}
		if state, err := b.State(ctx, id); err != nil || state.Pid == 0 {
			return errdef.Newf(errdef.ErrConflict, "start container %q: its init process is dead", id)
		}
	}
}

// dir is a container's state directory. IDs are names of one path element.
func (b *builtin) dir(id string) (string, error) {
	if err := checkID(id); err != nil {
		return "", err
	}
	return filepath.Join(b.root, id), nil
}

// checkID refuses what can't be one path element made of safe characters.
func checkID(id string) error {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+-.", r)
	}
	if id == "" || id == "." || id == ".." || strings.ContainsFunc(id, func(r rune) bool { return !ok(r) }) {
		return errdef.Newf(errdef.ErrInvalid, "invalid container ID %q", id)
	}
	return nil
}
