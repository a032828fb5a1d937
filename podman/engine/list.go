package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
)

// List lists podman's containers, the oldest first. It reads the store's list
// and, per container, the state of its run; keep says which summaries are
// worth that.
func (e *Engine) List(keep func(id, name string, s *container.Summary) bool) ([]Container, error) {
	all, err := e.Store.Containers()
	if err != nil {
		return nil, err
	}
	var list []Container
	for _, c := range all {
		s, ok := summary(c)
		if !ok || keep != nil && !keep(c.ID, firstName(c.Names), &s) {
			continue
		}
		list = append(list, Container{ID: c.ID, Name: firstName(c.Names), ImageID: c.ImageID, Summary: s, Status: e.status(c.ID)})
	}
	slices.SortStableFunc(list, func(a, b Container) int { return cmp.Compare(a.Created, b.Created) })
	return list, nil
}

func firstName(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// CreatedTime is when the container was made.
func (c *Container) CreatedTime() time.Time { return time.Unix(0, c.Created) }

// Latest is the container that was made last.
func (e *Engine) Latest() (Container, error) {
	list, err := e.List(nil)
	if err != nil {
		return Container{}, err
	}
	if len(list) == 0 {
		return Container{}, errdef.Newf(errdef.ErrNotFound, "no containers: no such container")
	}
	return list[len(list)-1], nil
}
