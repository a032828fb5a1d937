package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
)

// WaitRequest says what to wait for.
type WaitRequest struct {
	Conditions []string      // states, "removing", "removed" and health; none means the end of the process
	Interval   time.Duration // between two looks at conditions other than the end
	Ignore     bool          // a container that isn't there has status -1
}

// CheckConditions refuses conditions that are none.
func CheckConditions(conditions []string) error {
	for _, c := range conditions {
		switch c {
		case "configured", "created", "exited", "healthy", "initialized", "paused", "removing", "running", "stopped", "stopping", "unhealthy", "removed":
		default:
			return errdef.Newf(errdef.ErrInvalid, "unknown container state: %s: invalid argument", c)
		}
	}
	return nil
}

// Wait waits until the container has ended, or meets one of the conditions.
// It returns the exit status, or -1 where the container has none now.
func (e *Engine) Wait(ctx context.Context, nameOrID string, req WaitRequest) (status int, err error) {
	c, err := e.Lookup(nameOrID)
	if isNotFound(err) && req.Ignore {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	ends := func(c string) bool { return c == "exited" || c == "stopped" }
	if len(req.Conditions) == 0 || !slices.ContainsFunc(req.Conditions, func(c string) bool { return !ends(c) }) {
		status, err := e.waitEnd(ctx, c.ID)
		if isNotFound(err) && req.Ignore {
			return -1, nil
		}
		return status, err
	}
	for {
		if status, met := e.meets(c.ID, req.Conditions); met {
			return status, nil
		}
		select {
		case <-ctx.Done():
			return -1, ctx.Err()
		case <-time.After(req.Interval):
		}
	}
}

// meets says whether one of the conditions holds now.
func (e *Engine) meets(id string, conditions []string) (status int, met bool) {
	if _, err := e.Store.Container(id); isNotFound(err) {
		return -1, slices.Contains(conditions, "removed") || slices.Contains(conditions, "removing") ||
			slices.Contains(conditions, "exited") || slices.Contains(conditions, "stopped")
	}
	s := e.status(id)
	health := ""
	if s.State == Running {
		health = e.healthOf(id, s.StartedAt).Status
	}
	met = slices.ContainsFunc(conditions, func(c string) bool {
		return c == s.State || c == health || c == "configured" && s.State == Created || c == "stopped" && s.State == Exited
	})
	if s.State == Exited {
		return s.ExitCode, met
	}
	return -1, met
}

// waitEnd waits for the monitor's word, or where the monitor is gone for the
// process itself, which tells the end but not the status.
func (e *Engine) waitEnd(ctx context.Context, id string) (status int, err error) {
	conn, err := monitor.Connect(e.Store.ContainerRunDir(id))
	if errors.Is(err, errdef.ErrUnavailable) {
		if s := e.status(id); !s.Running() {
			return e.endStatus(id)
		}
		if pidfd, _, err := e.initHandle(id); err == nil {
			defer unix.Close(pidfd)
			for ended := false; !ended; {
				if ended, err = waitPidfd(ctx, pidfd, time.Hour); err != nil {
					return -1, err
				}
			}
		}
		return e.endStatus(id)
	}
	if err != nil {
		return -1, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, conn.Hangup)()
	for {
		kind, body, err := conn.Receive()
		switch {
		case err != nil:
			return -1, fmt.Errorf("wait for container %q: %w", id, err)
		case kind == wire.Exited:
			return strconv.Atoi(string(body))
		case ctx.Err() != nil:
			return -1, ctx.Err()
		case kind == 0:
			return e.endStatus(id)
		}
	}
}

// endStatus is the status that the container has ended with. One that was
// removed before anyone could see has none.
func (e *Engine) endStatus(id string) (int, error) {
	s := e.status(id)
	if s.State == Exited && s.ExitCode != exitCodeLost {
		return s.ExitCode, nil
	}
	if _, err := e.Store.Container(id); err != nil {
		return -1, noContainer(id, err)
	}
	return s.ExitCode, nil
}
