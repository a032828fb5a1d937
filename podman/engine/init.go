package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"github.com/podsuite/podsuite/shared/errdef"
)

// Init brings a container up to the point where its command would begin.
func (e *Engine) Init(ctx context.Context, nameOrID string) error {
	if err := e.startDepends(ctx, nameOrID); err != nil {
		return err
	}
	return e.withContainer(nameOrID, func(c *container.Config) error {
		if s := e.status(c.ID); s.Running() {
			return errdef.Newf(errdef.ErrConflict, "container %s has already been created in runtime: container state improper", c.ID)
		}
		s, err := e.start(ctx, c, nil, StartRequest{CreateOnly: true})
		if err != nil {
			return err
		}
		s.conn.Close()
		return nil
	})
}

// startInitialized lets the process of an initialized container begin, the
// lock held. Attached, the streams are connected first, so that no output is
// missed.
func (e *Engine) startInitialized(ctx context.Context, c *container.Config, attach bool) (_ *session, err error) {
	dir := e.Store.ContainerRunDir(c.ID)
	run, ok := monitor.ReadState(filepath.Join(dir, stateFile))
	if !ok {
		return nil, errdef.Newf(errdef.ErrConflict, "start container %q: its process is gone", c.Name)
	}
	s := &session{terminal: c.Terminal, pid: run.Pid}
	if s.conn, err = monitor.Connect(dir); err != nil {
		return nil, err
	}
	if attach {
		err = s.conn.Send(wire.Attach, nil)
	}
	if err == nil {
		err = e.startCreated(ctx, c, run)
	}
	if err != nil {
		s.conn.Close()
		return nil, err
	}
	return s, nil
}

func (e *Engine) startCreated(ctx context.Context, c *container.Config, run monitor.State) error {
	rt, err := e.runtime(c.Runtime)
	if err != nil {
		return err
	}
	if err := rt.Start(ctx, c.ID); err != nil {
		return err
	}
	run.StartedAt = time.Now().UnixNano()
	if err := run.Write(filepath.Join(e.Store.ContainerRunDir(c.ID), stateFile)); err != nil {
		return fmt.Errorf("start container %q: %w", c.Name, err)
	}
	if c.Health.Checked() {
		e.nextCheck(c.ID, 0)
	}
	e.event(containerEvent(c, "start"))
	return nil
}
