package store

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
	"go.podman.io/storage/pkg/archive"

	"github.com/podsuite/podsuite/shared/store/unpack"
)

// OpenLayer reads the layer as an uncompressed tar. For a layer that came from
// a tar it is that tar, byte for byte: at its end there is an error if it
// isn't. Several layers may be read at once, and the store changed meanwhile;
// if the layer itself is removed, reading fails.
func (s *Store) OpenLayer(id string) (io.ReadCloser, error) {
	rc, err := s.assemble(id)
	if rc == nil && err == nil {
		rc, err = s.diff(id)
	}
	if err != nil {
		return nil, fmt.Errorf("open layer %q: %w", id, classify(err))
	}
	return rc, nil
}

// diff has the library read the layer. It locks the store against everybody
// until that is closed.
func (s *Store) diff(id string) (io.ReadCloser, error) {
	plain := archive.Uncompressed
	return s.lib.Diff("", id, &storage.DiffOptions{Compression: &plain})
}

// assemble reads the layer from its files. It returns nothing, and no error,
// for one that isn't a plain tree of files of this store that came from a tar.
func (s *Store) assemble(id string) (io.ReadCloser, error) {
	if s.Driver() != "overlay" {
		return nil, nil
	}
	l, err := s.lib.Layer(id)
	if err != nil {
		return nil, err
	}
	if l.UncompressedDigest == "" || l.UncompressedDigest.Algorithm() != digest.SHA256 {
		return nil, nil
	}
	tree, err := s.lib.DifferTarget(l.ID)
	if err != nil {
		return nil, nil // in an additional store
	}
	if _, err := os.Lstat(filepath.Join(filepath.Dir(tree), "composefs-data")); err == nil {
		return nil, nil
	}
	split, err := os.Open(filepath.Join(s.imageRoot(), s.Driver()+"-layers", l.ID+".tar-split.gz"))
	if err != nil {
		return nil, nil
	}
	a := &assembled{split: split}
	if a.root, err = os.Open(tree); err != nil {
		return nil, firstOf(err, split.Close())
	}
	z, err := gzip.NewReader(split)
	if err != nil {
		return nil, firstOf(err, a.root.Close(), split.Close())
	}
	a.Assembler = unpack.NewAssembler(a.root, z)
	return a, nil
}

// imageRoot is where the layers of images are.
func (s *Store) imageRoot() string {
	if s.opts.ImageStore != "" {
		return s.opts.ImageStore
	}
	return s.GraphRoot()
}

// assembled closes what an Assembler works on with it.
type assembled struct {
	*unpack.Assembler
	root, split *os.File
}

func (a *assembled) Close() error {
	return firstOf(a.Assembler.Close(), a.root.Close(), a.split.Close())
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
