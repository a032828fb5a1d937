package store

import (
	"bufio"
	"errors"
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

// layersAge is the age at which layers of a killed process are taken for given
// up: until then a second attempt makes use of them.
const layersAge = partialAge

// layersClaim is this process's list of layers without an image.
type layersClaim struct {
	name   string // of the claim; "" = none yet
	listed map[string]bool
}

// claimLayer lists the layer in this process's claim.
func (s *Store) claimLayer(id string) error {
	s.layering.Lock()
	defer s.layering.Unlock()
	c := &s.layers
	if c.listed[id] {
		return nil
	}
	if c.name == "" {
		name := stringid.GenerateRandomID() + layering
		if err := s.claim(name); err != nil {
			return err
		}
		c.name, c.listed = name, map[string]bool{}
	}
	if err := s.list(c.name, id); err != nil {
		return err
	}
	c.listed[id] = true
	return nil
}

// list writes layers to a claim of this process.
func (s *Store) list(claim string, layers ...string) error {
	unlock, err := s.lockClaims(unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer unlock()
	s.claiming.Lock()
	f := s.claims[claim]
	s.claiming.Unlock()
	_, err = f.WriteString(strings.Join(layers, "\n") + "\n")
	return err
}

// unlistLayers takes the layer and those under it from the claim: an image has
// them now.
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
	if c.name != "" && len(c.listed) == 0 {
		s.release(c.name)
		*c = layersClaim{}
	}
}

// claimRemoval lists the image's layers in a claim, until forget is called.
func (s *Store) claimRemoval(image string) (forget func(), err error) {
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
	forget = func() { s.release(name) }
	if err := s.list(name, append(layers, i.MappedTopLayers...)...); err != nil {
		forget()
		return nil, err
	}
	return forget, nil
}

// lockClaims keeps others from removing left layers meanwhile (LOCK_SH), or from
// listing layers (LOCK_EX).
func (s *Store) lockClaims(how int) (unlock func(), err error) {
	dir, err := os.Open(s.claimsDir())
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), how); err != nil {
		dir.Close()
		return nil, err
	}
	return func() { dir.Close() }, nil
}

// endLayers removes the layers of a killed process's claim that nothing uses.
func (s *Store) endLayers(claim *os.File) error {
	unlock, err := s.lockClaims(unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	if err := unix.Flock(int(claim.Fd()), unix.LOCK_UN); err != nil { // nobody lives who counts on them
		return err
	}
	layers := listedLayers(claim)
	slices.Reverse(layers) // the upper ones first
	for _, id := range layers {
		if err := s.removeLeftLayer(id); err != nil {
			return err
		}
	}
	return nil
}

// removeLeftLayer removes the layer, and those under it, as far as nothing uses
// them and nobody counts on them.
func (s *Store) removeLeftLayer(id string) error {
	for id != "" && !s.countedOn(id) {
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

// countedOn says whether a living process lists the layer.
func (s *Store) countedOn(id string) bool {
	files, _ := filepath.Glob(filepath.Join(s.claimsDir(), "*"+layering))
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		found := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil && slices.Contains(listedLayers(f), id)
		f.Close()
		if found {
			return true
		}
	}
	return false
}

// listedLayers are those of the claim, in their order.
func listedLayers(claim *os.File) (layers []string) {
	lines := bufio.NewScanner(claim)
	for lines.Scan() {
		if id := lines.Text(); isHex(id) && len(id) == 64 {
			layers = append(layers, id)
		}
	}
	return layers
}

// givenUp says whether the layers of a claim are no longer waited for.
func givenUp(claim *os.File, age time.Duration) bool {
	info, err := claim.Stat()
	return err == nil && (info.Size() == 0 || time.Since(info.ModTime()) >= age)
}
