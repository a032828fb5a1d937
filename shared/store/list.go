package store

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
	"go.podman.io/storage/pkg/lockfile"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The documents that the reference tools keep beside the manifest of a list of
// images: where each image of it is, and the artifacts that were made for it.
const (
	ListInstancesKey = "instances.json"
	ListArtifactsKey = "artifacts.json"
)

// ListDocs are the documents of a list of images.
type ListDocs struct {
	Manifest  []byte
	Instances []byte
	Artifacts []byte
}

func (d ListDocs) data() []storage.ImageBigDataOption {
	out := make([]storage.ImageBigDataOption, 0, 3)
	// The list comes last: what it names is there by then.
	for _, one := range []struct {
		key  string
		data []byte
	}{{ListArtifactsKey, d.Artifacts}, {ListInstancesKey, d.Instances}, {manifestKey, d.Manifest}} {
		out = append(out, storage.ImageBigDataOption{Key: one.key, Data: one.data, Digest: digest.FromBytes(one.data)})
	}
	return out
}

// CreateList records a list of images: an image without layers and
// configuration, under a random ID. A taken name is a *ConflictError.
func (s *Store) CreateList(names []string, docs ListDocs) (Image, error) {
	i, err := s.lib.CreateImage("", names, "", "", &storage.ImageOptions{Digest: digest.FromBytes(docs.Manifest), BigData: docs.data()})
	if errors.Is(err, storage.ErrDuplicateName) {
		for _, name := range names {
			if have, lookErr := s.lib.Image(name); lookErr == nil {
				return Image{}, &ConflictError{Kind: "image", Name: name, Owner: have.ID}
			}
		}
	}
	if err != nil {
		return Image{}, fmt.Errorf("create list of images: %w", classify(err))
	}
	return imageOf(i), nil
}

// List reads the documents of a list of images.
func (s *Store) List(id string) (ListDocs, error) {
	var docs ListDocs
	for _, one := range []struct {
		key  string
		data *[]byte
	}{{manifestKey, &docs.Manifest}, {ListInstancesKey, &docs.Instances}, {ListArtifactsKey, &docs.Artifacts}} {
		data, err := s.lib.ImageBigData(id, one.key)
		switch {
		case err == nil:
			*one.data = data
		case one.key == ListArtifactsKey && errors.Is(err, os.ErrNotExist):
			// Lists of before there were artifacts don't have it.
		default:
			return docs, fmt.Errorf("read %q of list %q: %w", one.key, id, classify(err))
		}
	}
	return docs, nil
}

// SetList replaces the documents of a list of images. The caller holds
// LockList.
func (s *Store) SetList(id string, docs ListDocs) error {
	for _, d := range docs.data() {
		sum := func([]byte) (digest.Digest, error) { return d.Digest, nil }
		if err := s.lib.SetImageBigData(id, d.Key, d.Data, sum); err != nil {
			return fmt.Errorf("write %q of list %q: %w", d.Key, id, classify(err))
		}
	}
	return nil
}

// LockList keeps other processes, the reference tools' included, from changing
// the list until unlock is called.
func (s *Store) LockList(id string) (unlock func(), err error) {
	l, err := s.lib.GetDigestLock(digest.NewDigestFromEncoded(digest.SHA256, id))
	if err != nil {
		return nil, fmt.Errorf("lock list %q: %w", id, err)
	}
	l.Lock()
	return l.Unlock, nil
}

// LockFile keeps other processes, the reference tools' included, from locking
// the file until unlock is called. It is made if it isn't there.
func LockFile(path string) (unlock func(), err error) {
	l, err := lockfile.GetLockFile(path)
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	l.Lock()
	return l.Unlock, nil
}

// ImagesWithManifest lists the images that have a manifest with the digest.
func (s *Store) ImagesWithManifest(d digest.Digest) ([]Image, error) {
	found, err := s.lib.ImagesByDigest(d)
	if err != nil && !errors.Is(err, storage.ErrImageUnknown) {
		return nil, fmt.Errorf("look up images by the digest %s: %w", d, classify(err))
	}
	images := make([]Image, len(found))
	for i := range found {
		images[i] = imageOf(found[i])
	}
	return images, nil
}

// ImageManifestWith is that of the image's manifests which has the digest.
func (s *Store) ImageManifestWith(id string, d digest.Digest) ([]byte, error) {
	data, err := s.lib.ImageBigData(id, manifestKeyPrefix+d.String())
	if err != nil {
		if data, err := s.lib.ImageBigData(id, manifestKey); err == nil && d.Algorithm().FromBytes(data) == d {
			return data, nil
		}
		return nil, fmt.Errorf("read manifest %s of image %q: %w", d, id, errdef.As(errdef.ErrNotFound, err))
	}
	return data, nil
}
