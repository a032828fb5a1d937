package transport

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
)

// DeleteLayout takes an image out of an OCI layout, and with it the blobs that
// none of the others has. Blobs of a shared directory stay: who else has them
// isn't known here.
func DeleteLayout(l Ref, o Options) error {
	y := newLayout(l, o)
	lock, err := y.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	data, err := readManifestFile(filepath.Join(y.path, indexFile))
	if err != nil {
		return err
	}
	x, err := ParseIndex(data)
	if err != nil {
		return err
	}
	at, err := entryOf(x, l)
	if err != nil {
		return err
	}
	gone, kept := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	if err := y.reach(x.Manifests[at], gone); err != nil {
		return err
	}
	x.Manifests = slices.Delete(x.Manifests, at, at+1)
	for _, d := range x.Manifests {
		if err := y.reach(d, kept); err != nil {
			return err
		}
	}
	if data, err = json.Marshal(x); err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(y.path, indexFile), data); err != nil {
		return fmt.Errorf("write index of layout %q: %w", y.path, err)
	}
	if o.SharedBlobDir != "" {
		return nil
	}
	for d := range gone {
		if kept[d] {
			continue
		}
		if err := os.Remove(y.blobPath(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove blob: %w", err)
		}
	}
	return nil
}

// reach notes the blobs that belong to what the descriptor names. A manifest
// that isn't there has none.
func (y layout) reach(d v1.Descriptor, found map[digest.Digest]bool) error {
	dg := Digest(d)
	if found[dg] {
		return nil
	}
	found[dg] = true
	data, err := readManifestFile(y.blobPath(dg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	m, err := withDigest(data, d.MediaType, dg)
	if err != nil {
		return err
	}
	if m.MediaType.IsIndex() {
		x, err := ParseIndex(data)
		if err != nil {
			return err
		}
		for _, d := range x.Manifests {
			if err := y.reach(d, found); err != nil {
				return err
			}
		}
		return nil
	}
	img, err := ParseImage(data)
	if err != nil {
		return err
	}
	for _, b := range append(img.Layers, img.Config) {
		found[Digest(b)] = true
	}
	return nil
}
