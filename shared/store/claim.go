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
	"time"

	"github.com/sirupsen/logrus"
	"go.podman.io/storage"
	"golang.org/x/sys/unix"
)

// A container comes into being in several steps, a directory on the run root, a
// layer, the record, and goes in as many; a data item is written before its size
// is recorded. Who makes, changes or removes one holds a claim meanwhile: a locked file on the run root, named after the container. The next
// command takes the files that nobody holds for those of killed processes, and
// finishes what they were at. The run root does not survive a reboot; the first
// claim of a boot looks at all containers and layers instead.

// Who makes an image does likewise: its record is written before its
// configuration and manifest.

// What ends the name of a claim by who removes a container, who changes one, and
// who makes an image.
const (
	imaging  = ".image"
	removal  = ".removal"
	changing = ".change"
)

// ClaimContainer says that this process is about to make the container;
// CreateContainer ends the claim. Without that, ReleaseContainer must.
func (s *Store) ClaimContainer(id string) error {
	if err := s.claim(id); err != nil {
		return fmt.Errorf("claim container %q: %w", id, err)
	}
	return nil
}

func (s *Store) claim(name string) error {
	s.claiming.Lock()
	defer s.claiming.Unlock()
	if s.claims[name] != nil {
		return nil
	}
	s.heal.Do(s.endClaims)
	dir := s.claimsDir()
	if err := os.Mkdir(dir, 0o700); err == nil {
		s.removeStrays(nil)
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// It is locked before it can be seen.
	f, err := os.CreateTemp(dir, unnamed)
	if err != nil {
		return err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		f.Close()
		return err
	}
	if s.claims == nil {
		s.claims = map[string]*os.File{}
	}
	s.claims[name] = f
	return nil
}

// unnamed begins the names of claims that are being made.
const unnamed = ".claim-"

// ReleaseContainer ends a claim of this process; none is no error.
func (s *Store) ReleaseContainer(id string) {
	s.claiming.Lock()
	defer s.claiming.Unlock()
	if f := s.claims[id]; f != nil {
		os.Remove(filepath.Join(s.claimsDir(), id))
		f.Close()
		delete(s.claims, id)
	}
}

func (s *Store) claimsDir() string { return filepath.Join(s.RunRoot(), "container-claims") }

// endClaims finishes what killed processes were at. Nothing depends on its
// success: the files stay for the next one.
func (s *Store) endClaims() {
	entries, _ := os.ReadDir(s.claimsDir())
	for _, e := range entries {
		path := filepath.Join(s.claimsDir(), e.Name())
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && s.endClaim(e.Name()) == nil {
			os.Remove(path)
		}
		f.Close()
	}
}

func (s *Store) endClaim(name string) error {
	if strings.HasPrefix(name, unnamed) {
		return nil
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
		layer := containerLayer(id)
		s.removeStrays(func(l string) bool { return l == layer })
		err = os.RemoveAll(filepath.Dir(s.ContainerRunDir(id)))
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

// strayLayerAge keeps the sweep of a new boot off layers that another program
// is about to put a container on.
const strayLayerAge = time.Minute

// removeStrays removes layers of containers that do not exist: those that only
// accepts, or all that are old enough, and then containers without a layer, too.
// What the library does by itself when it looks at its lists, removing layers
// that were not finished, happens on the way.
func (s *Store) removeStrays(only func(layer string) bool) {
	layers, err := s.lib.Layers()
	if err != nil {
		return
	}
	used := map[string]bool{}
	containers, err := s.lib.Containers()
	if err != nil {
		return
	}
	for i := range containers {
		used[containers[i].LayerID] = true
		if only == nil && time.Since(containers[i].Created) > strayLayerAge && !s.lib.Exists(containers[i].LayerID) {
			_ = s.lib.DeleteContainer(containers[i].ID)
		}
	}
	images, err := s.lib.Images()
	if err != nil {
		return
	}
	for i := range images {
		used[images[i].TopLayer] = true
		for _, l := range images[i].MappedTopLayers {
			used[l] = true
		}
	}
	for i := range layers {
		used[layers[i].Parent] = true
	}
	for i := range layers {
		l := &layers[i]
		// Layers of images have digests.
		if used[l.ID] || l.UncompressedDigest != "" || l.CompressedDigest != "" || len(l.Names) > 0 {
			continue
		}
		if only != nil && only(l.ID) || only == nil && time.Since(l.Created) > strayLayerAge {
			if s.lib.DeleteLayer(l.ID) == nil {
				logrus.Infof("removed layer %s: the command that made it for a container was killed", l.ID)
			}
		}
	}
}

// containerLayer is the ID of a container's read-write layer.
func containerLayer(container string) string {
	sum := sha256.Sum256([]byte("container layer " + container))
	return hex.EncodeToString(sum[:])
}
