package store

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.podman.io/storage"
	"go.podman.io/storage/pkg/stringid"
	"golang.org/x/sys/unix"
)

// Layers become part of the store one after the other, and of an image only when
// all are there; an image goes before its layers do. So who makes or removes an
// image lists, in a claim, the layers that it makes, counts on or removes. Those
// of a killed process that nothing uses are removed: of a removal at once, of an
// image in the making when nobody came back for them. Who counts on a layer
// names it first and looks for it then, so that the two never cross.

// What ends the name of a claim that lists the layers of an image in the making,
// and of one that is removed.
const (
	layering = ".layers"
	unmaking = ".rmi"
)

const (
	// layersAge is the age at which layers of a killed process are taken for
	// given up: until then a second attempt makes use of them.
	layersAge = partialAge
	// writtenAge is the age at which layers are taken for written to the disk:
	// the kernel does so after half a minute.
	writtenAge = 15 * time.Minute
	// recorded is the last line of a list of which all have their image.
	recorded = "recorded"
)

// layersClaim is this process's list of layers without an image.
type layersClaim struct {
	name   string // of the claim; "" = none yet
	listed map[string]bool
	made   bool // some of them
}

// claimLayer lists the layer in this process's claim, on the disk if it is to be
// made.
func (s *Store) claimLayer(id string, made bool) error {
	s.layering.Lock()
	defer s.layering.Unlock()
	c := &s.layers
	if c.listed[id] && !made {
		return nil
	}
	if c.name == "" {
		name := stringid.GenerateRandomID() + layering
		if err := s.claim(name); err != nil {
			return err
		}
		if err := s.list(name, s.boot); err != nil {
			return err
		}
		c.name, c.listed = name, map[string]bool{}
	}
	if err := s.list(c.name, id); err != nil {
		return err
	}
	c.listed[id] = true
	c.made = c.made || made
	if made {
		return s.claimed(c.name).Sync()
	}
	return nil
}

// list writes layers to a claim of this process.
func (s *Store) list(claim string, layers ...string) error {
	unlock, err := s.lockClaims(unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer unlock()
	_, err = s.claimed(claim).WriteString(strings.Join(layers, "\n") + "\n")
	return err
}

// unlistLayers takes the layer and those under it from the claim: an image has
// them now. The claim of those that were made stays until they are on the disk.
func (s *Store) unlistLayers(top string) {
	s.layering.Lock()
	defer s.layering.Unlock()
	c := &s.layers
	for id := top; id != "" && len(c.listed) > 0; {
		delete(c.listed, id)
		l, err := s.lib.Layer(id)
		if err != nil {
			break
		}
		id = l.Parent
	}
	if c.name == "" || len(c.listed) > 0 {
		return
	}
	if c.made && s.list(c.name, recorded) == nil {
		s.abandon(c.name)
	} else {
		s.release(c.name)
	}
	*c = layersClaim{}
}

// discountLayers ends the claim of what never became an image, if the layers
// were only looked for. Those that were made are for a second attempt.
func (s *Store) discountLayers() {
	s.layering.Lock()
	defer s.layering.Unlock()
	if s.layers.name != "" && !s.layers.made {
		s.release(s.layers.name)
		s.layers = layersClaim{}
	}
}

// claimRemoval lists the image's layers in a claim, until end is called. If the
// image is gone by then and its layers may not be, the claim stays for the next
// command to finish, as in RemoveContainer.
func (s *Store) claimRemoval(image string) (end func(removed bool), err error) {
	i, err := s.lib.Image(image)
	if err != nil {
		return nil, err
	}
	var layers []string
	for id := i.TopLayer; id != ""; {
		layers = append(layers, id)
		l, err := s.lib.Layer(id)
		if err != nil {
			break // it is damaged
		}
		id = l.Parent
	}
	slices.Reverse(layers)
	name := i.ID + unmaking
	if err := s.claim(name); err != nil {
		return nil, err
	}
	if err := s.list(name, append(layers, i.MappedTopLayers...)...); err != nil {
		s.release(name)
		return nil, err
	}
	return func(removed bool) {
		if removed || s.lib.Exists(i.ID) {
			s.release(name)
		}
	}, nil
}

// lockClaims keeps others from removing what is left of images meanwhile
// (LOCK_SH), or from listing layers and making images (LOCK_EX).
func (s *Store) lockClaims(how int) (unlock func(), err error) { return lockDir(s.claimsDir(), how) }

func lockDir(path string, how int) (unlock func(), err error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), how); err != nil {
		dir.Close()
		return nil, err
	}
	return func() { dir.Close() }, nil
}

// endLayers removes the layers of a killed process's claim that nothing uses, and
// the files of the image, unless "", that went before them.
func (s *Store) endLayers(h healing, claim *os.File, image string) error {
	if err := unix.Flock(int(claim.Fd()), unix.LOCK_UN); err != nil { // nobody lives who counts on them
		return err
	}
	list := readList(claim)
	if list.boot != s.boot && image == "" {
		if err := s.verify(h, list.layers); err != nil {
			return err
		}
	} else if list.recorded {
		return nil // they are on the disk by now, and went with their image if that is gone
	}
	layers := list.layers
	slices.Reverse(layers) // the upper ones first
	for _, id := range layers {
		if err := s.removeLeftLayer(h, id); err != nil {
			return err
		}
	}
	if _, err := s.lib.Image(image); errors.Is(err, storage.ErrImageUnknown) && isHex(image) {
		return os.RemoveAll(filepath.Join(s.imageRoot(), s.Driver()+"-images", image))
	}
	return nil
}

// removeLeftLayer removes the layer, and those under it, as far as nothing uses
// them and nobody counts on them.
func (s *Store) removeLeftLayer(h healing, id string) error {
	for id != "" && !h.counted()[id] {
		l, err := s.lib.Layer(id)
		if err == nil {
			err = s.lib.DeleteLayer(id)
		}
		for _, stays := range []error{storage.ErrLayerUnknown, storage.ErrNotALayer, storage.ErrLayerHasChildren, storage.ErrLayerUsedByImage, storage.ErrLayerUsedByContainer} {
			if errors.Is(err, stays) {
				return nil
			}
		}
		if err != nil {
			return err
		}
		id = l.Parent
	}
	return nil
}

// countedOn are the layers that living processes list.
func (s *Store) countedOn() map[string]bool {
	counted := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(s.claimsDir(), "*"+layering))
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil {
			for _, id := range readList(f).layers {
				counted[id] = true
			}
		}
		f.Close()
	}
	return counted
}

// layersList is what a claim says.
type layersList struct {
	boot     string
	layers   []string // in the order in which they came
	recorded bool     // all have their image
}

func readList(claim *os.File) (l layersList) {
	lines := bufio.NewScanner(io.NewSectionReader(claim, 0, 1<<20))
	for i := 0; lines.Scan(); i++ {
		switch line := lines.Text(); {
		case line == recorded:
			l.recorded = true
		case isHex(line) && len(line) == 64:
			l.layers = append(l.layers, line)
		case i == 0:
			l.boot = line
		}
	}
	return l
}

// givenUp says whether the claim of layers has outlived its purpose.
func (s *Store) givenUp(claim *os.File, age time.Duration) bool {
	l := readList(claim)
	if l.recorded {
		age = writtenAge
	}
	info, err := claim.Stat()
	return err == nil && (len(l.layers) == 0 || l.boot != s.boot || time.Since(info.ModTime()) >= age)
}
