package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
)

// parseRestart reads the restart policy of a container or a pod, NAME or
// on-failure:N.
func parseRestart(of, text string) (container.Restart, error) {
	name, count, counted := strings.Cut(text, ":")
	p := container.Restart{Policy: name}
	switch name {
	case "never":
		p.Policy = "no"
	case "", "no", "always", "unless-stopped", "on-failure":
	default:
		return p, errdef.Newf(errdef.ErrInvalid, "running %s create option: %q is not a valid restart policy: invalid argument", of, name)
	}
	if !counted {
		return p, nil
	}
	if name != "on-failure" {
		return p, errdef.Newf(errdef.ErrInvalid, "restart policy retries can only be specified with on-failure restart policy")
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return p, errdef.Newf(errdef.ErrInvalid, "parsing restart policy retry count: %w", err)
	}
	if n < 0 {
		return p, errdef.Newf(errdef.ErrInvalid, "restart policy retry count must not be negative: %d", n)
	}
	p.Retries = uint(n)
	return p, nil
}

// setRestart keeps the restart policy of the request.
func setRestart(c *container.Config, req *CreateRequest) (err error) {
	c.Restart, err = parseRestart("container", req.Restart)
	if req.AutoRemove && c.Restart.Restarts() {
		return errdef.Newf(errdef.ErrInvalid, `the --rm option conflicts with --restart, when the restartPolicy is not "" and "no"`)
	}
	return err
}

// restarts is what has become of a container's restart policy since a user
// started it. It lies with the container, so that a reboot keeps it.
type restarts struct {
	Count   int    `json:"count,omitempty"`   // how often the policy has started it
	Quick   int    `json:"quick,omitempty"`   // how many of its last runs in a row were short ones
	Ended   int64  `json:"ended,omitempty"`   // the end that the last restart is for, Unix nanoseconds
	Stopped bool   `json:"stopped,omitempty"` // a user has ended it since
	Error   string `json:"error,omitempty"`   // why the last restart went wrong
}

const restartsFile = "restarts"

func (e *Engine) restarts(id string) (r restarts) {
	if data, err := os.ReadFile(filepath.Join(e.Store.ContainerDir(id), restartsFile)); err == nil {
		json.Unmarshal(data, &r) // half a record is no record: files are replaced whole
	}
	return r
}

func (e *Engine) saveRestarts(id string, r restarts) error {
	data, err := json.Marshal(r)
	if err == nil {
		err = mkdirPrivate(e.Store.ContainerDir(id))
	}
	if err == nil {
		err = atomicfile.Write(filepath.Join(e.Store.ContainerDir(id), restartsFile), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("record the restarts: %w", err)
	}
	return nil
}

// RestartCount is how often the policy has brought the container back since a
// user started it.
func (e *Engine) RestartCount(id string) int { return e.restarts(id).Count }

// forgetRestarts begins anew, because a user has started the container.
func (e *Engine) forgetRestarts(id string) error {
	err := os.Remove(filepath.Join(e.Store.ContainerDir(id), restartsFile))
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("record the restarts: %w", err)
	}
	return nil
}

// markStopped keeps the restart policy from bringing back what a user ends.
// It has to be called before the container's process is told to end.
func (e *Engine) markStopped(id string) error {
	r := e.restarts(id)
	r.Stopped = true
	return e.saveRestarts(id, r)
}

// ends says whether users send a signal to end the container by it.
func ends(signal int, c *container.Config) bool {
	return signal == c.StopSignal || slices.Contains([]unix.Signal{unix.SIGKILL, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT}, unix.Signal(signal))
}

// Runs that are shorter than steadyRun count as failed ones: the next restart
// waits, twice as long each time.
const (
	steadyRun   = 10 * time.Second
	firstDelay  = 100 * time.Millisecond
	longestWait = time.Minute
)

// delay is how long to wait before the next restart.
func (r *restarts) delay() time.Duration {
	if r.Quick < 2 {
		return 0 // the first comes at once
	}
	const doublings = 10 // beyond the longest wait
	return min(firstDelay<<min(r.Quick-2, doublings), longestWait)
}

// nextRestart decides whether the policy brings the container back after the
// run that ended as s says, and returns the record of that restart.
func (e *Engine) nextRestart(c *container.Config, s Status) (r restarts, again bool) {
	r = e.restarts(c.ID)
	switch {
	case r.Stopped || s.State != Exited:
		return r, false
	case c.Restart.Policy == "always", c.Restart.Policy == "unless-stopped":
	case c.Restart.Policy == "on-failure" && s.ExitCode != 0 && (c.Restart.Retries == 0 || r.Count < int(c.Restart.Retries)):
	default:
		return r, false
	}
	r.Count++
	r.Quick++
	if s.ExitedAt.Sub(s.StartedAt) >= steadyRun {
		r.Quick = 1
	}
	r.Ended = s.ExitedAt.UnixNano()
	return r, true
}

// restartEnded starts a container again that has ended by itself. The wait
// goes without the lock: whoever stops, starts or removes the container
// meanwhile changes its record, which ends this restart.
func (e *Engine) restartEnded(ctx context.Context, id string, r restarts) error {
	if d := r.delay(); d > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
		}
	}
	if err := e.startDepends(ctx, id); err != nil && !isNotFound(err) {
		return err
	}
	held, err := e.lockContainer(id)
	if err != nil {
		return err
	}
	c, err := e.configuration(id)
	if isNotFound(err) {
		held.Remove()
		return nil
	}
	defer held.Release()
	if err != nil {
		return err
	}
	if e.restarts(id) != r || e.status(id).State != Exited {
		return nil
	}
	e.event(containerEvent(c, "restart"))
	s, err := e.start(ctx, c, nil, StartRequest{again: true})
	if err != nil {
		r.Error = err.Error() // for inspect: nobody sees what this process prints
		e.saveRestarts(id, r)
		return err
	}
	s.conn.Close()
	return nil
}
