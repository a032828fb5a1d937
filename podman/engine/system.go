package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/event"
	"golang.org/x/sys/unix"
)

// SystemPruneRequest removes what nobody uses.
type SystemPruneRequest struct {
	All     bool // images that no container uses, not only those without a name
	Volumes bool
	Filters []string
}

// SystemPruned is what a system prune has removed.
type SystemPruned struct {
	Pods, Containers, Volumes, Images []string
	Size                              int64 // bytes
}

// SystemPrune removes stopped pods and containers, then volumes and images that
// nobody uses. It goes on after an error.
func (e *Engine) SystemPrune(ctx context.Context, req SystemPruneRequest) (done SystemPruned, errs []error) {
	for _, f := range req.Filters {
		if err := checkPruneFilter(f); err != nil {
			return done, []error{err}
		}
	}
	if len(req.Filters) == 0 { // which say something of containers and images
		done.Pods, errs = e.PrunePods(ctx)
	}
	containers, more := e.PruneContainers(ctx, req.Filters)
	errs = append(errs, more...)
	for _, c := range containers {
		done.Containers, done.Size = append(done.Containers, c.ID), done.Size+c.Size
	}
	if req.Volumes {
		errs = append(errs, e.pruneVolumes(ctx, req.Filters, &done)...)
	}
	_, before, err := e.Store.ImageUsage()
	if err != nil {
		return done, append(errs, err)
	}
	done.Images, err = e.PruneImages(ctx, PruneImagesRequest{All: req.All, Filters: req.Filters})
	if err != nil {
		errs = append(errs, err)
	}
	for _, id := range done.Images {
		done.Size += before[id].Unique
	}
	return done, errs
}

func (e *Engine) pruneVolumes(ctx context.Context, filters []string, done *SystemPruned) []error {
	unused, err := e.ListVolumes(append([]string{"dangling=true"}, filters...))
	if err != nil {
		return []error{err}
	}
	for _, v := range unused {
		size := treeSize(v.Mountpoint)
		removed, errs := e.RemoveVolumes(ctx, RemoveVolumesRequest{Names: []string{v.Name}, Unused: true})
		if len(errs) > 0 {
			return errs
		}
		if len(removed) > 0 {
			done.Volumes, done.Size = append(done.Volumes, v.Name), done.Size+size
		}
	}
	return nil
}

// Renumber is for lock numbers, of which there are none: a lock is a file of
// its object's. That it was asked for is recorded.
func (e *Engine) Renumber() {
	e.event(event.Event{Type: event.System, Status: "renumber"})
}

// Migrate brings containers to this version's form, which they have: their
// files are read by every version. With a runtime they are stopped and get
// that one.
func (e *Engine) Migrate(ctx context.Context, runtime string) error {
	if runtime == "" {
		return nil
	}
	if _, err := e.runtime(runtime); err != nil {
		return err
	}
	list, err := e.List(nil)
	if err != nil {
		return err
	}
	var errs []error
	for i := range list {
		err := e.withContainer(list[i].ID, func(c *container.Config) error {
			if s := e.status(c.ID); s.Running() {
				if err := e.stop(ctx, c, nil); err != nil {
					return err
				}
			}
			if err := e.cleanup(ctx, c); err != nil {
				return err
			}
			c.Runtime = runtime
			return e.saveConfig(c)
		})
		if err != nil && !isNotFound(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Reset removes all pods, containers, images, volumes and secrets, and then the
// directories of the store themselves.
func (e *Engine) Reset(ctx context.Context) error {
	list, err := e.List(nil)
	if err != nil {
		return err
	}
	no := uint(0)
	pods, err := e.Pods().List()
	if err != nil {
		return err
	}
	for _, p := range pods {
		if _, err := e.RemovePod(ctx, p.ID, RemovePodRequest{Force: true, Timeout: &no}); err != nil && !isNotFound(err) {
			return err
		}
	}
	for i := range list {
		err := e.Remove(ctx, list[i].ID, RemoveRequest{Force: true, Volumes: true, Depend: true, Timeout: &no})
		if err != nil && !isNotFound(err) {
			return err
		}
	}
	_, errs := e.RemoveVolumes(ctx, RemoveVolumesRequest{All: true, Force: true})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	external, err := e.ExternalContainers()
	if err != nil {
		return err
	}
	for i := range external {
		if err := e.Store.RemoveContainer(external[i].ID); err != nil && !isNotFound(err) {
			return err
		}
	}
	if _, errs := e.RemoveImages(ctx, RemoveImagesRequest{All: true, Force: true}); len(errs) > 0 {
		return errors.Join(errs...)
	}
	return e.removeRoots()
}

// removeRoots removes what is left of the store: the parts by their names,
// never more of a directory than is podman's.
func (e *Engine) removeRoots() error {
	volumes := e.Volumes().Path()
	roots := []string{e.Store.GraphRoot(), e.Store.RunRoot()}
	driver := e.Store.Driver()
	if err := e.Store.Close(); err != nil {
		return err
	}
	unmountBelow(roots)
	if err := os.RemoveAll(volumes); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	parts := []string{driver, driver + "-containers", driver + "-images", driver + "-layers", driver + "-locks", "secrets", "podman", "tmp", "cache",
		"networks", "storage.lock", "userns.lock", "db.sql", "libpod", "defaultNetworkBackend", "artifacts", "partial-blobs", "build-cache", "claims", "pods"}
	var errs []error
	for _, root := range roots {
		for _, part := range parts {
			errs = append(errs, os.RemoveAll(filepath.Join(root, part)))
		}
		os.Remove(root) // unless it holds something of others
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

// unmountBelow takes off what is mounted in the directories, the deepest
// first.
func unmountBelow(dirs []string) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	var points []string
	for line := range strings.SplitSeq(string(data), "\n") {
		fields := strings.Fields(line)
		const pointField = 4
		if len(fields) <= pointField {
			continue
		}
		for _, dir := range dirs {
			if strings.HasPrefix(fields[pointField], dir+"/") {
				points = append(points, fields[pointField])
			}
		}
	}
	for i := len(points) - 1; i >= 0; i-- {
		_ = unix.Unmount(points[i], unix.MNT_DETACH)
	}
}
