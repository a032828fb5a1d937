package engine

import (
	"encoding/json"
	"os"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/event"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
)

// What containers.conf asks for when a container is made.

// checkPivot refuses to run containers with the root that chroot gives: a
// process can leave it.
func (e *Engine) checkPivot() error {
	if e.Config.Engine.NoPivotRoot {
		return errdef.Newf(errdef.ErrUnsupported, "containers.conf has engine.no_pivot_root = true: that is not supported, as a process can leave such a root")
	}
	return nil
}

// createEvent is a new container's event, with what inspect says if that is
// wanted.
func (e *Engine) createEvent(c *container.Config) event.Event {
	made := containerEvent(c, "create")
	if !e.Config.Engine.EventsCreateInspectData {
		return made
	}
	info, err := e.Inspect(c.ID)
	if err == nil {
		var text []byte
		text, err = json.Marshal(info)
		made.ContainerInspectData = string(text)
	}
	if err != nil {
		cliout.Warn(os.Stderr, "note container %q in the event: %v", c.Name, err)
	}
	return made
}

// fillVolumes gives the container's new volumes the image's files, which the
// first start does otherwise. Those that take a mount of their own wait for it.
func (e *Engine) fillVolumes(c *container.Config) error {
	root, err := e.mountRoot(c)
	if err != nil {
		return err
	}
	defer e.Store.Unmount(c.ID, false)
	user, err := lookupUser(root, c.User, nil)
	if err != nil {
		return err
	}
	for i := range c.Mounts {
		m := &c.Mounts[i]
		if m.Type != "volume" {
			continue
		}
		if v, err := e.Volumes().Get(m.Name); err != nil || v.NeedsMount() {
			continue
		}
		if err := e.fillVolume(c, m, root, int(user.UID), int(user.GID)); err != nil {
			return err
		}
	}
	return nil
}
