package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store/unpack"
)

// tarball makes an image of tar files, a layer of each, as they are. It is as
// old as the newest of them, so the same files make the same image.
type tarball struct {
	files    map[digest.Digest]*os.File
	config   []byte
	manifest Manifest
}

// openTarball reads the files, whose names are separated by colons; "-" is the
// standard input.
func openTarball(ctx context.Context, l Ref, o Options) (Source, error) {
	s := &tarball{files: map[digest.Digest]*os.File{}}
	if err := s.load(ctx, strings.Split(l.Path, ":"), o.Config.Engine.ImageCopyTmpDir); err != nil {
		return nil, firstError(err, s.Close())
	}
	return s, nil
}

func (s *tarball) load(ctx context.Context, names []string, tmp string) error {
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Layers: []v1.Descriptor{}}
	conf := v1.ConfigFile{OS: runtime.GOOS, Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers"}}
	for _, name := range names {
		d, diffID, changed, err := s.add(ctx, name, tmp)
		if err != nil {
			return err
		}
		if changed.After(conf.Created.Time) {
			conf.Created = v1.Time{Time: changed.UTC().Truncate(time.Second)}
		}
		m.Layers = append(m.Layers, d)
		conf.RootFS.DiffIDs = append(conf.RootFS.DiffIDs, diffID)
		conf.History = append(conf.History, v1.History{Created: v1.Time{Time: changed.UTC().Truncate(time.Second)}, CreatedBy: "tarball " + name})
	}
	var err error
	if s.config, err = json.Marshal(conf); err != nil {
		return err
	}
	hash, _, err := v1.SHA256(bytes.NewReader(s.config))
	if err != nil {
		return err
	}
	m.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(s.config)), Digest: hash}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	s.manifest, err = withDigest(data, m.MediaType, "")
	return err
}

// add reads one file to its end.
func (s *tarball) add(ctx context.Context, name, tmp string) (d v1.Descriptor, diffID v1.Hash, changed time.Time, err error) {
	f, err := openTarballFile(name, tmp)
	if err != nil {
		return d, diffID, changed, fmt.Errorf("error opening %q: %w", name, err)
	}
	sums, err := unpack.Sum(ctx, f)
	if err != nil {
		return d, diffID, changed, firstError(fmt.Errorf("read %q: %w", name, err), f.Close())
	}
	if old := s.files[sums.Digest]; old != nil {
		old.Close()
	}
	s.files[sums.Digest] = f
	if fi, err := f.Stat(); err == nil {
		changed = fi.ModTime()
	}
	d = v1.Descriptor{MediaType: types.OCIUncompressedLayer, Size: sums.Size}
	head := make([]byte, 4)
	n, _ := f.ReadAt(head, 0)
	switch {
	case sums.Digest == sums.DiffID:
	case bytes.HasPrefix(head[:n], []byte{0x1f, 0x8b}):
		d.MediaType = types.OCILayer
	case bytes.HasPrefix(head[:n], []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d.MediaType = types.OCILayerZStd
	default:
		return d, diffID, changed, errdef.Newf(errdef.ErrUnsupported, "%q is compressed with neither gzip nor zstd, the only ways that layers can be", name)
	}
	if d.Digest, err = v1.NewHash(sums.Digest.String()); err == nil {
		diffID, err = v1.NewHash(sums.DiffID.String())
	}
	return d, diffID, changed, err
}

// openTarballFile keeps a stream in a nameless file: it is read twice.
func openTarballFile(name, tmp string) (*os.File, error) {
	in := os.Stdin
	if name != "-" {
		var err error
		if in, err = os.Open(name); err != nil {
			return nil, err
		}
		if fi, err := in.Stat(); err != nil || fi.Mode().IsRegular() {
			return in, err
		}
		defer in.Close()
	}
	f, err := nameless(tmp)
	if err != nil {
		return nil, err
	}
	err = fill(f, in)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	return f, err
}

func (s *tarball) Manifest(_ context.Context, d digest.Digest) (Manifest, error) {
	if d != "" && d != s.manifest.Digest {
		return Manifest{}, errdef.Newf(errdef.ErrNotFound, "the tarball has no manifest %s", d)
	}
	return s.manifest, nil
}

func (s *tarball) Blob(_ context.Context, d digest.Digest) (io.ReadCloser, int64, error) {
	f := s.files[d]
	if f == nil {
		return io.NopCloser(bytes.NewReader(s.config)), int64(len(s.config)), nil
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	return io.NopCloser(io.NewSectionReader(f, 0, fi.Size())), fi.Size(), nil
}

func (s *tarball) Close() error {
	var err error
	for _, f := range s.files {
		err = firstError(err, f.Close())
	}
	return err
}
