package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// Rename gives a container another name. The store's record decides which
// name is whose; the configuration follows.
func (e *Engine) Rename(nameOrID, name string) error {
	if !container.ValidName(name) {
		return errdef.Newf(errdef.ErrInvalid, "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument")
	}
	return e.withContainer(nameOrID, func(c *container.Config) error {
		if c.Name == name {
			return nil
		}
		if err := e.Store.RenameContainer(c.ID, name); err != nil {
			return nameTaken(name, err)
		}
		old := *c
		c.Name = name
		if err := e.saveConfig(c); err != nil {
			return err
		}
		if s := e.status(c.ID); s.Running() {
			if err := errors.Join(e.nameInPod(&old, false), e.nameInPod(c, true)); err != nil {
				return err
			}
			if err := e.announce(context.Background(), c); err != nil {
				return err
			}
		}
		e.event(containerEvent(c, "rename"))
		return nil
	})
}

// nameTaken words the error of a name that another container has.
func nameTaken(name string, err error) error {
	taken := new(store.ConflictError)
	if errors.As(err, &taken) {
		return errdef.Newf(errdef.ErrConflict, "the container name %q is already in use by %s: that name is already in use", name, taken.Owner)
	}
	return err
}

// withContainer finds a container, takes its lock and gives its present
// configuration to do.
func (e *Engine) withContainer(nameOrID string, do func(c *container.Config) error) error {
	found, err := e.Lookup(nameOrID)
	if err != nil {
		return err
	}
	held, err := e.lockContainer(found.ID)
	if err != nil {
		return err
	}
	defer held.Release()
	c, err := e.configuration(found.ID)
	if isNotFound(err) {
		return noContainer(nameOrID, err)
	}
	if err != nil {
		return err
	}
	return do(c)
}

// saveConfig replaces the container's configuration, the lock held, and the
// summary that listings read.
func (e *Engine) saveConfig(c *container.Config) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write container configuration: %w", err)
	}
	if err := e.Store.SetContainerData(c.ID, container.ConfigKey, data); err != nil {
		return err
	}
	summary, err := json.Marshal(c.Summary())
	if err != nil {
		return fmt.Errorf("write container summary: %w", err)
	}
	return e.Store.SetContainerMetadata(c.ID, string(summary))
}
