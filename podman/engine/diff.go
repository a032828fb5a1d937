package engine

import (
	"cmp"
	"slices"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// Diff lists what a container or an image has changed: of a container what is
// other than in its image, of an image what its last layer brought. With a
// second one the two are compared. It is sorted by path.
func (e *Engine) Diff(nameOrID, other string) ([]store.Change, error) {
	to, err := e.layerOf(nameOrID)
	if err != nil {
		return nil, err
	}
	from := ""
	if other != "" {
		if from, err = e.layerOf(other); err != nil {
			return nil, err
		}
	}
	all, err := e.Store.Changes(from, to)
	if err != nil {
		return nil, err
	}
	return changesByPath(all), nil
}

// DiffImages lists what an image has that another one, or without one its layer
// below the top, has not.
func (e *Engine) DiffImages(name, other string) ([]store.Change, error) {
	img, err := e.lookupSingle(name)
	if err != nil {
		return nil, err
	}
	from := ""
	if other != "" {
		base, err := e.lookupSingle(other)
		if err != nil {
			return nil, err
		}
		from = base.TopLayer
	}
	if img.TopLayer == "" {
		return nil, nil
	}
	all, err := e.Store.Changes(from, img.TopLayer)
	return changesByPath(all), err
}

// changesByPath sorts changes and leaves out what every container, and every
// step of a build, has of its run, which is no change of anybody's.
func changesByPath(all []store.Change) []store.Change {
	all = slices.DeleteFunc(all, func(c store.Change) bool { return slices.Contains(runFiles(), c.Path) })
	slices.SortFunc(all, func(a, b store.Change) int { return cmp.Compare(a.Path, b.Path) })
	return all
}

// runFiles are the places where a container's run mounts something: their
// mount points, where they had to be made.
func runFiles() []string {
	return []string{"/dev", "/dev/console", "/dev/init", "/dev/shm", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/mtab",
		"/proc", "/run", "/run/.containerenv", "/run/notify", "/run/secrets", "/sys", "/var/run/.containerenv"}
}

// layerOf is the top layer of a container, which comes first, or an image.
func (e *Engine) layerOf(nameOrID string) (string, error) {
	c, err := e.Lookup(nameOrID)
	if err == nil {
		return c.LayerID, nil
	}
	if !isNotFound(err) {
		return "", err
	}
	image, err := e.lookupSingle(nameOrID)
	if err == nil {
		return image.TopLayer, nil
	}
	if !isNotFound(err) {
		return "", err
	}
	if l, err := e.Store.Layer(nameOrID); err == nil {
		return l.ID, nil
	}
	return "", errdef.Newf(errdef.ErrNotFound, "%s not found: layer not known", nameOrID)
}
