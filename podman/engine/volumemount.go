package engine

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/lock"
	"github.com/podsuite/podsuite/podman/engine/volume"
	"github.com/podsuite/podsuite/shared/errdef"
)

// Volumes with a file system of their own are mounted while somebody holds
// them: a file for each holder, in a directory of the volume's on the run root.
// It goes with the mount at a reboot.

func (e *Engine) holdersDir(name string) string { return filepath.Join(e.runDir("volumes"), name) }

// withVolume runs do with the volume's lock held.
func (e *Engine) withVolume(name string, do func(v *volume.Volume) error) error {
	v, err := e.LookupVolume(name)
	if isNotFound(err) {
		return errdef.Newf(errdef.ErrNotFound, "no volume with name %q found: no such volume", name)
	}
	if err != nil {
		return err
	}
	held, err := lock.Acquire(e.runDir("locks"), "volume-"+v.Name)
	if err != nil {
		return err
	}
	defer held.Release()
	return do(&v)
}

// holdVolume mounts the volume for the holder, if it isn't mounted yet.
func (e *Engine) holdVolume(v *volume.Volume, holder string) error {
	dir := e.holdersDir(v.Name)
	if err := mkdirPrivate(dir); err != nil {
		return err
	}
	holders, err := e.holders(v.Name)
	if err != nil {
		return err
	}
	if len(holders) == 0 {
		// What a holder that was killed has left is taken off first.
		if err := v.Unmount(); err != nil {
			return err
		}
		if err := v.Mount(); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, holder), nil, 0o600); err != nil {
		return fmt.Errorf("mount volume %s: %w", v.Name, err)
	}
	return nil
}

// holders lists who holds the volume; processes that are gone hold nothing.
func (e *Engine) holders(name string) ([]string, error) {
	list, err := os.ReadDir(e.holdersDir(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list mounts of volume %s: %w", name, err)
	}
	var holders []string
	for _, entry := range list {
		if pid, ok := strings.CutPrefix(entry.Name(), processHolder); ok {
			if _, err := os.Stat("/proc/" + pid); err != nil {
				os.Remove(filepath.Join(e.holdersDir(name), entry.Name()))
				continue
			}
		}
		holders = append(holders, entry.Name())
	}
	return holders, nil
}

// How holders are called that are no containers.
const (
	userHolder    = "user-"    // and a number: somebody's podman volume mount
	processHolder = "process-" // and the pid of a podman that works on it
)

// dropVolume gives up the holder's mount; the last one unmounts.
func (e *Engine) dropVolume(v *volume.Volume, holder string) error {
	dir := e.holdersDir(v.Name)
	err := os.Remove(filepath.Join(dir, holder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("unmount volume %s: %w", v.Name, err)
	}
	if holders, err := e.holders(v.Name); err != nil || len(holders) > 0 {
		return err
	}
	if err := v.Unmount(); err != nil {
		return err
	}
	return os.Remove(dir)
}

// releaseVolumes gives up the mounts of a container whose run is over.
func (e *Engine) releaseVolumes(c *container.Config) error {
	var errs []error
	for _, m := range c.Mounts {
		if m.Type != "volume" {
			continue
		}
		if _, err := os.Lstat(filepath.Join(e.holdersDir(m.Name), c.ID)); err != nil {
			continue
		}
		err := e.withVolume(m.Name, func(v *volume.Volume) error { return e.dropVolume(v, c.ID) })
		if err != nil && !isNotFound(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// MountVolume mounts a volume on the host and returns where.
func (e *Engine) MountVolume(name string) (path string, err error) {
	err = e.withVolume(name, func(v *volume.Volume) error {
		path = v.Mountpoint
		if !v.NeedsMount() {
			return nil
		}
		holders, err := e.holders(v.Name)
		if err != nil {
			return err
		}
		n := 0
		for slices.Contains(holders, userHolder+strconv.Itoa(n)) {
			n++
		}
		return e.holdVolume(v, userHolder+strconv.Itoa(n))
	})
	return path, err
}

// UnmountVolume takes back one MountVolume.
func (e *Engine) UnmountVolume(name string) error {
	return e.withVolume(name, func(v *volume.Volume) error {
		holders, err := e.holders(v.Name)
		if err != nil {
			return err
		}
		for _, h := range holders {
			if strings.HasPrefix(h, userHolder) {
				return e.dropVolume(v, h)
			}
		}
		return nil
	})
}

// mountedVolume runs do with the volume mounted.
func (e *Engine) mountedVolume(name string, do func(v *volume.Volume) error) error {
	return e.withVolume(name, func(v *volume.Volume) error {
		if !v.NeedsMount() {
			return do(v)
		}
		holder := processHolder + strconv.Itoa(os.Getpid())
		if err := e.holdVolume(v, holder); err != nil {
			return err
		}
		return errors.Join(do(v), e.dropVolume(v, holder))
	})
}

// ExportVolume writes what is in a volume as a tar.
func (e *Engine) ExportVolume(ctx context.Context, name string, w io.Writer) error {
	return e.mountedVolume(name, func(v *volume.Volume) error {
		tree, err := fscopy.OpenTree(v.Mountpoint, nil)
		if err != nil {
			return fmt.Errorf("export volume %s: %w", v.Name, err)
		}
		defer tree.Close()
		source, err := tree.Find("/")
		if err != nil {
			return err
		}
		out := tar.NewWriter(w)
		if err := tree.Archive(ctx, out, source, ""); err != nil {
			return fmt.Errorf("export volume %s: %w", v.Name, err)
		}
		return out.Close()
	})
}

// ImportVolume unpacks a tar, compressed or not, into a volume; what is there
// stays unless the tar has it, too.
func (e *Engine) ImportVolume(ctx context.Context, name string, r io.Reader) error {
	return e.mountedVolume(name, func(v *volume.Volume) error {
		err := fscopy.Extract(ctx, v.Mountpoint, r, fscopy.Options{Dest: "/"})
		if errors.Is(err, errdef.ErrInvalid) {
			return errdef.Newf(errdef.ErrInvalid, "unpacking archive into volume %s: %w", v.Name, err)
		}
		if err != nil {
			return fmt.Errorf("import into volume %s: %w", v.Name, err)
		}
		return nil
	})
}
