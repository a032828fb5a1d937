package engine

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/podman/engine/container"
)

// Storage is the state of a container that another program made in the store.
const Storage = "storage"

// ContainerSize is what a container takes up, in bytes.
type ContainerSize struct {
	Changes int64 // beyond its image
	Root    int64 // the image included
}

// ContainerSize measures the container's files.
func (e *Engine) ContainerSize(id string) (ContainerSize, error) {
	c, err := e.Store.Container(id)
	if err != nil {
		return ContainerSize{}, err
	}
	var s ContainerSize
	if s.Changes, err = e.Store.ChangesSize(c.LayerID); err != nil {
		return s, err
	}
	s.Root = s.Changes
	if c.ImageID == "" {
		return s, nil
	}
	image, err := e.Store.ImageSize(c.ImageID)
	if isNotFound(err) {
		return s, nil
	}
	s.Root += image
	return s, err
}

// ExternalContainers lists the store's containers that aren't podman's.
func (e *Engine) ExternalContainers() ([]Container, error) {
	all, err := e.Store.Containers()
	if err != nil {
		return nil, err
	}
	var list []Container
	for _, c := range all {
		if _, ours := summary(c); ours {
			continue
		}
		x := Container{ID: c.ID, Name: strings.Join(c.Names, ","), ImageID: c.ImageID, Status: Status{State: Storage},
			Summary: container.Summary{Command: []string{"storage"}, Created: c.Created.UnixNano()}}
		if _, err := os.Stat(filepath.Join(e.Store.ContainerDir(c.ID), "..", "buildah.json")); err == nil {
			x.Command = []string{"buildah"}
		}
		if image, err := e.Store.Image(c.ImageID); err == nil {
			x.Image = firstName(image.Names)
		}
		list = append(list, x)
	}
	return list, nil
}
