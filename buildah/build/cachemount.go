package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/store"
)

// cacheMount gives a directory that later builds find as this one left it.
func (r *runStep) cacheMount(ctx context.Context, spec *specs.Spec, m dockerfile.Mount) error {
	filled := ""
	key := []string{cmp.Or(m.ID, m.Target), fmt.Sprint(m.UID, m.GID)}
	if m.From != "" {
		dir, id, err := r.s.b.source(ctx, m.From, r.s.planned.Index)
		if err != nil {
			return err
		}
		if filled, err = rootfs.ResolvePath(dir, m.Source); err != nil {
			return fmt.Errorf("mount source %q: %w", m.Source, err)
		}
		if id == "" || strings.Contains(id, ":") {
			id = m.From // a working container is another one each time
		}
		key = append(key, id, m.Source)
	}
	dir := filepath.Join(cacheDir(r.s.b.st), "mounts", cacheKey(key...))
	for n := 0; ; n++ {
		place := dir
		if n > 0 && m.Sharing == "private" {
			place += fmt.Sprintf("-%d", n)
		}
		if err := makeCache(ctx, place, filled, m); err != nil {
			return err
		}
		locked, err := r.lockCache(ctx, place, m.Sharing)
		if err != nil {
			return err
		}
		if locked {
			dir = place
			break
		}
	}
	options := []string{"rbind", "bind", "nosuid", "nodev", "rprivate"}
	if m.ReadOnly {
		options = append(options, "ro")
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{Destination: m.Target, Type: "bind", Source: dir, Options: options})
	return nil
}

// cacheName is the file that says what users call the cache directory.
func cacheName(dir string) string { return dir + ".name" }

// makeCache makes the directory if it is missing. It comes into being with all that it
// starts with, which is a copy of what lies in filled.
func makeCache(ctx context.Context, dir, filled string, m dockerfile.Mount) error {
	if _, err := os.Lstat(dir); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
		return err
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), ".new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	f, err := os.Open(made)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil { // prune leaves it alone
		return err
	}
	if filled != "" {
		if err := fillCache(ctx, made, filled); err != nil {
			return err
		}
	}
	if err := f.Chown(m.UID, m.GID); err != nil {
		return err
	}
	if err := unix.Fchmod(int(f.Fd()), cmp.Or(m.Mode, 0o755)); err != nil {
		return err
	}
	if err := os.WriteFile(cacheName(dir), []byte(cmp.Or(m.ID, m.Target)), 0o600); err != nil {
		return err
	}
	// Somebody else's, made meanwhile, is as good, and may be in use, empty as it is.
	if err := unix.Renameat2(unix.AT_FDCWD, made, unix.AT_FDCWD, dir, unix.RENAME_NOREPLACE); err != nil && err != unix.EEXIST {
		return &os.LinkError{Op: "rename", Old: made, New: dir, Err: err}
	}
	return nil
}

func fillCache(ctx context.Context, dir, from string) error {
	tree, err := fscopy.OpenTree(from, nil)
	if err != nil {
		return err
	}
	defer tree.Close()
	sources, err := tree.List([]string{"."})
	if err != nil {
		return err
	}
	return tree.Copy(ctx, dir, sources, fscopy.Options{Dest: "/"})
}

// lockCache keeps others from a cache directory, or from changing that it is
// there, until the step ends. It is false where the directory is gone, or is
// somebody's and not to be shared.
func (r *runStep) lockCache(ctx context.Context, dir, sharing string) (bool, error) {
	f, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	how := map[string]int{"locked": unix.LOCK_EX, "private": unix.LOCK_EX | unix.LOCK_NB}[sharing]
	locked := make(chan error, 1)
	go func() { locked <- unix.Flock(int(f.Fd()), cmp.Or(how, unix.LOCK_SH)) }()
	select {
	case err = <-locked:
	case <-ctx.Done():
		err = ctx.Err()
	}
	there, statErr := os.Stat(dir)
	held, heldErr := f.Stat()
	gone := statErr != nil || heldErr != nil || !os.SameFile(there, held)
	if err != nil || gone {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = nil
		}
		return false, err
	}
	r.locks = append(r.locks, f)
	return true, nil
}

// PruneMounts removes the cache mounts that no step uses, and gives the names
// of those that it removed.
func PruneMounts(ctx context.Context, st *store.Store) ([]string, error) {
	top := filepath.Join(cacheDir(st), "mounts")
	entries, err := os.ReadDir(top)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return names, err
		}
		if !entry.IsDir() {
			continue
		}
		name, err := pruneMount(filepath.Join(top, entry.Name()))
		if err != nil {
			return names, err
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// pruneMount gives the name of what it removed, if it is known.
func pruneMount(dir string) (string, error) {
	f, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return "", nil // a step works with it
	}
	name, _ := os.ReadFile(cacheName(dir)) // directories of older builds have none
	_ = os.Remove(cacheName(dir))
	return string(name), os.RemoveAll(dir)
}
