package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"golang.org/x/sys/unix"
)

// The states of health.
const (
	Starting  = "starting"
	Healthy   = "healthy"
	Unhealthy = "unhealthy"
)

// HealthInfo is what inspect tells of a container's health.
type HealthInfo struct {
	Status        string
	FailingStreak int
	Log           []HealthResult
}

// HealthResult is one run of a check. Times are RFC 3339.
type HealthResult struct {
	Start    string
	End      string
	ExitCode int
	Output   string

	late bool // it was killed when its time was out
}

// health is the record of a container's health, which lies with the container.
type health struct {
	HealthInfo
	Run       int64 // the run of the container it is about: its start, Unix nanoseconds
	Started   bool  // the startup check has succeeded
	Successes int   // of the startup check
}

const healthFile = "healthcheck.log"

// health reads the record; without one the health is about to be known.
func (e *Engine) health(id string) health {
	h := health{HealthInfo: HealthInfo{Status: Starting}}
	if data, err := os.ReadFile(filepath.Join(e.Store.ContainerDir(id), healthFile)); err == nil {
		json.Unmarshal(data, &h) // it is replaced whole, so it is whole
	}
	return h
}

// healthOf is the record of this run of the container.
func (e *Engine) healthOf(id string, started time.Time) health {
	h := e.health(id)
	if h.Run != started.UnixNano() {
		return health{HealthInfo: HealthInfo{Status: Starting}, Run: started.UnixNano()}
	}
	return h
}

// Health is the health of a running container: starting, healthy or
// unhealthy; "" where nobody looks after it.
func (e *Engine) Health(c *Container) string {
	if !c.Checked || c.State != Running && c.State != Paused {
		return ""
	}
	return e.healthOf(c.ID, c.StartedAt).Status
}

// healthInfo is what inspect tells; nil for a container without a check.
func (e *Engine) healthInfo(c *container.Config, s Status) *HealthInfo {
	if !c.Health.Checked() {
		return nil
	}
	h := e.health(c.ID)
	if s.Running() {
		h = e.healthOf(c.ID, s.StartedAt)
	}
	if path := healthLogPath(c); path != "" {
		if data, err := os.ReadFile(path); err == nil {
			json.Unmarshal(data, &h.Log)
		}
	}
	return &h.HealthInfo
}

// healthLogPath is the file of results in a directory that the user chose.
func healthLogPath(c *container.Config) string {
	switch dir := c.Health.Destination; dir {
	case "", "local", "events_logger":
		return ""
	default:
		return filepath.Join(dir, c.ID+"-healthcheck.log")
	}
}

// RunHealthCheck runs the container's health check once and returns whether
// it went well. The monitor does that at its intervals, too.
func (e *Engine) RunHealthCheck(ctx context.Context, nameOrID string) (ok bool, err error) {
	found, err := e.Lookup(nameOrID)
	if err != nil {
		return false, fmt.Errorf("unable to look up %s to perform a health check: %w", nameOrID, err)
	}
	c, err := e.configuration(found.ID)
	if err != nil {
		return false, err
	}
	s := e.status(c.ID)
	if !c.Health.Checked() {
		e.nextCheck(c.ID, -1)
		return false, errdef.Newf(errdef.ErrConflict, "container %s has no defined healthcheck", c.ID)
	}
	if s.State != Running {
		if s.State == Paused {
			e.nextCheck(c.ID, c.Health.Check.Interval)
		}
		return false, errdef.Newf(errdef.ErrConflict, "container %s is not running", c.ID)
	}
	check := c.Health.Check
	if c.Health.Startup != nil && !e.healthOf(c.ID, s.StartedAt).Started {
		check = &c.Health.Startup.Check
	}
	result, err := e.check(ctx, c, s, check)
	if err != nil {
		return false, err
	}
	action, err := e.recordHealth(c, s, check != c.Health.Check, result)
	if err != nil {
		return false, err
	}
	if err := e.actOnHealth(ctx, c.ID, action); err != nil {
		return false, err
	}
	if result.late {
		return false, errdef.Newf(errdef.ErrUnavailable, "healthcheck command exceeded timeout of %s", check.Timeout)
	}
	return result.ExitCode == 0, nil
}

// checkTimedOut is the exit status that a check has which ran too long.
const checkTimedOut = 125

// check runs one check's command in the container.
func (e *Engine) check(ctx context.Context, c *container.Config, s Status, check *container.Check) (r HealthResult, err error) {
	args := check.Test[1:]
	if check.Test[0] == "CMD-SHELL" {
		args = append([]string{"/bin/sh", "-c"}, args...)
	}
	if len(args) == 0 {
		return r, errdef.Newf(errdef.ErrInvalid, "the health check of container %s names no command", c.ID)
	}
	defer runtime.WarmCgroups()()
	process, err := e.execProcess(c, s.Pid, &ExecRequest{Command: args})
	if err != nil {
		return r, err
	}
	rt, err := e.runtime(c.Runtime)
	if err != nil {
		return r, err
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return r, fmt.Errorf("open pipe: %w", err)
	}
	defer ours.Close()
	r.Start = time.Now().UTC().Format(time.RFC3339Nano)
	started, err := rt.Exec(ctx, c.ID, runtime.Process{Process: process, IO: runtime.IO{Stdout: theirs, Stderr: theirs}})
	theirs.Close()
	if err != nil {
		r.End, r.ExitCode, r.Output = time.Now().UTC().Format(time.RFC3339Nano), runtime.ExitCode(err, 126), err.Error()
		return r, nil
	}
	limit := int64(orElse(deref(c.Health.MaxSize, defaultLogSize), 1<<20)) // nobody reads more than a megabyte
	output := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(ours, limit))
		io.Copy(io.Discard, ours) // the command isn't to hang on a full pipe
		output <- string(text)
	}()
	if r.ExitCode, r.late, err = waitCheck(ctx, started.Pid, check.Timeout); err != nil {
		return r, err
	}
	r.End = time.Now().UTC().Format(time.RFC3339Nano)
	// What the command left running may hold the pipe open: the reader then
	// gives what has come so far.
	ours.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
	r.Output = <-output
	return r, nil
}

func deref[T any](p *T, other T) T {
	if p == nil {
		return other
	}
	return *p
}

// waitCheck waits for the check's process, which is killed when its time is
// out.
func waitCheck(ctx context.Context, pid int, timeout time.Duration) (status int, late bool, err error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, false, fmt.Errorf("wait for the health check: %w", err)
	}
	defer unix.Close(pidfd)
	ended, err := waitPidfd(ctx, pidfd, orElse(timeout, defaultTimeout))
	if !ended {
		unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
	}
	status, werr := waitChild(pid)
	switch {
	case err != nil:
		return 0, false, err
	case !ended:
		return checkTimedOut, true, werr
	}
	return status, false, werr
}

// recordHealth keeps the result, tells of it, and has the monitor look again
// when it is time. It returns the action that the result calls for.
func (e *Engine) recordHealth(c *container.Config, s Status, startup bool, r HealthResult) (action string, err error) {
	held, err := e.lockContainer(c.ID)
	if err != nil {
		return "", err
	}
	defer held.Release()
	if now := e.status(c.ID); now.State != Running || !now.StartedAt.Equal(s.StartedAt) {
		return "", errdef.Newf(errdef.ErrConflict, "container %s has ended meanwhile", c.ID)
	}
	h := e.healthOf(c.ID, s.StartedAt)
	if startup {
		action = h.startup(c.Health.Startup, r.ExitCode)
	} else {
		action = h.regular(&c.Health, s.StartedAt, r.ExitCode)
	}
	h.Log = append(h.Log, r)
	if n := int(deref(c.Health.MaxCount, defaultLogCount)); n > 0 && len(h.Log) > n {
		h.Log = h.Log[len(h.Log)-n:]
	}
	if err := e.saveHealth(c, h); err != nil {
		return "", err
	}
	if e.Config.Engine.HealthcheckEvents {
		ev := containerEvent(c, "health_status")
		ev.HealthStatus, ev.HealthFailingStreak = h.Status, h.FailingStreak
		if c.Health.Destination == "events_logger" {
			ev.HealthLog = r.Output
		}
		e.event(ev)
	}
	e.nextCheck(c.ID, h.interval(&c.Health, s.StartedAt))
	return action, nil
}

// regular counts a result of the regular check.
func (h *health) regular(conf *container.Health, started time.Time, status int) (action string) {
	if status == 0 {
		h.Status, h.FailingStreak, h.Started = Healthy, 0, true
		return ""
	}
	if !h.Started && time.Since(started) < conf.Check.StartPeriod {
		return "" // it may take its time to come up
	}
	if h.FailingStreak++; h.FailingStreak < conf.Check.Retries {
		return ""
	}
	h.Status = Unhealthy
	return conf.OnFailure
}

// startup counts a result of the startup check: when it has gone well often
// enough the regular one follows, when it has failed too often the container
// is started anew.
func (h *health) startup(conf *container.StartupCheck, status int) (action string) {
	if status == 0 {
		h.FailingStreak = 0
		if h.Successes++; h.Successes >= conf.Successes {
			h.Started = true
		}
		return ""
	}
	h.Successes = 0
	if h.FailingStreak++; conf.Retries > 0 && h.FailingStreak >= conf.Retries {
		return "restart"
	}
	return ""
}

// interval is the time until the next check; negative for none.
func (h *health) interval(conf *container.Health, started time.Time) time.Duration {
	d := conf.Check.Interval
	switch {
	case d == 0:
	case conf.Startup != nil && !h.Started:
		d = conf.Startup.Interval
	case conf.Startup != nil && h.Status == Starting && h.FailingStreak == 0:
		return 0 // the regular check takes over
	case !h.Started && conf.Check.StartInterval > 0 && time.Since(started) < conf.Check.StartPeriod:
		d = conf.Check.StartInterval
	}
	if d == 0 {
		return -1
	}
	return d
}

func (e *Engine) saveHealth(c *container.Config, h health) error {
	path := healthLogPath(c)
	if path != "" {
		var all []HealthResult
		if data, err := os.ReadFile(path); err == nil {
			json.Unmarshal(data, &all)
		}
		all = append(all, h.Log[len(h.Log)-1])
		if n := int(deref(c.Health.MaxCount, defaultLogCount)); n > 0 && len(all) > n {
			all = all[len(all)-n:]
		}
		if err := writeJSON(path, all); err != nil {
			return err
		}
		h.Log = nil
	}
	return writeJSON(filepath.Join(e.Store.ContainerDir(c.ID), healthFile), h)
}

func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err == nil {
		err = atomicfile.Write(path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("record the health: %w", err)
	}
	return nil
}

// nextCheck has the monitor run the check in so long; never where negative.
// Without a monitor there is nobody to do it, as there is nobody to see.
func (e *Engine) nextCheck(id string, in time.Duration) {
	conn, err := monitor.Connect(e.Store.ContainerRunDir(id))
	if err != nil {
		return
	}
	defer conn.Close()
	ms := in.Milliseconds()
	if in < 0 {
		ms = -1
	}
	conn.Send(wire.Health, []byte(strconv.FormatInt(ms, 10)))
}

// actOnHealth does what is to be done to an unhealthy container.
func (e *Engine) actOnHealth(ctx context.Context, id, action string) (err error) {
	switch action {
	case "kill":
		_, err = e.Kill(id, int(unix.SIGKILL))
	case "stop":
		_, err = e.Stop(ctx, id, nil)
	case "restart":
		err = e.Restart(ctx, id, nil)
	}
	return err
}
