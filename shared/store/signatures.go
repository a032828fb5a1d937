package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The signatures of a manifest are kept one after the other under a key made of
// its digest; the sizes that part them are in the image's metadata. What
// signaturesKey holds belongs to the manifest that came last.
const (
	signaturesKey      = "signatures"
	signatureKeyPrefix = "signature-"
)

// imageMetadata is what the reference tools keep of an image beside its
// documents.
type imageMetadata struct {
	Sizes      []int                   `json:"signature-sizes,omitempty"`
	ByManifest map[digest.Digest][]int `json:"signatures-sizes,omitempty"`
}

// Signatures gives the signatures of a manifest of the image.
func (s *Store) Signatures(id string, manifest digest.Digest) ([][]byte, error) {
	i, err := s.lib.Image(id)
	if err != nil {
		return nil, fmt.Errorf("read signatures of image %q: %w", id, classify(err))
	}
	var m imageMetadata
	if i.Metadata != "" {
		if err := json.Unmarshal([]byte(i.Metadata), &m); err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "read signatures of image %q: its metadata: %w", id, err)
		}
	}
	sizes, key := m.ByManifest[manifest], signatureKeyPrefix+manifest.Encoded()
	if len(sizes) == 0 {
		return nil, nil
	}
	data, err := s.lib.ImageBigData(i.ID, key)
	if err != nil {
		return nil, fmt.Errorf("read signatures of image %q: %w", id, classify(err))
	}
	out := make([][]byte, 0, len(sizes))
	for _, n := range sizes {
		if n < 0 || n > len(data) {
			return nil, errdef.Newf(errdef.ErrInvalid, "read signatures of image %q: they are shorter than their sizes say", id)
		}
		out, data = append(out, data[:n]), data[n:]
	}
	return out, nil
}

// signatureItems are what a new image with the signatures has of them.
func signatureItems(manifest digest.Digest, blobs [][]byte) (metadata string, items []storage.ImageBigDataOption, err error) {
	if len(blobs) == 0 {
		return "{}", nil, nil
	}
	sizes := sizesOf(blobs)
	text, err := json.Marshal(imageMetadata{Sizes: sizes, ByManifest: map[digest.Digest][]int{manifest: sizes}})
	data := bytes.Join(blobs, nil)
	for _, key := range []string{signaturesKey, signatureKeyPrefix + manifest.Encoded()} {
		items = append(items, storage.ImageBigDataOption{Key: key, Data: data, Digest: digest.FromBytes(data)})
	}
	return string(text), items, err
}

func sizesOf(blobs [][]byte) []int {
	var sizes []int
	for _, b := range blobs {
		sizes = append(sizes, len(b))
	}
	return sizes
}

// setSignatures replaces the signatures of a manifest of the image. Without
// any before and after it does nothing.
func (s *Store) setSignatures(id string, manifest digest.Digest, blobs [][]byte) error {
	i, err := s.lib.Image(id)
	if err != nil {
		return err
	}
	var m imageMetadata
	if i.Metadata != "" {
		if err := json.Unmarshal([]byte(i.Metadata), &m); err != nil {
			return errdef.Newf(errdef.ErrInvalid, "its metadata: %w", err)
		}
	}
	if len(blobs) == 0 && len(m.ByManifest[manifest]) == 0 && len(m.Sizes) == 0 {
		return nil
	}
	sizes := sizesOf(blobs)
	if m.ByManifest == nil {
		m.ByManifest = map[digest.Digest][]int{}
	}
	m.Sizes, m.ByManifest[manifest] = sizes, sizes
	data := bytes.Join(blobs, nil)
	keys := []string{signaturesKey, signatureKeyPrefix + manifest.Encoded()}
	if len(data) == 0 {
		// An empty item has no meaning; sizes alone tell that there is none.
		keys = slices.DeleteFunc(keys, func(k string) bool { return !slices.Contains(i.BigDataNames, k) })
		delete(m.ByManifest, manifest)
	}
	for _, key := range keys {
		if err := s.lib.SetImageBigData(i.ID, key, data, nil); err != nil {
			return classify(err)
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return classify(s.lib.SetMetadata(i.ID, string(text)))
}
