package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// The states of a container, as users know them.
const (
	Created     = "created"
	Initialized = "initialized"
	Running     = "running"
	Paused      = "paused"
	Exited      = "exited"
)

// Status is what a container is doing now.
type Status struct {
	State     string
	Pid       int
	Monitor   int
	StartedAt time.Time
	ExitedAt  time.Time
	ExitCode  int

	outOfMemory bool // of an exited one, as in its exit record
}

// Running says whether the container has a process.
func (s *Status) Running() bool {
	return s.State == Running || s.State == Paused || s.State == Initialized
}

// The files of a container's run, in its directory on the run root; the exit
// record lies in its persistent directory too.
const (
	stateFile = "state.json"
	exitFile  = "exit"

	// begunFile is there from before the first part of a run is set up until
	// after the last is given back.
	begunFile = "begun"
)

// exitCodeLost is reported where a container ended and its monitor had been
// killed before it could record the exit.
const exitCodeLost = 137

// status reads what the container is doing, without a lock: the state file
// says who was started, the process table whether it lives, the exit record
// how it ended.
func (e *Engine) status(id string) Status {
	dir := e.Store.ContainerRunDir(id)
	run, ok := monitor.ReadState(filepath.Join(dir, stateFile))
	s := Status{State: Created}
	if ok {
		s.StartedAt = time.Unix(0, run.StartedAt)
		if run.Alive() {
			s.Pid, s.Monitor = run.Pid, run.Monitor
			switch {
			case run.StartedAt == 0:
				s.State, s.StartedAt = Initialized, time.Time{}
			case e.frozen(id):
				s.State = Paused
			default:
				s.State = Running
			}
			return s
		}
		if exit, ok := e.exitOf(id, run); ok {
			s.State, s.ExitCode, s.ExitedAt, s.outOfMemory = Exited, exit.Code, exit.At, exit.OutOfMemory
			return s
		}
		s.State, s.ExitCode = Exited, exitCodeLost
		return s
	}
	if last, ok := monitor.ReadExit(filepath.Join(e.Store.ContainerDir(id), exitFile)); ok {
		s.State, s.ExitCode, s.ExitedAt, s.StartedAt = Exited, last.Code, last.At, last.Started
	}
	return s
}

// exitOf reads how a run has ended. Its monitor, while there is one, has yet to
// record that; and who cleans up meanwhile takes one of the records away, but
// not before the other is there.
func (e *Engine) exitOf(id string, run monitor.State) (exit monitor.Exit, ok bool) {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		start, zombie := monitor.PidStart(run.Monitor)
		recording := start != 0 && start <= run.PidStart && !zombie // not a later process of its number
		if exit, ok := monitor.ReadExit(filepath.Join(e.Store.ContainerRunDir(id), exitFile)); ok {
			return exit, true
		}
		exit, ok := monitor.ReadExit(filepath.Join(e.Store.ContainerDir(id), exitFile))
		if ok && run.StartedAt != 0 && !exit.At.Before(time.Unix(0, run.StartedAt)) {
			return exit, true
		}
		if !recording || time.Now().After(deadline) {
			return monitor.Exit{}, false
		}
	}
}

// frozen says whether the container is paused: a mark on the run root, which
// pausing makes and everything that ends or wakes the container removes.
func (e *Engine) frozen(id string) bool {
	_, err := os.Stat(filepath.Join(e.Store.ContainerRunDir(id), pausedFile))
	return err == nil
}

// Lookup finds a container by name, ID or the beginning of one.
func (e *Engine) Lookup(nameOrID string) (store.Container, error) {
	c, err := e.Store.Container(nameOrID)
	if err != nil {
		return store.Container{}, noContainer(nameOrID, err)
	}
	if _, ok := summary(c); !ok {
		return store.Container{}, noContainer(nameOrID, errdef.ErrNotFound)
	}
	return c, nil
}

// Names of what is not podman's are not found, like names of nothing.
func noContainer(name string, err error) error {
	if isNotFound(err) {
		return errdef.Newf(errdef.ErrNotFound, "no container with name or ID %q found: no such container", name)
	}
	return err
}

// summary reads the summary that lies with the store's record.
func summary(c store.Container) (container.Summary, bool) {
	var s container.Summary
	if json.Unmarshal([]byte(c.Metadata), &s) != nil {
		return s, false
	}
	return s, s.Owner == container.Owner
}

// configuration reads the container's configuration.
func (e *Engine) configuration(id string) (*container.Config, error) {
	data, err := e.Store.ContainerData(id, container.ConfigKey)
	if err != nil {
		return nil, err
	}
	c := new(container.Config)
	return c, json.Unmarshal(data, c)
}

// Running says whether the container's process runs.
func (e *Engine) Running(id string) bool { return e.status(id).State == Running }

// Active says whether the container has a process.
func (c *Container) Active() bool { return c.Status.Running() }
