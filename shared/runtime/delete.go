package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

func (b *builtin) Delete(_ context.Context, id string, force bool) error {
	dir, err := b.dir(id)
	if err != nil {
		return err
	}
	b.forget(id)
	s, err := b.load(id)
	if err != nil {
		// Nothing to read, or only half written: no init came up from it.
		return b.sweep(id, dir, force)
	}
	status, err := b.status(s)
	switch {
	case err != nil:
		return err
	case status != specs.StateStopped && status != specs.StateCreated && !force:
		return errdef.Newf(errdef.ErrConflict, "delete container %q: it is %s", id, status)
	}
	if err := s.end(); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("delete container %q: %w", id, err)
	}
	if s.Hooks != nil {
		if err := s.runHooks("poststop", s.Hooks.Poststop, specs.StateStopped, nil); err != nil {
			logrus.Warnf("delete container %q: %v", id, err) // it is gone all the same
		}
	}
	return nil
}

// forget closes what Create left open for Start.
func (b *builtin) forget(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if child := b.created[id]; child != nil {
		child.conn.Close()
		delete(b.created, id)
	}
}

// end kills what is left of the container's processes, waits until they are
// gone, reaped or not, and removes its control group.
func (s *state) end() error {
	m, err := s.manager()
	if err != nil {
		return err
	}
	pidfd, err := s.open()
	if err == nil {
		defer unix.Close(pidfd)
		if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
			return fmt.Errorf("kill container %q: %w", s.ID, err)
		}
		// A frozen process does not die before it is thawed.
		if frozen, err := m.GetFreezerState(); err == nil && frozen == cgroups.Frozen {
			if err := m.Freeze(cgroups.Thawed); err != nil {
				return fmt.Errorf("kill container %q: %w", s.ID, err)
			}
		}
		if err := awaitExit(pidfd, killWait); err != nil {
			return fmt.Errorf("kill container %q: %w", s.ID, err)
		}
	}
	// Without a pid namespace the others outlive the first.
	if pids, err := m.GetAllPids(); err == nil && len(pids) > 0 {
		if err := signalAll(pids, unix.SIGKILL); err != nil {
			return err
		}
	}
	if err := m.Destroy(); err != nil {
		return fmt.Errorf("remove control group of container %q: %w", s.ID, err)
	}
	return nil
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
