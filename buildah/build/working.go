package build

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

// workingMeta is the metadata of a working container: which build it is of. A
// build holds a lock on the file of that name while it lives.
type workingMeta struct {
	Build string `json:"build"`
}

// workshop makes a build's working containers and removes them at its end.
type workshop struct {
	st   *store.Store
	rt   runtime.Runtime
	id   string
	lock *os.File

	mu         sync.Mutex
	containers map[string]string // ID → mount point, "" when not mounted
	images     []string          // mounted
	guests     []string          // containers of others that are mounted
}

func locksDir(st *store.Store) string { return filepath.Join(st.RunRoot(), "build-locks") }

func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func openWorkshop(st *store.Store, rt runtime.Runtime) (*workshop, error) {
	if err := os.MkdirAll(locksDir(st), 0o700); err != nil {
		return nil, err
	}
	for {
		id := randomID()
		f, err := os.OpenFile(filepath.Join(locksDir(st), id), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			f.Close()
			return nil, err
		}
		var stat unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &stat); err == nil && stat.Nlink > 0 {
			w := &workshop{st: st, rt: rt, id: id, lock: f, containers: map[string]string{}}
			if err := w.hold(); err != nil {
				return nil, errors.Join(err, w.close())
			}
			return w, nil
		}
		f.Close() // Heal took the file for a dead build's before it was locked
	}
}

// create makes a working container on an image or a layer, both empty for
// scratch, and mounts it.
func (w *workshop) create(image, topLayer string) (id, root string, err error) {
	metadata, err := json.Marshal(workingMeta{w.id})
	if err != nil {
		return "", "", err
	}
	c, err := w.st.CreateContainer(store.NewContainer{
		ImageID: image, TopLayer: topLayer, Metadata: string(metadata), Volatile: true,
	})
	if err != nil {
		return "", "", fmt.Errorf("creating build container: %w", err)
	}
	w.note(c.ID, "")
	if root, err = w.st.Mount(c.ID); err != nil {
		return "", "", fmt.Errorf("creating build container: %w", err)
	}
	w.note(c.ID, root)
	return c.ID, root, nil
}

func (w *workshop) note(id, root string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.containers[id] = root
}

// unmount unmounts a working container, which a commit asks for.
func (w *workshop) unmount(id string) error {
	w.note(id, "")
	return w.st.Unmount(id, true)
}

// remove takes a working container away.
func (w *workshop) remove(id string) error {
	w.mu.Lock()
	root, ok := w.containers[id]
	delete(w.containers, id)
	w.mu.Unlock()
	if !ok {
		return nil
	}
	if root != "" {
		if err := w.st.Unmount(id, true); err != nil {
			return err
		}
	}
	return w.st.RemoveContainer(id)
}

// mountImage mounts an image read-only until the end of the build.
func (w *workshop) mountImage(id string) (string, error) {
	root, err := w.st.MountImage(id)
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.images = append(w.images, id)
	return root, nil
}

// mountContainer mounts somebody else's container until the end of the build.
func (w *workshop) mountContainer(id string) (string, error) {
	root, err := w.st.Mount(id)
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.guests = append(w.guests, id)
	return root, nil
}

// close removes everything the build made for itself.
func (w *workshop) close() error {
	var errs []error
	release(w.st, w.id, w.lock)
	for _, id := range w.ids() {
		errs = append(errs, w.remove(id))
	}
	for _, id := range w.images {
		errs = append(errs, w.st.UnmountImage(id, false))
	}
	for _, id := range w.guests {
		errs = append(errs, w.st.Unmount(id, false))
	}
	errs = append(errs, os.Remove(w.lock.Name()), w.lock.Close())
	return errors.Join(errs...)
}

func (w *workshop) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := make([]string, 0, len(w.containers))
	for id := range w.containers {
		ids = append(ids, id)
	}
	return ids
}

// Heal removes what builds that were killed left behind: their working
// containers, with what may still run in them, and their lock files.
func Heal(ctx context.Context, st *store.Store, cfg *config.Config, rt runtime.Runtime) error {
	entries, err := os.ReadDir(locksDir(st))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	containers, err := st.Containers()
	if err != nil {
		return err
	}
	dead := map[string]*os.File{} // a nil file: the lock went with a reboot
	defer func() {
		for _, f := range dead {
			if f != nil {
				os.Remove(f.Name())
				f.Close()
			}
		}
	}()
	for _, entry := range entries {
		if f := takeLock(filepath.Join(locksDir(st), entry.Name())); f != nil {
			dead[entry.Name()] = f
		}
	}
	alive := func(build string) bool {
		f, known := dead[build]
		if known {
			release(st, build, f)
			return false
		}
		_, err := os.Lstat(filepath.Join(locksDir(st), build))
		return err == nil
	}
	releaseDead(st, alive)
	var errs []error
	for _, c := range containers {
		build := buildOf(c)
		if build == "" || alive(build) {
			continue
		}
		errs = append(errs, rt.Delete(ctx, c.ID, true), healNetwork(ctx, st, cfg, c.ID), st.Unmount(c.ID, true), st.RemoveContainer(c.ID))
	}
	return errors.Join(errs...)
}

// buildOf is the build that a container works for, "" if it is of another kind.
func buildOf(c store.Container) string {
	var meta workingMeta
	if !strings.HasPrefix(c.Metadata, `{"build":`) || json.Unmarshal([]byte(c.Metadata), &meta) != nil {
		return ""
	}
	if meta.Build != filepath.Base(meta.Build) {
		return ""
	}
	return meta.Build
}

// takeLock opens and locks the file if nobody holds it.
func takeLock(name string) *os.File {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		f.Close()
		return nil
	}
	return f
}
