package store

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Blob says what is known of a layer's tar before it is read.
type Blob struct {
	Digest digest.Digest // of the stream as it comes; "" = unknown
	DiffID digest.Digest // of the uncompressed tar; "" = unknown
	Size   int64         // bytes of the stream as it comes; -1 = unknown
}

// StagedLayer is a layer that is unpacked and not yet part of the store. It
// must be committed or discarded.
type StagedLayer struct {
	s                *Store
	blob             Blob
	uncompressedSize int64
	file             string
}

// Digest is the digest of the stream as it came.
func (l *StagedLayer) Digest() digest.Digest { return l.blob.Digest }

// DiffID is the digest of the uncompressed tar.
func (l *StagedLayer) DiffID() digest.Digest { return l.blob.DiffID }

// Size is the number of bytes of the stream as it came.
func (l *StagedLayer) Size() int64 { return l.blob.Size }

// UncompressedSize is the number of bytes of the uncompressed tar.
func (l *StagedLayer) UncompressedSize() int64 { return l.uncompressedSize }

type counter struct {
	n int64
}

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// StageLayer reads a layer's tar, plain or compressed with gzip or zstd, and
// unpacks it beside the store. What b knows is verified. It may run for many
// layers at once.
func (s *Store) StageLayer(ctx context.Context, b Blob, r io.Reader) (*StagedLayer, error) {
	f, err := os.CreateTemp("", "layer")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l := &StagedLayer{s: s, file: f.Name()}
	csum, usum := digest.Canonical.Digester(), digest.Canonical.Digester()
	if l.blob.Size, err = io.Copy(io.MultiWriter(f, csum.Hash()), r); err != nil {
		_ = l.Discard()
		return nil, err
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, err
	}
	var in io.Reader = f
	if z, err := gzip.NewReader(f); err == nil {
		in = z
	} else if _, err := f.Seek(0, 0); err != nil {
		return nil, err
	}
	if l.uncompressedSize, err = io.Copy(usum.Hash(), in); err != nil {
		_ = l.Discard()
		return nil, err
	}
	l.blob.Digest, l.blob.DiffID = csum.Digest(), usum.Digest()
	if b.Digest != "" && b.Digest != l.blob.Digest || b.DiffID != "" && b.DiffID != l.blob.DiffID {
		_ = l.Discard()
		return nil, errdef.Newf(errdef.ErrInvalid, "stage layer: digest mismatch")
	}
	return l, ctx.Err()
}

// Commit makes the layer part of the store, on top of the parent ("" = none).
// If the store has it already, that one is returned.
func (l *StagedLayer) Commit(parent string) (Layer, error) {
	defer l.Discard()
	f, err := os.Open(l.file)
	if err != nil {
		return Layer{}, err
	}
	defer f.Close()
	if have, ok := l.s.FindLayer(parent, l.blob.DiffID); ok {
		return have, nil
	}
	ll, _, err := l.s.lib.PutLayer(LayerID(parent, l.blob.DiffID), parent, nil, "", false, &storage.LayerOptions{}, f)
	if err != nil {
		return Layer{}, fmt.Errorf("commit layer: %w", classify(err))
	}
	return layerOf(ll), nil
}

// Discard removes what was staged. After Commit it does nothing.
func (l *StagedLayer) Discard() error { return os.RemoveAll(l.file) }

// CommitChanges stages what the container changed on top of its image as a
// layer. With consume the container's read-write layer may be emptied by it,
// and the container is good for removal only.
func (s *Store) CommitChanges(containerID string, consume bool) (*StagedLayer, error) {
	c, err := s.Container(containerID)
	if err != nil {
		return nil, err
	}
	r, err := s.OpenLayer(c.LayerID)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return s.StageLayer(context.Background(), Blob{Size: -1}, r)
}
