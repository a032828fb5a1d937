// Package lock is the engine's locks: a file per object on the run root, held
// with flock, so the kernel lets go of it when its holder dies. Where several
// are needed they are taken in the order network, pod, container by ID.
package lock

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Lock is a held lock.
type Lock struct {
	file *os.File
	path string
}

// Acquire takes the lock called name in dir, and waits for it.
func Acquire(dir, name string) (*Lock, error) {
	path := filepath.Join(dir, name)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if os.IsNotExist(err) {
			if err = os.MkdirAll(dir, 0o700); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("lock %q: %w", name, err)
		}
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %q: %w", name, err)
		}
		// Whoever held it before may have removed the file with its object.
		if same(f, path) {
			return &Lock{f, path}, nil
		}
		f.Close()
	}
}

func same(f *os.File, path string) bool {
	ours, err1 := f.Stat()
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(ours, there)
}

// Release lets the lock go.
func (l *Lock) Release() { l.file.Close() }

// Remove lets the lock go and removes its file: its object is no more.
func (l *Lock) Remove() {
	os.Remove(l.path)
	l.file.Close()
}

// Forget removes the file of a lock whose object is no more, unless somebody
// holds it, who will see to that.
func Forget(dir, name string) {
	path := filepath.Join(dir, name)
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && same(f, path) {
		os.Remove(path)
	}
}
