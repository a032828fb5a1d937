package engine

import (
	"errors"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// MountedImage is an image whose root file system is mounted.
type MountedImage struct {
	store.Image
	Path string
}

// MountImages mounts images read-only. If one can't be, those mounted before it
// are unmounted again.
func (e *Engine) MountImages(names []string, all bool) ([]MountedImage, error) {
	var images []store.Image
	if all {
		found, err := e.ListImages(ListImagesRequest{All: true})
		if err != nil {
			return nil, err
		}
		for _, img := range found {
			if img.TopLayer != "" { // else there is nothing to be seen
				images = append(images, img.Image)
			}
		}
	}
	for _, name := range names {
		img, err := e.lookupSingle(name)
		if err != nil {
			return nil, err
		}
		images = append(images, img)
	}
	mounted := make([]MountedImage, 0, len(images))
	for _, img := range images {
		path, err := e.Store.MountImage(img.ID)
		if err != nil {
			for _, done := range mounted {
				err = errors.Join(err, e.Store.UnmountImage(done.ID, false))
			}
			return nil, err
		}
		mounted = append(mounted, MountedImage{img, path})
		e.event(imageEvent(img.ID, firstName(img.Names), "mount"))
	}
	return mounted, nil
}

// MountedImages lists the images that are mounted.
func (e *Engine) MountedImages() ([]MountedImage, error) {
	images, err := e.ListImages(ListImagesRequest{All: true})
	if err != nil {
		return nil, err
	}
	mounted := []MountedImage{}
	for _, img := range images {
		path, err := e.Store.ImageMountPoint(img.ID)
		if err != nil {
			return nil, err
		}
		if path != "" {
			mounted = append(mounted, MountedImage{img.Image, path})
		}
	}
	return mounted, nil
}

// UnmountImages takes back one mount of each image or, with force, all of
// them, and gives the IDs. With all it is the images that are mounted.
func (e *Engine) UnmountImages(names []string, all, force bool) (ids []string, errs []error) {
	if all {
		mounted, err := e.MountedImages()
		if err != nil {
			return nil, []error{err}
		}
		for _, img := range mounted {
			names = append(names, img.ID)
		}
	}
	for _, name := range names {
		img, err := e.lookupSingle(name)
		if err == nil {
			err = e.Store.UnmountImage(img.ID, force)
		}
		if err != nil && !(all && errors.Is(err, errdef.ErrNotFound)) {
			errs = append(errs, err)
			continue
		}
		e.event(imageEvent(img.ID, firstName(img.Names), "unmount"))
		ids = append(ids, img.ID)
	}
	return ids, errs
}
