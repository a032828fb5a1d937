package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/lock"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
)

// initHandle opens the container's init process, checked to be the one that
// was started. The class is errdef.ErrConflict when it doesn't run.
func (e *Engine) initHandle(id string) (pidfd int, s monitor.State, err error) {
	s, ok := monitor.ReadState(filepath.Join(e.Store.ContainerRunDir(id), stateFile))
	if ok {
		if pidfd, err := unix.PidfdOpen(s.Pid, 0); err == nil {
			if s.Alive() {
				return pidfd, s, nil
			}
			unix.Close(pidfd)
		}
	}
	return -1, s, errdef.Newf(errdef.ErrConflict, "container %s is not running", id)
}

// Kill sends a signal to the container's first process.
func (e *Engine) Kill(nameOrID string, signal int) (name string, err error) {
	c, err := e.Lookup(nameOrID)
	if err != nil {
		return "", err
	}
	pidfd, _, err := e.initHandle(c.ID)
	if err != nil {
		return "", errdef.Newf(errdef.ErrConflict, "can only kill running containers. %s is in state %s: container state improper", c.ID, e.status(c.ID).State)
	}
	defer unix.Close(pidfd)
	config, err := e.configuration(c.ID)
	if err != nil {
		return "", noContainer(nameOrID, err)
	}
	if config.Restart.Restarts() && ends(signal, config) {
		if err := e.markStopped(c.ID); err != nil {
			return "", err
		}
	}
	if signal == int(unix.SIGKILL) {
		e.markKilled(c.ID)
	}
	if err := unix.PidfdSendSignal(pidfd, unix.Signal(signal), nil, 0); err != nil {
		return "", fmt.Errorf("signal container %q: %w", nameOrID, err)
	}
	e.event(containerEvent(config, "kill"))
	return c.Names[0], nil
}

// Stop ends the container: its stop signal, and after the time-out SIGKILL.
// One that doesn't run is left alone. timeout nil is the container's own.
func (e *Engine) Stop(ctx context.Context, nameOrID string, timeout *uint) (name string, err error) {
	c, err := e.Lookup(nameOrID)
	if err != nil {
		return "", err
	}
	config, err := e.configuration(c.ID)
	if err != nil {
		return "", err
	}
	held, err := e.lockContainer(c.ID)
	if err != nil {
		return "", err
	}
	name, err = e.stopHeld(ctx, config, held, timeout)
	if err != nil {
		return "", err
	}
	return name, e.leavePod(ctx, config)
}

// stopHeld stops the container whose lock is held, which it lets go.
func (e *Engine) stopHeld(ctx context.Context, c *container.Config, held *lock.Lock, timeout *uint) (name string, err error) {
	defer held.Release()
	running := e.status(c.ID)
	if c.Restart.Restarts() && running.State != Created {
		if err := e.markStopped(c.ID); err != nil {
			return "", err
		}
	}
	if err := e.stop(ctx, c, timeout); err != nil {
		return "", err
	}
	if err := e.cleanup(ctx, c); err != nil {
		return "", err
	}
	if running.Running() {
		e.event(containerEvent(c, "stop"))
	}
	if c.AutoRemove && e.status(c.ID).State == Exited {
		err := e.autoRemove(ctx, c)
		held.Remove()
		return c.Name, err
	}
	return c.Name, nil
}

// stop ends the process and waits for the exit record; the lock is held.
func (e *Engine) stop(ctx context.Context, c *container.Config, timeout *uint) error {
	pidfd, s, err := e.initHandle(c.ID)
	if err != nil {
		return nil
	}
	defer unix.Close(pidfd)
	if e.frozen(c.ID) {
		if err := e.thaw(ctx, c); err != nil {
			return err
		}
	}
	wait := time.Duration(c.StopTimeout) * time.Second
	if timeout != nil {
		wait = time.Duration(*timeout) * time.Second
	}
	ended := false
	if wait > 0 {
		if err := unix.PidfdSendSignal(pidfd, unix.Signal(c.StopSignal), nil, 0); err != nil && err != unix.ESRCH {
			return fmt.Errorf("stop container %q: %w", c.Name, err)
		}
		if ended, err = waitPidfd(ctx, pidfd, wait); err != nil {
			return err
		}
		if !ended {
			fmt.Fprintf(os.Stderr, "time=%q level=warning msg=\"StopSignal %s failed to stop container %s in %d seconds, resorting to SIGKILL\"\n",
				time.Now().Format(time.RFC3339), signalName(c.StopSignal), c.Name, int(wait.Seconds()))
		}
	}
	if !ended {
		e.markKilled(c.ID)
		if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
			return fmt.Errorf("kill container %q: %w", c.Name, err)
		}
		if _, err := waitPidfd(ctx, pidfd, time.Minute); err != nil {
			return err
		}
	}
	e.exitOf(c.ID, s) // waits for the record
	return nil
}

// waitPidfd waits until the process has ended, at most for d.
func waitPidfd(ctx context.Context, pidfd int, d time.Duration) (ended bool, err error) {
	for deadline := time.Now().Add(d); ; {
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(min(left, 100*time.Millisecond).Milliseconds())+1)
		if n > 0 {
			return true, nil
		}
		if err != nil && err != unix.EINTR {
			return false, fmt.Errorf("wait for the container: %w", err)
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
}

// Restart stops the container where it runs, and starts it. The lock is held
// throughout, so that one of --rm isn't removed in between.
func (e *Engine) Restart(ctx context.Context, nameOrID string, timeout *uint) error {
	if err := e.startDepends(ctx, nameOrID); err != nil {
		return err
	}
	return e.withContainer(nameOrID, func(c *container.Config) error {
		if err := e.stop(ctx, c, timeout); err != nil {
			return err
		}
		if err := e.cleanup(ctx, c); err != nil {
			return err
		}
		s, err := e.start(ctx, c, nil, StartRequest{})
		if err != nil {
			return err
		}
		s.conn.Close()
		e.event(containerEvent(c, "restart"))
		return nil
	})
}
