package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
	"golang.org/x/sys/unix"
)

// RemoveImagesRequest says which images to remove.
type RemoveImagesRequest struct {
	Names   []string
	All     bool
	Force   bool // with the containers that use them, and all their names
	Ignore  bool // what isn't there is no error
	NoPrune bool // parents without a name stay
	Lists   bool // only lists of images may be removed
}

// RemovedImages is what a removal took away.
type RemovedImages struct {
	Untagged []string // names
	Deleted  []string // IDs
}

func (r *RemovedImages) add(more RemovedImages) {
	r.Untagged = append(r.Untagged, more.Untagged...)
	r.Deleted = append(r.Deleted, more.Deleted...)
}

// RemoveImages removes images one after the other and goes on after an error;
// each is reported.
func (e *Engine) RemoveImages(ctx context.Context, req RemoveImagesRequest) (removed RemovedImages, errs []error) {
	names := req.Names
	if req.All {
		images, err := e.ListImages(ListImagesRequest{All: true})
		if err != nil {
			return removed, []error{err}
		}
		for _, img := range images {
			if img.ReadOnly {
				continue // belongs to another store
			}
			names = append(names, img.ID)
		}
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return removed, append(errs, err)
		}
		one, err := e.removeImage(ctx, name, req)
		removed.add(one)
		if err != nil && !(isNotFound(err) && (req.All || req.Ignore || req.Force)) {
			errs = append(errs, err)
		}
	}
	return removed, errs
}

// removeImage takes a name from an image that has others, else the image.
func (e *Engine) removeImage(ctx context.Context, name string, req RemoveImagesRequest) (RemovedImages, error) {
	img, err := e.LookupImage(name)
	if err != nil {
		return RemovedImages{}, err
	}
	if req.Lists {
		if _, err := e.Lists().Find(img.ID); err != nil {
			return RemovedImages{}, err
		}
	}
	if img.ReadOnly {
		return RemovedImages{}, errdef.Newf(errdef.ErrDenied, "cannot remove read-only image %q", img.ID)
	}
	if len(img.Names) > 1 {
		if have, err := e.ownName(img, name); err == nil {
			return RemovedImages{Untagged: []string{have}}, e.UntagImage(img.ID, []string{have})
		}
		if !req.Force && !req.All {
			return RemovedImages{}, errdef.Newf(errdef.ErrConflict, "unable to delete image %q by ID with more than one tag (%v): please force removal", img.ID, img.Names)
		}
	}
	tree, err := e.imageTree()
	if err != nil {
		return RemovedImages{}, err
	}
	if err := e.freeImage(ctx, tree, img.ID, req.Force); err != nil {
		return RemovedImages{}, err
	}
	if !req.All {
		if isBase, err := tree.hasChild(img.ID); err != nil {
			return RemovedImages{}, err
		} else if isBase && len(img.Names) > 0 {
			return RemovedImages{Untagged: img.Names}, e.UntagImage(img.ID, nil)
		} else if isBase && !req.Force {
			return RemovedImages{}, errdef.Newf(errdef.ErrBusy, "image %s is the base of another image: remove that one first", img.ID)
		}
	}
	return e.deleteImage(tree, &img, req.NoPrune || req.All)
}

// freeImage makes sure that no container uses the image.
func (e *Engine) freeImage(ctx context.Context, tree *imageTree, id string, force bool) error {
	users, err := tree.users()
	if err != nil {
		return err
	}
	for _, user := range users[id] {
		if !force {
			return inUse(user)
		}
		if e.isExternal(user) {
			err = e.Store.RemoveContainer(user)
		} else {
			err = e.Remove(ctx, user, RemoveRequest{Force: true, Timeout: new(uint)})
		}
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("remove container %s, which uses image %s: %w", user, id, err)
		}
	}
	return nil
}

func inUse(container string) error {
	return errdef.Newf(errdef.ErrBusy, "image used by %s: image is in use by a container: consider listing external containers and force-removing image", container)
}

// deleteImage deletes the image and then, unless they are kept, its parents as
// long as they have no name and no other use.
func (e *Engine) deleteImage(tree *imageTree, img *store.Image, keepParents bool) (removed RemovedImages, err error) {
	var parents []*store.Image
	if !keepParents {
		if parents, err = tree.loneParents(img); err != nil {
			return removed, err
		}
	}
	for _, one := range append([]*store.Image{img}, parents...) {
		_, err := e.Store.RemoveImage(one.ID)
		if isNotFound(err) && one == img {
			// What it lacked, perhaps a layer, matters no more if it is gone.
			if _, lerr := e.Store.Image(one.ID); isNotFound(lerr) {
				err = nil
			}
		}
		used := new(store.InUseError)
		switch {
		case errors.As(err, &used) && one == img:
			return removed, inUse(used.Containers[0])
		case one != img && (errors.Is(err, errdef.ErrBusy) || isNotFound(err)):
			return removed, nil // someone came to use it meanwhile, or removed it
		case err != nil:
			return removed, err
		}
		for _, name := range one.Names {
			e.event(imageEvent(one.ID, name, "untag"))
		}
		e.event(imageEvent(one.ID, "", "remove"))
		removed.Untagged = append(removed.Untagged, one.Names...)
		removed.Deleted = append(removed.Deleted, one.ID)
	}
	return removed, nil
}

// loneParents lists the image's ancestors, from the nearest on, that are there
// for its sake alone.
func (t *imageTree) loneParents(img *store.Image) ([]*store.Image, error) {
	users, err := t.users()
	if err != nil {
		return nil, err
	}
	var lone []*store.Image
	gone := map[string]bool{img.ID: true}
	for {
		up, err := t.ancestor(img, func(other *store.Image) bool { return !gone[other.ID] })
		if err != nil || up == nil || len(up.Names) > 0 || len(users[up.ID]) > 0 {
			return lone, err
		}
		for i := range t.images {
			if gone[t.images[i].ID] {
				continue
			}
			if above, err := t.ancestor(&t.images[i], func(other *store.Image) bool { return other.ID == up.ID }); err != nil || above != nil {
				return lone, err
			}
		}
		gone[up.ID] = true
		lone, img = append(lone, up), up
	}
}

// PruneImagesRequest says which unused images to remove.
type PruneImagesRequest struct {
	All      bool // those with names too
	External bool // those that only containers of other tools use too, with these
	Filters  []string

	BuildCache bool // the contents of builds' cache mounts too
}

// PruneImages removes images that nothing uses and returns their IDs. An
// image that can't be removed, because it came into use meanwhile, stays.
func (e *Engine) PruneImages(ctx context.Context, req PruneImagesRequest) ([]string, error) {
	terms, err := parseImageFilters(req.Filters)
	if err != nil {
		return nil, err
	}
	for _, f := range terms {
		if f.key != "label" && f.key != "until" {
			return nil, errdef.Newf(errdef.ErrInvalid, "%q can't be used as a filter to prune images: choose label or until", f.key)
		}
	}
	filters := slices.Clone(req.Filters)
	if !req.External {
		filters = append(filters, "containers=false")
	}
	if !req.All {
		filters = append(filters, "dangling=true")
	}
	e.Store.Sweep()
	images, err := e.ListImages(ListImagesRequest{All: true, Filters: filters})
	if err == nil && req.BuildCache {
		err = e.pruneCacheMounts()
	}
	if err != nil {
		return nil, err
	}
	var removed RemovedImages
	for _, img := range images {
		if slices.Contains(removed.Deleted, img.ID) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return removed.Deleted, err
		}
		tree, err := e.imageTree()
		if err != nil {
			return removed.Deleted, err
		}
		users, err := tree.users()
		if err != nil {
			return removed.Deleted, err
		}
		if slices.ContainsFunc(users[img.ID], func(id string) bool { return !e.isExternal(id) }) {
			continue
		}
		if err := e.freeImage(ctx, tree, img.ID, req.External); err != nil && !errors.Is(err, errdef.ErrBusy) {
			return removed.Deleted, err
		}
		one, err := e.deleteImage(tree, &img.Image, false)
		removed.add(one)
		if err != nil && !errors.Is(err, errdef.ErrBusy) && !isNotFound(err) {
			return removed.Deleted, err
		}
	}
	return removed.Deleted, nil
}

// pruneCacheMounts removes the contents of cache mounts that no build uses.
func (e *Engine) pruneCacheMounts() error {
	dir := filepath.Join(e.Store.BuildCache(), "mounts")
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, entry := range entries {
		if err := removeUnlocked(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("remove build cache: %w", err)
		}
	}
	return nil
}

// removeUnlocked removes a directory that nobody holds a lock on.
func removeUnlocked(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil // a build is at it
	}
	return os.RemoveAll(path)
}

// JoinErrors makes one error of several, in the form that lists them; one
// stays as it is.
func JoinErrors(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d errors occurred:", len(errs))
	for _, err := range errs {
		fmt.Fprintf(&text, "\n\t* %v", err)
	}
	return &listedErrors{text.String(), errs}
}

// listedErrors is several errors under one text.
type listedErrors struct {
	text string
	errs []error
}

func (l *listedErrors) Error() string   { return l.text }
func (l *listedErrors) Unwrap() []error { return l.errs }
