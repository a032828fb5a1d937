package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/lock"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/podman/engine/monitor/image"
	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
)

// StartRequest says how to start a container.
type StartRequest struct {
	Attach     bool
	CreateOnly bool // leave the process before its command
	Streams    Streams

	// Descriptors of this process that the container's gets under the same
	// numbers: so many behind the standard streams, or single ones.
	PreserveFDs uint
	PreserveFD  []uint

	again  bool       // by the restart policy
	passed []*os.File // those descriptors; nil ones are left out
}

// Start starts the container. Attached, it returns when the container has
// exited, with its status, or when the user has detached. Where the container
// can't be started, nothing of it runs, and the error carries the exit status
// that scripts know (125, 126, 127).
func (e *Engine) Start(ctx context.Context, id string, req StartRequest) (status int, err error) {
	return e.startWith(ctx, id, nil, req)
}

// Run makes a container and starts it, as Start does. Its launcher comes up
// while the container is made.
func (e *Engine) Run(ctx context.Context, create *CreateRequest, start StartRequest) (c *container.Config, status int, err error) {
	id := container.NewID()
	if start.passed, err = preserved(start.PreserveFDs, start.PreserveFD); err != nil {
		return nil, 0, err
	}
	var launcher *monitor.Launcher
	if len(create.Publish) == 0 && !create.PublishAll { // a launcher inherits the reserved ports
		if err := e.Store.ClaimContainer(id); err != nil {
			return nil, 0, err
		}
		defer e.Store.ReleaseContainer(id)
		if launcher, err = e.launcher(id, start.passed, direct(first(create.LogDriver, e.Config.Containers.LogDriver))); err != nil {
			return nil, 0, err
		}
	}
	if c, err = e.create(ctx, id, create); err != nil {
		if launcher != nil {
			launcher.Abandon()
			os.RemoveAll(filepath.Dir(e.Store.ContainerRunDir(id)))
		}
		return nil, 0, err
	}
	status, err = e.startWith(ctx, id, launcher, start)
	return c, status, err
}

// launcher starts the container's launcher. It inherits the files: those that
// hold ports, then those for the container; with direct also this process's
// streams, for the container.
func (e *Engine) launcher(id string, files []*os.File, direct bool) (*monitor.Launcher, error) {
	dir := e.Store.ContainerRunDir(id)
	if err := mkdirPrivate(dir); err != nil {
		return nil, err
	}
	program, err := image.Open(e.programDir())
	if err != nil {
		return nil, err
	}
	defer program.Close()
	return monitor.Prepare(program, dir, files, direct)
}

// startWith starts the container with a launcher that is up already, or nil.
func (e *Engine) startWith(ctx context.Context, id string, launcher *monitor.Launcher, req StartRequest) (status int, err error) {
	held, config, err := e.hold(id)
	if err != nil {
		return 0, err
	}
	if idle := e.idle(config.Depends()); len(idle) > 0 {
		held.Release()
		err := e.startAll(ctx, idle)
		if err == nil {
			held, config, err = e.hold(id)
		}
		if err != nil {
			if launcher != nil {
				launcher.Abandon()
			}
			return 0, err
		}
	}
	s, err := e.start(ctx, config, launcher, req)
	held.Release()
	if err != nil || s == nil {
		return 0, err
	}
	defer s.conn.Close()
	if !req.Attach {
		return 0, e.notifyReady(ctx, config)
	}
	if notifies(config) {
		go e.notifyReady(ctx, config)
	}
	status, err = s.run(req.Streams)
	if errors.Is(err, errDetached) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if config.Restart.Restarts() {
		return status, nil // the monitor's business: this command doesn't wait for restarts
	}
	// The monitor leaves the cleaning up to this command while it lives.
	if err := e.Cleanup(ctx, id); err != nil {
		return status, err
	}
	s.conn.Send(wire.Cleaned, nil)
	return status, nil
}

// hold takes the container's lock and reads its present configuration.
func (e *Engine) hold(id string) (*lock.Lock, *container.Config, error) {
	held, err := e.lockContainer(id)
	if err != nil {
		return nil, nil, err
	}
	config, err := e.configuration(id)
	if err != nil {
		held.Remove()
		return nil, nil, noContainer(id, err)
	}
	return held, config, nil
}

// start brings the container up, the lock held. It returns nil where it runs
// already. The container's parts come up side by side: the launcher's
// process, the network, the root file system.
func (e *Engine) start(ctx context.Context, c *container.Config, launcher *monitor.Launcher, req StartRequest) (_ *session, err error) {
	switch s := e.status(c.ID); s.State {
	case Running:
		return nil, nil
	case Initialized:
		return e.startInitialized(ctx, c, req.Attach)
	case Paused:
		return nil, errdef.Newf(errdef.ErrConflict, "unable to start container %s: container is paused: container state improper", c.ID)
	}
	if err := e.cleanup(ctx, c); err != nil {
		return nil, err
	}
	if err := errors.Join(checkPidFiles(c), e.checkPivot()); err != nil {
		if launcher != nil {
			launcher.Abandon()
		}
		return nil, err
	}
	if c.Next != nil {
		if err := errors.Join(e.takeParts(c), e.saveConfig(c)); err != nil {
			return nil, err
		}
	}
	if err := mkdirPrivate(e.Store.ContainerDir(c.ID)); err != nil {
		return nil, err
	}
	if dir := filepath.Dir(c.LogPath); filepath.Base(dir) == c.ID { // below the configured directory
		if err := mkdirPrivate(dir); err != nil {
			return nil, err
		}
	}
	if !req.again {
		if err := e.forgetRestarts(c.ID); err != nil {
			return nil, err
		}
	}
	var ports []*os.File
	if launcher == nil {
		if e.Config.Engine.EnablePortReservation {
			if ports, err = network.HoldPorts(c.Network.Ports); err != nil {
				return nil, &errdef.Exit{Code: 126, Err: e.portTaken(err)}
			}
			defer closeAll(ports)
		}
		if launcher, err = e.launcher(c.ID, slices.Concat(ports, req.passed), direct(c.LogDriver)); err != nil {
			return nil, err
		}
	}
	os.Remove(e.killedPath(c.ID)) // of the last run
	if err := os.WriteFile(filepath.Join(e.Store.ContainerRunDir(c.ID), begunFile), nil, 0o600); err != nil {
		launcher.Abandon()
		return nil, fmt.Errorf("start container %q: %w", c.Name, err)
	}
	if err := e.makePodGroup(c); err != nil {
		launcher.Abandon()
		return nil, err
	}
	connected := make(chan error, 1)
	go func() { connected <- e.connect(ctx, c) }()
	spec, err := e.prepare(ctx, c)
	err = errors.Join(err, <-connected)
	if err == nil {
		err = e.writeBundle(c, spec)
	}
	if err == nil {
		var s session
		notifyMain(c, launcher)
		s.terminal = c.Terminal
		if s.pid, s.conn, err = launcher.Launch(e.launchRequest(c, len(ports), &req), req.Attach); err == nil {
			e.started(c, req)
			if err := e.writePidFiles(c); err != nil {
				cliout.Warn(os.Stderr, "%v", err)
			}
			return &s, nil
		}
	} else {
		launcher.Abandon()
	}
	return nil, errors.Join(err, e.undoStart(ctx, c))
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// undoStart takes back what a start that went wrong has set up.
func (e *Engine) undoStart(ctx context.Context, c *container.Config) error {
	if _, err := e.runtime(c.Runtime); err != nil {
		return e.freeParts(ctx, c) // without a runtime nothing was created
	}
	return e.freeRun(ctx, c)
}

// connect gives the container its network namespace and networks, and its
// files that tell of them.
func (e *Engine) connect(ctx context.Context, c *container.Config) error {
	ns := filepath.Join(e.runDir("netns"), c.ID)
	var status map[string]network.Status
	if err := e.makeNamespaces(c); err != nil {
		return err
	}
	if e.nsPath(c) == ns && c.Network.Mode != "none" {
		m, err := e.networks()
		if err != nil {
			return err
		}
		if status, err = m.Setup(ctx, ns, e.endpoint(c)); err != nil {
			return err
		}
	}
	if len(status) > 0 {
		data, err := json.Marshal(status)
		if err == nil {
			err = os.WriteFile(filepath.Join(e.Store.ContainerRunDir(c.ID), "network.json"), data, 0o600)
		}
		if err != nil {
			return fmt.Errorf("record the network: %w", err)
		}
	}
	return errors.Join(e.writeNetworkFiles(c, status), e.nameInPod(c, true))
}

// launchRequest tells the launcher what to start and where to record it.
func (e *Engine) launchRequest(c *container.Config, held int, req *StartRequest) monitor.Request {
	dir := e.Store.ContainerRunDir(c.ID)
	r := monitor.Request{ID: c.ID, Bundle: dir, Runtime: e.runtimePath(c.Runtime), Flags: e.flagsOf(c.Runtime), Debug: e.debug, NoKeyring: !e.Config.Containers.Keyring, StateDir: e.runtimeDir(),
		Systemd: e.groupOptions(c).SystemdCgroup, NoCgroups: c.Cgroups == container.CgroupsDisabled, Group: e.monitorGroup(c),
		Terminal: c.Terminal, Stdin: c.Stdin, State: filepath.Join(dir, stateFile), Held: held, CreateOnly: req.CreateOnly,
		Exit: []string{filepath.Join(dir, exitFile), filepath.Join(e.Store.ContainerDir(c.ID), exitFile)},
		Self: e.Self, Checked: c.Health.Checked(), LogMax: c.LogMax, Stop: c.StopSignal, Timeout: c.Timeout,
		Log: e.LogPath(c), Direct: direct(c.LogDriver), Notify: e.notifySocket(c)}
	for _, f := range req.passed {
		r.Passed = append(r.Passed, f != nil)
	}
	if c.LogDriver == journald {
		r.Journal, r.Tag = c.Name, e.logTag(c)
	}
	return r
}
