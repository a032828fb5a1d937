package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
)

// Layer is one read-only layer, or a container's read-write one.
type Layer struct {
	ID, Parent       string
	DiffID           digest.Digest // of the uncompressed tar; "" for a read-write layer
	Digest           digest.Digest // of the tar as it was received
	Size             int64         // bytes as it was received, -1 unknown
	UncompressedSize int64         // -1 unknown
}

// sizeFlag keeps the size of the blob a layer came from: the library has no
// way to record it for a staged layer.
const sizeFlag = "podsuite.compressed-size"

func layerOf(l *storage.Layer) Layer {
	out := Layer{
		ID: l.ID, Parent: l.Parent, DiffID: l.UncompressedDigest, Digest: l.CompressedDigest,
		Size: -1, UncompressedSize: -1,
	}
	if l.CompressedDigest != "" && l.CompressedSize > 0 {
		out.Size = l.CompressedSize
	}
	switch n := l.Flags[sizeFlag].(type) {
	case float64: // after a round through JSON
		out.Size = int64(n)
	case int64:
		out.Size = n
	}
	if l.UncompressedDigest != "" {
		out.UncompressedSize = l.UncompressedSize
	}
	return out
}

// LayerID is the ID that the reference tools give to the layer with the diff
// ID on top of the parent, which is "" for the first one.
func LayerID(parent string, diffID digest.Digest) string {
	if parent == "" {
		return diffID.Encoded()
	}
	return digest.FromString(parent + "+" + diffID.Encoded()).Encoded()
}

// FindLayer finds the layer with the diff ID on top of the parent ("" = none),
// for an image in the making: until that is recorded, no other process takes the
// layer for a leftover.
func (s *Store) FindLayer(parent string, diffID digest.Digest) (Layer, bool) {
	if diffID.Validate() != nil {
		return Layer{}, false
	}
	if l, ok := s.countOn(LayerID(parent, diffID)); ok {
		return l, true
	}
	all, err := s.lib.LayersByUncompressedDigest(diffID)
	if err != nil {
		return Layer{}, false
	}
	for i := range all {
		if all[i].Parent == parent {
			return s.countOn(all[i].ID)
		}
	}
	return Layer{}, false
}

// countOn lists the layer in this process's claim, and finds it.
func (s *Store) countOn(id string) (Layer, bool) {
	if s.claimLayer(id, false) != nil {
		return Layer{}, false
	}
	l, err := s.lib.Layer(id)
	if err != nil {
		return Layer{}, false
	}
	return layerOf(l), true
}

// LayersByDigest lists the layers that came from the blob.
func (s *Store) LayersByDigest(blob digest.Digest) []Layer {
	all, err := s.lib.LayersByCompressedDigest(blob)
	if err != nil {
		return nil
	}
	layers := make([]Layer, len(all))
	for i := range all {
		layers[i] = layerOf(&all[i])
	}
	return layers
}

// Layer finds a layer by its ID.
func (s *Store) Layer(id string) (Layer, error) {
	l, err := s.lib.Layer(id)
	if err != nil {
		return Layer{}, fmt.Errorf("look up layer %q: %w", id, classify(err))
	}
	return layerOf(l), nil
}

// LayerChain lists the layer and those under it, the lowest first. The top ""
// has an empty chain.
func (s *Store) LayerChain(top string) ([]Layer, error) {
	var chain []Layer
	for id := top; id != ""; {
		l, err := s.Layer(id)
		if err != nil {
			return nil, err
		}
		chain = append(chain, l)
		id = l.Parent
	}
	slices.Reverse(chain)
	return chain, nil
}

// RemoveLayer removes a layer that no image, container or layer uses.
func (s *Store) RemoveLayer(id string) error {
	if err := s.lib.DeleteLayer(id); err != nil {
		return fmt.Errorf("remove layer %q: %w", id, classify(err))
	}
	return nil
}

// Mount mounts a container, or a layer, and returns where. Each Mount needs an
// Unmount.
func (s *Store) Mount(id string) (string, error) {
	label := ""
	if c, err := s.lib.Container(id); err == nil {
		label = c.MountLabel()
	}
	path, err := s.lib.Mount(id, label)
	if err != nil {
		return "", fmt.Errorf("mount %q: %w", id, classify(err))
	}
	return path, nil
}

// MountImage mounts an image read-only and returns where.
func (s *Store) MountImage(id string) (string, error) {
	path, err := s.lib.MountImage(id, nil, "")
	if err != nil {
		return "", fmt.Errorf("mount image %q: %w", id, classify(err))
	}
	return path, nil
}

// ImageMountPoint is where an image is mounted; "" when it isn't.
func (s *Store) ImageMountPoint(id string) (string, error) {
	img, err := s.lib.Image(id)
	if err != nil {
		return "", fmt.Errorf("look up image %q: %w", id, classify(err))
	}
	for _, layer := range append([]string{img.TopLayer}, img.MappedTopLayers...) {
		if layer == "" {
			continue
		}
		l, err := s.lib.Layer(layer)
		if err != nil {
			return "", fmt.Errorf("look up layer %q: %w", layer, classify(err))
		}
		if l.MountCount > 0 {
			return l.MountPoint, nil
		}
	}
	return "", nil
}

// UnmountImage takes back one MountImage, or all of them. What isn't mounted
// is no error.
func (s *Store) UnmountImage(id string, force bool) error {
	if _, err := s.lib.UnmountImage(id, force); err != nil && !isNotMounted(err) {
		return fmt.Errorf("unmount image %q: %w", id, classify(err))
	}
	return nil
}

// Unmount takes back one Mount, or all of them. What isn't mounted is no error.
func (s *Store) Unmount(id string, force bool) error {
	if _, err := s.lib.Unmount(id, force); err != nil && !isNotMounted(err) {
		return fmt.Errorf("unmount %q: %w", id, classify(err))
	}
	return nil
}

func isNotMounted(err error) bool { return errors.Is(err, storage.ErrLayerNotMounted) }
