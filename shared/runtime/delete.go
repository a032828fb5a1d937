package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/opencontainers/runc/libcontainer"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// killWait is how long Delete waits for a killed init; a process in an
// uninterruptible sleep can take that long.
const killWait = 10 * time.Second

func (b *builtin) Delete(_ context.Context, id string, force bool) error {
	dir, err := b.dir(id)
	if err != nil {
		return err
	}
	defer b.forget(id)
	c, err := b.load(id)
	if err != nil {
		// Nothing to read, or only half written: no init came up from it.
		return b.sweep(id, dir, force)
	}
	status, err := c.Status()
	if err != nil {
		return wrap("read state of", id, err)
	}
	switch {
	case status == libcontainer.Stopped:
	case status == libcontainer.Created, force:
		if err := killInit(c); err != nil {
			return wrap("kill", id, err)
		}
	default:
		return errdef.Newf(errdef.ErrConflict, "delete container %q: it is %s", id, status)
	}
	if err := c.Destroy(); err != nil {
		return wrap("delete", id, err)
	}
	return nil
}

// killInit kills the container and waits until its init is gone, reaped or not.
func killInit(c *libcontainer.Container) error {
	state, err := c.State()
	if err != nil {
		return err
	}
	pidfd, err := unix.PidfdOpen(state.InitProcessPid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open pidfd of %d: %w", state.InitProcessPid, err)
	}
	defer unix.Close(pidfd)
	// Signal compares the start time, so the pidfd is of the right process
	// when it succeeds.
	if err := c.Signal(unix.SIGKILL); err != nil {
		if errors.Is(err, libcontainer.ErrNotRunning) || errors.Is(err, os.ErrProcessDone) {
			return nil
		}
		return err
	}
	return awaitExit(pidfd, killWait)
}

// awaitExit waits until the process of a pidfd has ended.
func awaitExit(pidfd int, limit time.Duration) error {
	end := time.Now().Add(limit)
	for {
		left := time.Until(end)
		if left <= 0 {
			return fmt.Errorf("the process did not end within %s of SIGKILL", limit)
		}
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("poll pidfd: %w", err)
		}
	}
}

// sweep removes what a container without readable state left behind: control
// groups at the place it had by default, and its directory.
func (b *builtin) sweep(id, dir string, force bool) error {
	if !unprivileged() && !b.opts.SystemdCgroup {
		if err := removeCgroups(CgroupsPath(b.opts, id), force); err != nil {
			return fmt.Errorf("delete container %q: %w", id, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("delete container %q: %w", id, err)
	}
	return nil
}
