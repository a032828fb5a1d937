package source

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/transport"
)

// configType is the media type of a source image's configuration.
const configType = "application/vnd.oci.source.image.config.v1+json"

// configuration is a source image's configuration.
type configuration struct {
	Author  string     `json:"author,omitempty"`
	Created *time.Time `json:"created,omitempty"`
}

func layoutAt(path string) ref.Location {
	return ref.Location{Transport: ref.OCI, Path: path, Index: -1}
}

// Create makes a source image without layers at the path, which must be free.
// A nil time leaves it out.
func Create(ctx context.Context, path, author string, created *time.Time) error {
	return publish(path, func(dir string) error {
		conf, err := json.Marshal(configuration{author, created})
		if err != nil {
			return err
		}
		manifest, err := encode(spec.Manifest{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: spec.MediaTypeImageManifest, Layers: []spec.Descriptor{},
			Config: spec.Descriptor{MediaType: configType, Digest: digest.FromBytes(conf), Size: int64(len(conf))},
		})
		if err != nil {
			return err
		}
		to, err := transport.OpenDestination(ctx, layoutAt(dir), transport.Options{})
		if err != nil {
			return err
		}
		defer to.Close()
		for _, blob := range [][]byte{conf, manifest.Bytes} {
			if err := put(ctx, to, blob); err != nil {
				return err
			}
		}
		if err := to.PutManifest(ctx, manifest, false); err != nil {
			return err
		}
		return to.Commit(ctx)
	})
}

// publish has a directory made beside the path, which becomes the path's in one
// step when it is complete.
func publish(path string, fill func(dir string) error) error {
	path = filepath.Clean(path)
	if _, err := os.Lstat(path); err == nil {
		return errdef.Newf(errdef.ErrConflict, "%q already exists", path)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".source-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := fill(dir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	err = unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) {
		return errdef.Newf(errdef.ErrConflict, "%q already exists", path)
	}
	return err
}

func encode(m spec.Manifest) (transport.Manifest, error) {
	data, err := json.Marshal(m)
	return transport.Manifest{Bytes: data, MediaType: types.OCIManifestSchema1, Digest: digest.FromBytes(data)}, err
}

func put(ctx context.Context, to transport.Destination, blob []byte) error {
	c, stop := content(func(w io.Writer) error {
		_, err := w.Write(blob)
		return err
	})
	defer stop()
	return to.Put(ctx, c)
}

// content is a blob that write writes; its digest is known afterwards.
func content(write func(io.Writer) error) (c transport.Content, stop func()) {
	r, w := io.Pipe()
	sum, n := digest.SHA256.Digester(), int64(0)
	go func() {
		w.CloseWithError(write(io.MultiWriter(w, sum.Hash(), counter{&n})))
	}()
	return transport.Content{Size: -1, Reader: r, Sum: func() (digest.Digest, int64) { return sum.Digest(), n }}, func() { r.Close() }
}

type counter struct{ n *int64 }

func (c counter) Write(p []byte) (int, error) {
	*c.n += int64(len(p))
	return len(p), nil
}

// Read gives the manifest of what from is, which must be a source image.
func Read(ctx context.Context, from transport.Source) (*spec.Manifest, error) {
	got, err := from.Manifest(ctx, "")
	if err != nil {
		return nil, err
	}
	if _, err := transport.ParseImage(got.Bytes); err != nil {
		return nil, err
	}
	m := new(spec.Manifest)
	if err := json.Unmarshal(got.Bytes, m); err != nil {
		return nil, err
	}
	if m.Config.MediaType != configType {
		return nil, errdef.Newf(errdef.ErrInvalid, "it is no source image: its configuration is of the type %q", m.Config.MediaType)
	}
	return m, nil
}

// Add puts a file or a directory into the source image at the path, as a layer
// with the annotations.
func Add(ctx context.Context, path, artifact string, annotations map[string]string) error {
	for _, name := range []string{path, artifact} {
		if err := unix.Faccessat(unix.AT_FDCWD, name, unix.F_OK, 0); err != nil {
			return errdef.As(errdef.ErrNotFound, fmt.Errorf("faccessat %s: %w", name, err))
		}
	}
	lock, err := os.Open(path)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %q: %w", path, err)
	}
	from, err := transport.OpenSource(ctx, layoutAt(path), transport.Options{})
	if err != nil {
		return fmt.Errorf("open source image %q: %w", path, err)
	}
	defer from.Close()
	m, err := Read(ctx, from)
	if err != nil {
		return fmt.Errorf("open source image %q: %w", path, err)
	}
	before, err := from.Manifest(ctx, "")
	if err != nil {
		return err
	}
	layer, err := archive(ctx, path, artifact)
	if err != nil {
		return fmt.Errorf("add %q: %w", artifact, err)
	}
	layer.Annotations = annotations
	m.Layers = append(m.Layers, layer)
	after, err := encode(*m)
	if err != nil {
		return err
	}
	return replace(ctx, path, before, after)
}

// archive writes the artifact's archive into the layout.
func archive(ctx context.Context, path, artifact string) (spec.Descriptor, error) {
	to, err := transport.OpenDestination(ctx, layoutAt(path), transport.Options{})
	if err != nil {
		return spec.Descriptor{}, err
	}
	defer to.Close()
	c, stop := content(func(w io.Writer) error {
		z := gzip.NewWriter(w)
		if err := pack(ctx, z, artifact); err != nil {
			return err
		}
		return z.Close()
	})
	defer stop()
	if err := to.Put(ctx, c); err != nil {
		return spec.Descriptor{}, err
	}
	d, size := c.Sum()
	return spec.Descriptor{MediaType: spec.MediaTypeImageLayerGzip, Digest: d, Size: size}, nil
}

// pack writes a directory's content, or a file, as a tar. It belongs to root,
// whoever packs it.
func pack(ctx context.Context, out io.Writer, artifact string) error {
	info, err := os.Stat(artifact)
	if err != nil {
		return err
	}
	if info.IsDir() {
		tree, err := fscopy.OpenTree(artifact, nil)
		if err != nil {
			return err
		}
		defer tree.Close()
		tree.Inside = func(int, int) (int, int) { return 0, 0 }
		return tree.WriteTar(ctx, out)
	}
	if !info.Mode().IsRegular() {
		return errdef.Newf(errdef.ErrInvalid, "it is neither a file nor a directory")
	}
	f, err := os.Open(artifact)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(out)
	h := &tar.Header{Typeflag: tar.TypeReg, Name: filepath.Base(artifact), Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime().Truncate(time.Second)}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	if _, err := io.Copy(w, f); err != nil {
		return err
	}
	return w.Close()
}

// replace makes another manifest the layout's only one.
func replace(ctx context.Context, path string, before, after transport.Manifest) error {
	to, err := transport.OpenDestination(ctx, layoutAt(path), transport.Options{})
	if err != nil {
		return err
	}
	defer to.Close()
	if err := to.PutManifest(ctx, after, true); err != nil {
		return err
	}
	hash, err := v1.NewHash(after.Digest.String())
	if err != nil {
		return err
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{
		{MediaType: after.MediaType, Size: int64(len(after.Bytes)), Digest: hash},
	}})
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(path, spec.ImageIndexFile), index, 0o644); err != nil {
		return err
	}
	if before.Digest == after.Digest {
		return nil
	}
	return os.Remove(filepath.Join(path, spec.ImageBlobsDir, "sha256", before.Digest.Encoded()))
}
