package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/store"
)

// PruneMounts empties the cache mounts that no step has locked.
func PruneMounts(ctx context.Context, st *store.Store) error {
	top := filepath.Join(cacheDir(st), "mounts")
	entries, err := os.ReadDir(top)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := pruneMount(filepath.Join(top, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func pruneMount(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil // a step works with it
	}
	return os.RemoveAll(dir)
}
