package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.podman.io/storage"
	"golang.org/x/sys/unix"
)

// A container comes into being in several steps, a directory on the run root, a
// layer, the record, and goes in as many; a data item is written before its size
// is recorded, and the record of an image before its configuration. Whoever is
// at one of these holds a claim meanwhile: a locked file below the graph root,
// named after the container or image. The next command takes the files that
// nobody holds for those of killed processes, or of the boot before, and
// finishes what they were at.

// What ends the name of a claim by who changes a container, who removes one, and
// who makes an image.
const (
	changing = ".change"
	removal  = ".removal"
	imaging  = ".image"
)

// unnamed begins the names of claims that are being made.
const unnamed = ".claim-"

// ClaimContainer says that this process is about to make the container;
// CreateContainer ends the claim. Without that, ReleaseContainer must.
func (s *Store) ClaimContainer(id string) error {
	if err := s.claim(id); err != nil {
		return fmt.Errorf("claim container %q: %w", id, err)
	}
	return nil
}

// ReleaseContainer ends a claim of this process; none is no error.
func (s *Store) ReleaseContainer(id string) { s.release(id) }

// claim makes the claim of that name, unless this process has it.
func (s *Store) claim(name string) error {
	s.claiming.Lock()
	defer s.claiming.Unlock()
	if s.claims[name] != nil {
		return nil
	}
	s.healOnce()
	f, err := s.newClaim()
	for err == nil {
		if err = s.nameClaim(f, name); err == nil {
			break
		}
		f.Close()
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		f, err = s.newClaim() // another process took it for one of a killed process
	}
	if err != nil {
		return err
	}
	if s.claims == nil {
		s.claims = map[string]*os.File{}
	}
	s.claims[name] = f
	return nil
}

// nameClaim gives the claim its name, when nobody is at ending an older one of
// that name.
func (s *Store) nameClaim(f *os.File, name string) error {
	unlock, err := s.lockClaims(unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer unlock()
	return os.Rename(f.Name(), filepath.Join(s.claimsDir(), name))
}

// newClaim makes a claim without a name: it is locked before it gets one.
func (s *Store) newClaim() (*os.File, error) {
	f, err := newLock(s.claimsDir())
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(s.claimsDir(), 0o700); err == nil {
			f, err = newLock(s.claimsDir())
		}
	}
	return f, err
}

// newLock makes a locked file without a name: whoever comes upon one that has its
// name and no lock knows that its owner has ended.
func newLock(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, unnamed)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (s *Store) release(name string) {
	s.claiming.Lock()
	defer s.claiming.Unlock()
	if f := s.claims[name]; f != nil {
		os.Remove(filepath.Join(s.claimsDir(), name))
		f.Close()
		delete(s.claims, name)
	}
}

// abandon leaves a claim of this process as a killed one would.
func (s *Store) abandon(name string) {
	s.claiming.Lock()
	defer s.claiming.Unlock()
	s.claims[name].Close()
	delete(s.claims, name)
}

// claimed is the file of a claim that this process has.
func (s *Store) claimed(name string) *os.File {
	s.claiming.Lock()
	defer s.claiming.Unlock()
	return s.claims[name]
}

// claimsDir is where claims are, below the graph root.
const claimsDir = "claims"

func (s *Store) claimsDir() string { return filepath.Join(s.GraphRoot(), claimsDir) }

// healOnce finishes what killed processes were at.
func (s *Store) healOnce() { s.heal.Do(func() { s.endClaims(layersAge) }) }

// healing is one round of endClaims. As long as it lasts, no claim gets a name and
// no list of layers grows.
type healing struct {
	counted func() map[string]bool // the layers that living processes list
	intact  map[string]bool        // by the layers that were read again
}

// endClaims finishes what killed processes were at; layers of images in the
// making are given up at the age. Nothing depends on its success: the files stay
// for the next one.
func (s *Store) endClaims(age time.Duration) {
	entries, _ := os.ReadDir(s.claimsDir())
	h := healing{counted: sync.OnceValue(s.countedOn), intact: map[string]bool{}}
	var unlock func()
	for _, e := range entries {
		path := filepath.Join(s.claimsDir(), e.Name())
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || strings.HasSuffix(path, layering) && !s.givenUp(f, age) {
			f.Close()
			continue
		}
		if unlock == nil {
			if unlock, err = s.lockClaims(unix.LOCK_EX); err != nil {
				f.Close()
				return
			}
			defer unlock()
		}
		if isAt(f, path) && s.endClaim(h, e.Name(), f) == nil {
			os.Remove(path)
		}
		f.Close()
	}
}

// isAt says whether the path is still the file's.
func isAt(f *os.File, path string) bool {
	have, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(have, now)
}

func (s *Store) endClaim(h healing, name string, f *os.File) error {
	switch {
	case strings.HasPrefix(name, unnamed):
		return nil
	case strings.HasSuffix(name, layering):
		return s.endLayers(h, f, "")
	case strings.HasSuffix(name, unmaking):
		return s.endLayers(h, f, strings.TrimSuffix(name, unmaking))
	}
	if id, image := strings.CutSuffix(name, imaging); image {
		return s.removeHalfImage(id)
	}
	if id, changed := strings.CutSuffix(name, changing); changed {
		return s.recordSizes(id)
	}
	id, removed := strings.CutSuffix(name, removal)
	_, err := s.lib.Container(id)
	switch {
	case err == nil && !removed:
		return nil
	case err == nil:
		err = s.lib.DeleteContainer(id)
	case errors.Is(err, storage.ErrContainerUnknown):
		if err = s.removeLayer(containerLayer(id)); err == nil {
			err = os.RemoveAll(filepath.Dir(s.ContainerRunDir(id)))
		}
	}
	if err == nil && s.opts.Healed != nil {
		s.opts.Healed(id)
	}
	return err
}

// removeHalfImage removes the image if it lacks its configuration or manifest,
// and layers that it alone has.
func (s *Store) removeHalfImage(id string) error {
	i, err := s.lib.Image(id)
	if errors.Is(err, storage.ErrImageUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	if slices.Contains(i.BigDataNames, "sha256:"+id) && slices.Contains(i.BigDataNames, manifestKey) {
		return nil
	}
	_, err = s.lib.DeleteImage(id, true)
	return err
}

// recordSizes makes the record of the container's data items say what is there.
func (s *Store) recordSizes(id string) error {
	names, err := s.lib.ListContainerBigData(id)
	if errors.Is(err, storage.ErrContainerUnknown) {
		return nil
	}
	for _, name := range names {
		var data []byte
		if data, err = s.lib.ContainerBigData(id, name); err == nil {
			err = s.lib.SetContainerBigData(id, name, data)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// removeLayer removes the layer if it is there.
func (s *Store) removeLayer(id string) error {
	err := s.lib.DeleteLayer(id)
	if errors.Is(err, storage.ErrLayerUnknown) || errors.Is(err, storage.ErrNotALayer) {
		return nil
	}
	return err
}

// containerLayer is the ID of a container's read-write layer.
func containerLayer(container string) string {
	sum := sha256.Sum256([]byte("container layer " + container))
	return hex.EncodeToString(sum[:])
}
