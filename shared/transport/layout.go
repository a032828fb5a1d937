package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The files of an OCI image layout (image-spec, image-layout.md).
const (
	layoutFile   = "oci-layout"
	layoutMarker = `{"imageLayoutVersion": "1.0.0"}`
	indexFile    = "index.json"
	refNameKey   = "org.opencontainers.image.ref.name"
)

// layout is an OCI image layout directory.
type layout struct {
	path, blobs string
}

func newLayout(l Ref, o Options) layout {
	blobs := o.SharedBlobDir
	if blobs == "" {
		blobs = filepath.Join(l.Path, "blobs")
	}
	return layout{path: l.Path, blobs: blobs}
}

func (y layout) blobPath(d digest.Digest) string {
	return filepath.Join(y.blobs, d.Algorithm().String(), d.Encoded())
}

// lock keeps others from changing the index, until it is closed.
func (y layout) lock() (*os.File, error) {
	f, err := os.Open(y.path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %q: %w", y.path, err)
	}
	return f, nil
}

// layoutSource is one image of a layout.
type layoutSource struct {
	layout
	entry v1.Descriptor
}

func openLayout(l Ref, o Options) (Source, error) {
	y := newLayout(l, o)
	data, err := readManifestFile(filepath.Join(y.path, indexFile))
	if err != nil {
		return nil, err
	}
	entry, err := chooseEntry(data, l)
	if err != nil {
		return nil, err
	}
	return &layoutSource{layout: y, entry: entry}, nil
}

// chooseEntry finds the image that the reference names in an index.json.
func chooseEntry(index []byte, l Ref) (v1.Descriptor, error) {
	x, err := ParseIndex(index)
	if err != nil {
		return v1.Descriptor{}, err
	}
	at, err := entryOf(x, l)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return x.Manifests[at], nil
}

// entryOf tells which of the index's entries the reference names.
func entryOf(x *v1.IndexManifest, l Ref) (int, error) {
	switch {
	case l.Index >= len(x.Manifests):
		return 0, errdef.Newf(errdef.ErrNotFound, "index %d is too large, only %d entries available", l.Index, len(x.Manifests))
	case l.Index >= 0:
		return l.Index, nil
	case l.Image == "" && len(x.Manifests) == 1:
		return 0, nil
	case l.Image == "":
		return 0, errdef.Newf(errdef.ErrInvalid, "more than one image in oci, choose an image")
	}
	for i, d := range x.Manifests {
		if d.Annotations[refNameKey] == l.Image {
			return i, nil
		}
	}
	return 0, errdef.Newf(errdef.ErrNotFound, "no descriptor found for reference %q", l.Image)
}

func (s *layoutSource) Manifest(_ context.Context, d digest.Digest) (Manifest, error) {
	declared := types.MediaType("")
	if d == "" {
		d, declared = Digest(s.entry), s.entry.MediaType
	}
	data, err := readManifestFile(s.blobPath(d))
	if err != nil {
		return Manifest{}, err
	}
	return withDigest(data, declared, d)
}

func (s *layoutSource) Blob(_ context.Context, d digest.Digest) (io.ReadCloser, int64, error) {
	return openFile(s.blobPath(d))
}

func (s *layoutSource) Close() error { return nil }

// layoutDestination adds an image to a layout.
type layoutDestination struct {
	layout
	image string // name in the index; "" for none
	final *Manifest
	made  bool
	done  bool

	mu  sync.Mutex
	own []digest.Digest // blobs that the image needs
}

// RemovedError tells that others removed a blob of an image before it was
// there, with one that had the blob, too.
type RemovedError struct {
	Blob  digest.Digest
	Place string
}

func (e *RemovedError) Error() string {
	return fmt.Sprintf("blob %s was removed from %q during the copy: try again", e.Blob, e.Place)
}

// needs notes a blob that has to be there in the end.
func (d *layoutDestination) needs(dg digest.Digest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.own = append(d.own, dg)
}

func createLayout(l Ref, o Options) (Destination, error) {
	d := &layoutDestination{layout: newLayout(l, o), image: l.Image}
	_, err := os.Stat(d.path)
	d.made = os.IsNotExist(err)
	if err := os.MkdirAll(filepath.Join(d.blobs, "sha256"), 0o755); err != nil {
		return nil, fmt.Errorf("make OCI layout: %w", err)
	}
	if err := os.MkdirAll(d.path, 0o755); err != nil {
		return nil, fmt.Errorf("make OCI layout: %w", err)
	}
	return d, nil
}

func (d *layoutDestination) WantsCompressed() bool { return true }

func (d *layoutDestination) Reuse(_ context.Context, dg digest.Digest, size int64) (bool, error) {
	fi, err := os.Stat(d.blobPath(dg))
	have := err == nil && fi.Mode().IsRegular() && (size < 0 || fi.Size() == size)
	if have {
		d.needs(dg)
	}
	return have, nil
}

func (d *layoutDestination) Put(_ context.Context, c Content) error {
	dir := filepath.Join(d.blobs, "sha256")
	if c.Digest != "" && c.Digest.Algorithm() != digest.SHA256 {
		dir = filepath.Dir(d.blobPath(c.Digest))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return writeBlob(dir, c, func(dg digest.Digest) string {
		d.needs(dg)
		return d.blobPath(dg)
	})
}

func (d *layoutDestination) PutManifest(_ context.Context, m Manifest, instance bool) error {
	path := d.blobPath(m.Digest)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if !instance {
		d.final = &m
	}
	d.needs(m.Digest)
	return replaceFile(path, m.Bytes)
}

// Commit enters the image into the index; the lock keeps entries that others
// make at the same time. After a RemovedError all has to be copied again.
func (d *layoutDestination) Commit(context.Context) error {
	lock, err := d.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, dg := range d.own {
		if _, err := os.Stat(d.blobPath(dg)); err != nil {
			d.own = nil
			return &RemovedError{dg, d.path}
		}
	}
	old, err := readManifestFile(filepath.Join(d.path, indexFile))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	index, err := addEntry(old, *d.final, d.image)
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(d.path, layoutFile), []byte(layoutMarker)); err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(d.path, indexFile), index); err != nil {
		return err
	}
	d.done = true
	return nil
}

// addEntry puts the manifest into an index.json in the place of one with the
// same name, or without a name in the place of the same digest.
func addEntry(old []byte, m Manifest, name string) ([]byte, error) {
	x := &v1.IndexManifest{SchemaVersion: 2}
	if len(old) > 0 {
		var err error
		if x, err = ParseIndex(old); err != nil {
			return nil, err
		}
	}
	hash, err := v1.NewHash(m.Digest.String())
	if err != nil {
		return nil, err
	}
	entry := v1.Descriptor{MediaType: m.MediaType, Size: int64(len(m.Bytes)), Digest: hash}
	if name != "" {
		entry.Annotations = map[string]string{refNameKey: name}
	}
	kept := x.Manifests[:0]
	for _, d := range x.Manifests {
		have := d.Annotations[refNameKey]
		if name != "" && have == name || name == "" && have == "" && d.Digest == hash {
			continue
		}
		kept = append(kept, d)
	}
	x.Manifests = append(kept, entry)
	return json.Marshal(x)
}

// Close takes away a layout that was made for an image that never came, unless
// another copy had more luck.
func (d *layoutDestination) Close() error {
	if !d.made || d.done {
		return nil
	}
	lock, err := d.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Lstat(filepath.Join(d.path, indexFile)); err == nil {
		return nil
	}
	return os.RemoveAll(d.path)
}
