package engine

import (
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/podsuite/podsuite/shared/store"
	"golang.org/x/sys/unix"
)

// DiskUsage is what images, containers and volumes take up, in bytes.
type DiskUsage struct {
	Images     []ImageUsage
	ImagesSize int64 // layers that images share count once
	Containers []ContainerUsage
	Volumes    []VolumeUsage
}

// ImageUsage is one image's part.
type ImageUsage struct {
	store.Image
	store.ImageLayers
	Size       int64
	Containers int
}

// ContainerUsage is one container's part.
type ContainerUsage struct {
	Container
	Size    int64
	Volumes int
}

// VolumeUsage is one volume's part.
type VolumeUsage struct {
	Name  string
	Links int // containers that mount it
	Size  int64
}

// DiskUsage measures the store.
func (e *Engine) DiskUsage() (*DiskUsage, error) {
	u := new(DiskUsage)
	for _, measure := range []func(*DiskUsage) error{e.imagesUsage, e.containersUsage, e.volumesUsage} {
		if err := measure(u); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(u.Images, func(a, b ImageUsage) int { return b.Created.Compare(a.Created) })
	return u, nil
}

func (e *Engine) imagesUsage(u *DiskUsage) error {
	total, byImage, err := e.Store.ImageUsage()
	if err != nil {
		return err
	}
	images, err := e.Store.Images()
	if err != nil {
		return err
	}
	containers, err := e.Store.Containers()
	if err != nil {
		return err
	}
	using := map[string]int{}
	for _, c := range containers {
		using[c.ImageID]++
	}
	u.ImagesSize = total
	for _, image := range images {
		layers := byImage[image.ID]
		u.Images = append(u.Images, ImageUsage{image, layers, layers.Shared + layers.Unique, using[image.ID]})
	}
	return nil
}

func (e *Engine) containersUsage(u *DiskUsage) error {
	list, err := e.List(nil)
	if err != nil {
		return err
	}
	for _, c := range list {
		size, err := e.ContainerSize(c.ID)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		u.Containers = append(u.Containers, ContainerUsage{c, size.Changes, len(c.Mounts)})
	}
	return nil
}

func (e *Engine) volumesUsage(u *DiskUsage) error {
	volumes, err := e.ListVolumes(nil)
	if err != nil {
		return err
	}
	users, err := e.volumeUsers()
	if err != nil {
		return err
	}
	for _, v := range volumes {
		u.Volumes = append(u.Volumes, VolumeUsage{v.Name, len(users[v.Name]), treeSize(v.Mountpoint)})
	}
	return nil
}

// treeSize is the size of the files in a directory; a file with several names
// counts once. What can't be read counts nothing.
func treeSize(dir string) int64 {
	var total int64
	seen := map[uint64]bool{}
	filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		var st unix.Stat_t
		if unix.Lstat(name, &st) == nil && !seen[st.Ino] {
			seen[st.Ino] = true
			total += st.Size
		}
		return nil
	})
	return total
}

// Active says whether a container is made from the image.
func (i *ImageUsage) Active() bool { return i.Containers > 0 }

// ActiveContainers counts those that run.
func (u *DiskUsage) ActiveContainers() (n int) {
	for i := range u.Containers {
		if s := u.Containers[i].State; s == Running || s == Paused {
			n++
		}
	}
	return n
}
