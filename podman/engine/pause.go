package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
)

// pausedFile marks a container that is frozen, so that a listing need not
// look into control groups.
const pausedFile = "paused"

// Pause freezes a running container.
func (e *Engine) Pause(ctx context.Context, nameOrID string) error {
	return e.freeze(ctx, nameOrID, Running, func(c *container.Config) error {
		if c.Cgroups == container.CgroupsDisabled {
			return errdef.Newf(errdef.ErrConflict, "cannot pause without using Cgroups: this container does not have a cgroup")
		}
		rt, err := e.runtime(c.Runtime)
		if err != nil {
			return err
		}
		if err := rt.Pause(ctx, c.ID); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(e.Store.ContainerRunDir(c.ID), pausedFile), nil, 0o600); err != nil {
			return fmt.Errorf("pause container %q: %w", c.Name, err)
		}
		e.event(containerEvent(c, "pause"))
		return nil
	})
}

// Unpause lets a paused container go on.
func (e *Engine) Unpause(ctx context.Context, nameOrID string) error {
	return e.freeze(ctx, nameOrID, Paused, func(c *container.Config) error { return e.thaw(ctx, c) })
}

func (e *Engine) freeze(ctx context.Context, nameOrID, from string, do func(*container.Config) error) error {
	found, err := e.Lookup(nameOrID)
	if err != nil {
		return err
	}
	held, err := e.lockContainer(found.ID)
	if err != nil {
		return err
	}
	defer held.Release()
	switch state := e.status(found.ID).State; {
	case state == from:
	case state == Paused:
		return errdef.Newf(errdef.ErrConflict, "%q is already paused: container state improper", found.ID)
	default:
		return errdef.Newf(errdef.ErrConflict, "%q is not %s, can't %s: container state improper", found.ID,
			from, map[string]string{Running: "pause", Paused: "unpause"}[from])
	}
	config, err := e.configuration(found.ID)
	if err != nil {
		return err
	}
	return do(config)
}

func (e *Engine) thaw(ctx context.Context, c *container.Config) error {
	rt, err := e.runtime(c.Runtime)
	if err != nil {
		return err
	}
	if err := rt.Resume(ctx, c.ID); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(e.Store.ContainerRunDir(c.ID), pausedFile)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("unpause container %q: %w", c.Name, err)
	}
	e.event(containerEvent(c, "unpause"))
	return nil
}
