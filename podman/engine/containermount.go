package engine

import (
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/userns"
)

// Mounted is a container whose root file system is mounted on the host.
type Mounted struct {
	Container
	Path string
}

// Mount mounts a container's root file system and returns where.
func (e *Engine) Mount(nameOrID string) (path string, err error) {
	if userns.Rootless() && !userns.CallerInside() {
		// The mount would be seen in this program's own namespace alone.
		return "", errdef.Newf(errdef.ErrUnsupported, "cannot run command \"podman mount\" in rootless mode, must execute `podman unshare` first")
	}
	err = e.withContainer(nameOrID, func(c *container.Config) error {
		if path, err = e.mountRoot(c); err == nil {
			e.event(containerEvent(c, "mount"))
		}
		return err
	})
	return path, err
}

// Unmount takes back a mount; with force all of them. One that a running
// container needs stays.
func (e *Engine) Unmount(nameOrID string, force bool) error {
	return e.withContainer(nameOrID, func(c *container.Config) error {
		s := e.status(c.ID)
		if s.Running() {
			return nil // its own mount is not ours to take
		}
		at, err := e.Store.MountPoint(c.ID)
		if err != nil || at == "" {
			return err
		}
		if err := e.Store.Unmount(c.ID, force); err != nil {
			return err
		}
		e.event(containerEvent(c, "unmount"))
		return nil
	})
}

// MountedContainers lists podman's containers that are mounted.
func (e *Engine) MountedContainers() ([]Mounted, error) {
	all, err := e.List(nil)
	if err != nil {
		return nil, err
	}
	var list []Mounted
	for i := range all {
		at, err := e.Store.MountPoint(all[i].ID)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if at != "" {
			list = append(list, Mounted{all[i], at})
		}
	}
	return list, nil
}
