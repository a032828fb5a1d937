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

// diff reads a layer that no tar is known of. The library keeps the store
// locked until all is read, and who wants that lock may have the one that the
// reader comes to want meanwhile: two builds would wait for each other. So what
// a container changed is read without the lock, and the rest into a file first.
func (s *Store) diff(id string) (io.ReadCloser, error) {
	l, err := s.lib.Layer(id)
	if err != nil {
		return nil, err
	}
	if l.UncompressedDigest == "" && s.plainTree(l) {
		driver, err := s.lib.GraphDriver()
		if err != nil {
			return nil, err
		}
		return driver.Diff(l.ID, nil, l.Parent, nil, l.MountLabel)
	}
	plain := archive.Uncompressed
	rc, err := s.lib.Diff("", id, &storage.DiffOptions{Compression: &plain})
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return spool(rc)
}

// spool reads all into a file without a name.
func spool(r io.Reader) (io.ReadCloser, error) {
	dir := os.Getenv("TMPDIR")
	if dir == "" {
		dir = "/var/tmp" // a layer may be larger than the memory that /tmp is
	}
	f, err := os.CreateTemp(dir, "layer-")
	if err != nil {
		return nil, err
	}
	err = os.Remove(f.Name())
	if err == nil {
		_, err = io.Copy(f, r)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, firstOf(err, f.Close())
	}
	return f, nil
}

// assemble reads the layer from its files. It returns nothing, and no error,
// for one that isn't a plain tree of files of this store that came from a tar.
func (s *Store) assemble(id string) (io.ReadCloser, error) {
	root, split, err := s.parts(id)
	if root == nil || err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(split)
	if err != nil {
		return nil, firstOf(err, root.Close(), split.Close())
	}
	return &assembled{Assembler: unpack.NewAssembler(root, z), root: root, split: split}, nil
}

// parts opens a layer's files and its tar-split, compressed. They are nil for one
// that isn't a plain tree of files of this store that came from a tar.
func (s *Store) parts(id string) (root, split *os.File, err error) {
	if s.Driver() != "overlay" {
		return nil, nil, nil
	}
	l, err := s.lib.Layer(id)
	if err != nil {
		return nil, nil, err
	}
	if l.UncompressedDigest == "" || l.UncompressedDigest.Algorithm() != digest.SHA256 {
		return nil, nil, nil
	}
	tree, err := s.lib.DifferTarget(l.ID)
	if err != nil {
		return nil, nil, nil // in an additional store
	}
	if _, err := os.Lstat(filepath.Join(filepath.Dir(tree), "composefs-data")); err == nil {
		return nil, nil, nil
	}
	if split, err = os.Open(filepath.Join(s.imageRoot(), s.Driver()+"-layers", l.ID+".tar-split.gz")); err != nil {
		return nil, nil, nil
	}
	if root, err = os.Open(tree); err != nil {
		return nil, nil, firstOf(err, split.Close())
	}
	return root, split, nil
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
