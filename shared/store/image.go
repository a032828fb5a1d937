package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The keys under which the reference tools keep an image's documents. The
// configuration is kept under its own digest.
const (
	manifestKey       = storage.ImageDigestBigDataKey
	manifestKeyPrefix = storage.ImageDigestManifestBigDataNamePrefix + "-"
)

// Image is one image of the store.
type Image struct {
	ID       string          // hex sha256 of the configuration
	Names    []string        // full names: registry/path:tag or registry/path@digest
	Digest   digest.Digest   // of the manifest
	Digests  []digest.Digest // of every manifest known for the image
	TopLayer string          // "" for an image without layers
	Created  time.Time
	ReadOnly bool  // lives in an additional store
	DataSize int64 // bytes of manifest and configuration
	List     bool  // it is a list of images, made here; see CreateList

	NamesHistory []string // names the image had
}

// NewImage is what CreateImage records.
type NewImage struct {
	Names    []string
	Manifest []byte
	Config   []byte
	TopLayer string
	Created  time.Time // zero means now
	// Signatures of the manifest, as the reference tools store them.
	Signatures [][]byte
}

func imageOf(i *storage.Image) Image {
	img := Image{
		ID: i.ID, Names: i.Names, Digest: i.Digest, Digests: i.Digests,
		TopLayer: i.TopLayer, Created: i.Created, ReadOnly: i.ReadOnly,
		NamesHistory: i.NamesHistory,
	}
	for _, n := range i.BigDataSizes {
		img.DataSize += n
	}
	img.List = slices.Contains(i.BigDataNames, ListInstancesKey)
	return img
}

// Images lists the images, in no particular order.
func (s *Store) Images() ([]Image, error) {
	s.healOnce()
	all, err := s.lib.Images()
	if err != nil {
		return nil, fmt.Errorf("list images: %w", classify(err))
	}
	images := make([]Image, len(all))
	for i := range all {
		images[i] = imageOf(&all[i])
	}
	return images, nil
}

// Image finds an image by its exact full name, its ID, or the beginning of
// its ID if no other image's begins so. The class is errdef.ErrNotFound, or
// errdef.ErrConflict for an ambiguous prefix.
func (s *Store) Image(nameOrID string) (Image, error) {
	s.healOnce()
	i, err := s.lib.Image(nameOrID)
	if err == nil {
		return imageOf(i), nil
	}
	if !errors.Is(err, storage.ErrImageUnknown) {
		return Image{}, fmt.Errorf("look up image %q: %w", nameOrID, classify(err))
	}
	if name, d, ok := strings.Cut(nameOrID, "@"); ok {
		return s.imageByDigest(nameOrID, name, d)
	}
	if !isHex(nameOrID) {
		return Image{}, errdef.Newf(errdef.ErrNotFound, "%s: image not known", nameOrID)
	}
	all, err := s.lib.Images()
	if err != nil {
		return Image{}, fmt.Errorf("look up image %q: %w", nameOrID, err)
	}
	var found []int
	for i := range all {
		if strings.HasPrefix(all[i].ID, nameOrID) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return Image{}, errdef.Newf(errdef.ErrNotFound, "%s: image not known", nameOrID)
	case 1:
		return imageOf(&all[found[0]]), nil
	}
	return Image{}, errdef.Newf(errdef.ErrConflict, "image ID prefix %q is ambiguous", nameOrID)
}

// imageByDigest finds an image that has a manifest with the digest and any
// name in the repository.
func (s *Store) imageByDigest(asked, name, d string) (Image, error) {
	unknown := errdef.Newf(errdef.ErrNotFound, "%s: image not known", asked)
	parsed, err := digest.Parse(d)
	if err != nil {
		return Image{}, unknown
	}
	found, err := s.lib.ImagesByDigest(parsed)
	if err != nil {
		if errors.Is(err, storage.ErrImageUnknown) {
			return Image{}, unknown
		}
		return Image{}, fmt.Errorf("look up image %q: %w", asked, err)
	}
	for _, i := range found {
		if slices.ContainsFunc(i.Names, func(n string) bool { return repository(n) == repository(name) }) {
			return imageOf(i), nil
		}
	}
	return Image{}, unknown
}

// repository is the name without tag and digest.
func repository(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name
}

func isHex(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// ImageManifest is the image's manifest, as it was received.
func (s *Store) ImageManifest(id string) ([]byte, error) {
	data, err := s.lib.ImageBigData(id, manifestKey)
	if err != nil {
		return nil, fmt.Errorf("read manifest of image %q: %w", id, classify(err))
	}
	return data, nil
}

// ImageConfig is the image's configuration, as it was received.
func (s *Store) ImageConfig(id string) ([]byte, error) {
	img, err := s.Image(id)
	if err != nil {
		return nil, err
	}
	data, err := s.lib.ImageBigData(img.ID, "sha256:"+img.ID)
	if err != nil {
		return nil, fmt.Errorf("read configuration of image %q: %w", id, classify(err))
	}
	return data, nil
}

// ImageSize is the size of the image's layers, uncompressed, and documents,
// in bytes.
func (s *Store) ImageSize(id string) (int64, error) {
	n, err := s.lib.ImageSize(id)
	if err != nil {
		return -1, fmt.Errorf("measure image %q: %w", id, classify(err))
	}
	return n, nil
}

// ImageSizes measures all images at once, by ID, from the store's lists alone.
// An image with a layer of unknown size is measured by ImageSize.
func (s *Store) ImageSizes() (map[string]int64, error) {
	all, err := s.lib.MultiList(storage.MultiListOptions{Images: true, Layers: true})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", classify(err))
	}
	layers := make(map[string]*storage.Layer, len(all.Layers))
	for i := range all.Layers {
		layers[all.Layers[i].ID] = &all.Layers[i]
	}
	sizes := make(map[string]int64, len(all.Images))
	for i := range all.Images {
		img := &all.Images[i]
		size, known := imageOf(img).DataSize, len(img.MappedTopLayers) == 0
		for id := img.TopLayer; id != "" && known; {
			l := layers[id]
			if known = l != nil && l.UncompressedDigest != "" && l.UncompressedSize >= 0; known {
				size += l.UncompressedSize
				id = l.Parent
			}
		}
		if !known {
			if size, err = s.ImageSize(img.ID); err != nil {
				return nil, err
			}
		}
		sizes[img.ID] = size
	}
	return sizes, nil
}

// CreateImage records an image whose layers are in the store. Its ID is the
// digest of the configuration. A name that another image has moves here. An
// image that is there already gets the names and the manifest added.
func (s *Store) CreateImage(n NewImage) (Image, error) {
	id := digest.FromBytes(n.Config).Encoded()
	md := digest.FromBytes(n.Manifest)
	metadata, items, err := signatureItems(md, n.Signatures)
	if err != nil {
		return Image{}, fmt.Errorf("create image %q: %w", id, err)
	}
	if err := s.claim(id + imaging); err != nil {
		return Image{}, fmt.Errorf("create image %q: %w", id, err)
	}
	defer s.release(id + imaging)
	unlock, err := s.lockClaims(unix.LOCK_SH)
	if err != nil {
		return Image{}, fmt.Errorf("create image %q: %w", id, err)
	}
	i, err := s.lib.CreateImage(id, n.Names, n.TopLayer, metadata, &storage.ImageOptions{
		CreationDate: n.Created,
		Digest:       md,
		BigData: append(items,
			storage.ImageBigDataOption{Key: "sha256:" + id, Data: n.Config, Digest: digest.FromBytes(n.Config)},
			storage.ImageBigDataOption{Key: manifestKeyPrefix + md.String(), Data: n.Manifest, Digest: md},
			storage.ImageBigDataOption{Key: manifestKey, Data: n.Manifest, Digest: md},
		),
	})
	unlock()
	if err == nil {
		s.unlistLayers(n.TopLayer)
		return imageOf(i), nil
	}
	if errors.Is(err, storage.ErrDuplicateName) {
		// Names move with AddNames alone.
		names := n.Names
		n.Names = nil
		img, err := s.CreateImage(n)
		if err != nil {
			return img, err
		}
		if err := s.AddImageNames(img.ID, names...); err != nil {
			return Image{}, err
		}
		return s.Image(img.ID)
	}
	if !errors.Is(err, storage.ErrDuplicateID) {
		return Image{}, fmt.Errorf("create image %q: %w", id, classify(err))
	}
	img, err := s.extendImage(id, n, md)
	if errors.Is(err, errdef.ErrNotFound) {
		if _, now := s.Image(id); errors.Is(now, errdef.ErrNotFound) {
			return s.CreateImage(n) // it was removed meanwhile
		}
	}
	return img, err
}

// extendImage adds names and manifest to an image that exists.
func (s *Store) extendImage(id string, n NewImage, md digest.Digest) (Image, error) {
	img, err := s.Image(id)
	if err != nil {
		return Image{}, err
	}
	if img.TopLayer != n.TopLayer {
		return Image{}, errdef.Newf(errdef.ErrConflict, "create image %q: it exists with another top layer", id)
	}
	s.unlistLayers(n.TopLayer)
	if !slices.Contains(img.Digests, md) {
		sum := func([]byte) (digest.Digest, error) { return md, nil }
		for _, key := range []string{manifestKeyPrefix + md.String(), manifestKey} {
			if err := s.lib.SetImageBigData(id, key, n.Manifest, sum); err != nil {
				return Image{}, fmt.Errorf("create image %q: %w", id, classify(err))
			}
		}
	}
	if err := s.setSignatures(id, md, n.Signatures); err != nil {
		return Image{}, fmt.Errorf("create image %q: signatures: %w", id, classify(err))
	}
	if len(n.Names) > 0 {
		if err := s.lib.AddNames(id, n.Names); err != nil {
			return Image{}, fmt.Errorf("create image %q: %w", id, classify(err))
		}
	}
	return s.Image(id)
}

// AddImageNames gives the image more names; other images lose them.
func (s *Store) AddImageNames(id string, names ...string) error {
	if err := s.lib.AddNames(id, names); err != nil {
		return fmt.Errorf("name image %q: %w", id, classify(err))
	}
	return nil
}

// RemoveImageName takes a name from the image, which stays.
func (s *Store) RemoveImageName(id, name string) error {
	if err := s.lib.RemoveNames(id, []string{name}); err != nil {
		return fmt.Errorf("remove name %q of image %q: %w", name, id, classify(err))
	}
	return nil
}

// RemoveImage removes the image, and the layers that nothing else uses, whose
// IDs it returns. An *InUseError says that containers use it.
func (s *Store) RemoveImage(id string) ([]string, error) {
	end, err := s.claimRemoval(id)
	if err != nil {
		return nil, fmt.Errorf("remove image %q: %w", id, classify(err))
	}
	removed, err := s.lib.DeleteImage(id, true)
	end(err == nil)
	if err == nil {
		return removed, nil
	}
	if errors.Is(err, storage.ErrImageUsedByContainer) {
		if users := s.imageUsers(id); len(users) > 0 {
			return nil, &InUseError{Image: id, Containers: users}
		}
	}
	return nil, fmt.Errorf("remove image %q: %w", id, classify(err))
}

// imageUsers lists the containers made from the image.
func (s *Store) imageUsers(id string) []string {
	img, err := s.Image(id)
	if err != nil {
		return nil
	}
	containers, err := s.lib.Containers()
	if err != nil {
		return nil
	}
	var users []string
	for i := range containers {
		if containers[i].ImageID == img.ID {
			users = append(users, containers[i].ID)
		}
	}
	return users
}
