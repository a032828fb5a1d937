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
	to, ours, err := e.layerOf(nameOrID)
	if err != nil {
		return nil, err
	}
	from := ""
	if other != "" {
		if from, _, err = e.layerOf(other); err != nil {
			return nil, err
		}
	}
	all, err := e.Store.Changes(from, to)
	if err != nil {
		return nil, err
	}
	if ours {
		// What every container has of its run is no change of anybody's.
		all = slices.DeleteFunc(all, func(c store.Change) bool { return slices.Contains(runFiles(), c.Path) })
	}
	slices.SortFunc(all, func(a, b store.Change) int { return cmp.Compare(a.Path, b.Path) })
	return all, nil
}

// runFiles are the places where a container's run mounts something: their
// mount points, where they had to be made.
func runFiles() []string {
	return []string{"/dev", "/dev/console", "/dev/init", "/dev/shm", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/mtab",
		"/proc", "/run", "/run/.containerenv", "/run/notify", "/run/secrets", "/sys", "/var/run/.containerenv"}
}

// layerOf is the top layer of a container, which comes first, or an image.
func (e *Engine) layerOf(nameOrID string) (layer string, isContainer bool, err error) {
	c, err := e.Lookup(nameOrID)
	if err == nil {
		return c.LayerID, true, nil
	}
	if !isNotFound(err) {
		return "", false, err
	}
	image, err := e.LookupImage(nameOrID)
	if err == nil {
		return image.TopLayer, false, nil
	}
	if !isNotFound(err) {
		return "", false, err
	}
	if l, err := e.Store.Layer(nameOrID); err == nil {
		return l.ID, false, nil
	}
	return "", false, errdef.Newf(errdef.ErrNotFound, "%s not found: layer not known", nameOrID)
}
