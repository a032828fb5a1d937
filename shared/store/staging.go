package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Staging directories are the library's, which removes those that a killed
// process left only when it shuts a store down. So each of ours holds a file
// that is locked while its owner lives, by which others know.
const (
	ownerFile    = "owner.lock"
	lockArtifact = "podsuite.owner-lock"
	// strayAge is the age at which a staging directory without that file is
	// taken for left behind: every owner locks it at once.
	strayAge = time.Hour
)

// claim marks the staging directory as this process's.
func claim(dir string) (*os.File, error) {
	f, err := newLock(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, ownerFile)); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Sweep removes what killed processes left of images and layers that they were
// making; also layers that a second attempt could use.
func (s *Store) Sweep() {
	s.prune.Do(s.pruneStaging)
	s.endClaims(0)
}

// pruneStaging removes what killed processes left. Nothing depends on its
// success.
func (s *Store) pruneStaging() {
	s.prunePartials()
	s.pruneTemporary()
	base := filepath.Join(s.imageRoot(), s.Driver(), "staging")
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		if dir := filepath.Join(base, e.Name()); abandoned(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

// abandoned says whether nobody works in the staging directory.
func abandoned(dir string) bool {
	f, err := os.Open(filepath.Join(dir, ownerFile))
	if err == nil {
		defer f.Close()
		return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
	}
	info, err := os.Stat(dir)
	if err != nil || time.Since(info.ModTime()) < strayAge {
		return false
	}
	lock, err := os.OpenFile(filepath.Join(dir, "staging.lock"), os.O_RDWR, 0)
	if err != nil {
		return os.IsNotExist(err)
	}
	defer lock.Close()
	held := unix.Flock_t{Type: unix.F_WRLCK}
	err = unix.FcntlFlock(lock.Fd(), unix.F_GETLK, &held)
	return err == nil && held.Type == unix.F_UNLCK
}

// pruneTemporary removes what killed processes did not come to rename, and short
// names of layers that did not come to be.
func (s *Store) pruneTemporary() {
	links, _ := filepath.Glob(filepath.Join(s.imageRoot(), s.Driver(), "l", "*"))
	for _, l := range links {
		if _, err := os.Stat(l); errors.Is(err, fs.ErrNotExist) {
			if info, err := os.Lstat(l); err == nil && time.Since(info.ModTime()) > strayAge {
				_ = os.Remove(l)
			}
		}
	}
	for _, root := range []string{s.GraphRoot(), s.RunRoot()} {
		files, _ := filepath.Glob(filepath.Join(root, s.Driver()+"-*", ".tmp-*"))
		for _, f := range files {
			if info, err := os.Lstat(f); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > strayAge {
				_ = os.Remove(f)
			}
		}
	}
}
