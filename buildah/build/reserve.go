package build

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/store"
)

// The space, in bytes, that a build holds back on the file systems of the
// store: to remove a working container from a full one, the lists of what is
// left must be written.
const (
	reserveGraph = 1 << 20
	reserveRun   = 256 << 10
)

func reserveDir(st *store.Store) string { return filepath.Join(cacheDir(st), "reserve") }

// hold reserves the space: the lock file is what holds the run root's.
func (w *workshop) hold() error {
	if err := os.MkdirAll(reserveDir(w.st), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(reserveDir(w.st), w.id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, part := range []struct {
		file *os.File
		size int64
	}{{f, reserveGraph}, {w.lock, reserveRun}} {
		err := unix.Fallocate(int(part.file.Fd()), 0, 0, part.size)
		if err == unix.ENOSPC || err == unix.EDQUOT {
			return &os.PathError{Op: "write", Path: part.file.Name(), Err: err}
		}
	}
	return nil // a file system that can't reserve does without
}

// release gives the space of a build back.
func release(st *store.Store, id string, lock *os.File) {
	_ = os.Remove(filepath.Join(reserveDir(st), id))
	if lock != nil {
		_ = lock.Truncate(0)
	}
}

// releaseDead gives back what dead builds held. alive tells of the others.
func releaseDead(st *store.Store, alive func(id string) bool) {
	entries, _ := os.ReadDir(reserveDir(st)) // none: nothing to give back
	for _, entry := range entries {
		if !alive(entry.Name()) {
			release(st, entry.Name(), nil)
		}
	}
}
