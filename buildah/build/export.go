package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
)

// Kinds of outputs.
const (
	OutputLocal  = "local"  // the image's files, in a directory
	OutputTar    = "tar"    // the image's files, in an archive
	OutputDocker = "docker" // the image, in an archive of docker's
	OutputOCI    = "oci"    // the image, in an OCI layout
	OutputImage  = "image"  // the image, in the store as always
)

// Output is where an image goes beside the store.
type Output struct {
	Kind        string
	Dest        string   // file or directory; "-" is standard output
	Dir         bool     // of an OCI layout: it is a directory, not an archive
	Names       []string // of the image, beside those of the build
	Push        bool     // of OutputImage: the image goes to the registries of its names, too
	Compression string   // of the layers in an OCI layout or a registry: gzip unless set
	Level       int      // of the compression; 0 = its own choice
	Force       bool     // compress layers anew that are compressed in another way
}

// Export writes the image, or its files, to the output. names are the image's.
// It gives the manifest that was written, an empty one if none was.
func Export(ctx context.Context, st *store.Store, cfg *config.Config, r *registry.Options, id string, names []string, o Output) (written registry.Manifest, err error) {
	switch o.Kind {
	case OutputImage:
		if !o.Push {
			return written, nil
		}
		push := imgcopy.PushOptions{Registry: *r, CompressFormat: o.Compression, CompressLevel: o.Level, ForceCompress: o.Force}
		for _, name := range names {
			result, err := imgcopy.Push(ctx, st, cfg, id, name, push)
			if err != nil {
				return written, fmt.Errorf("push %s: %w", name, err)
			}
			written = result.Manifest
		}
		return written, nil
	case OutputLocal:
		err = exportFiles(ctx, st, id, o.Dest)
	case OutputOCI:
		if o.Dir {
			written, err = exportImage(ctx, st, cfg, id, names, o, o.Dest)
			break
		}
		fallthrough
	default:
		err = exportArchive(o.Dest, func(file string) (err error) {
			if o.Kind == OutputTar {
				return exportTar(ctx, st, id, file)
			}
			written, err = exportImage(ctx, st, cfg, id, names, o, file)
			return err
		})
	}
	if err != nil {
		err = fmt.Errorf("export to %q: %w", o.Dest, err)
	}
	return written, err
}

// withTree calls do with the image's files.
func withTree(st *store.Store, id string, do func(*fscopy.Tree) error) (err error) {
	root, err := st.MountImage(id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.UnmountImage(id, false)) }()
	tree, err := fscopy.OpenTree(root, nil)
	if err != nil {
		return err
	}
	defer tree.Close()
	return do(tree)
}

func exportFiles(ctx context.Context, st *store.Store, id, dir string) error {
	return withTree(st, id, func(tree *fscopy.Tree) error {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		sources, err := tree.List([]string{"."})
		if err != nil {
			return err
		}
		return tree.Copy(ctx, dir, sources, fscopy.Options{Dest: "/"})
	})
}

func exportTar(ctx context.Context, st *store.Store, id, file string) error {
	return withTree(st, id, func(tree *fscopy.Tree) (err error) {
		out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o666)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, out.Close()) }()
		return tree.WriteTar(ctx, out)
	})
}

// exportImage writes the image to a file, or the directory of a layout.
func exportImage(ctx context.Context, st *store.Store, cfg *config.Config, id string, names []string, o Output, path string) (registry.Manifest, error) {
	c := imgcopy.Options{CompressFormat: o.Compression, CompressLevel: o.Level, ForceCompress: o.Force, Sign: imgcopy.SignOptions{Remove: true}}
	c.Source.Config, c.Source.Store, c.Destination.Config = cfg, st, cfg
	dst := ref.Location{Transport: ref.OCIArchive, Path: path, Index: -1}
	switch {
	case o.Kind == OutputDocker:
		dst.Transport = ref.DockerArchive
		for i, name := range names {
			n, err := ref.Parse(name)
			if err != nil {
				return registry.Manifest{}, err
			}
			if i == 0 {
				dst.Name = n
			} else {
				c.Destination.ExtraTags = append(c.Destination.ExtraTags, n)
			}
		}
	case o.Dir:
		dst.Transport = ref.OCI
		fallthrough
	default:
		c.Format = imgcopy.FormatOCI
		if len(names) > 0 {
			dst.Image = names[0]
		}
	}
	result, err := imgcopy.Copy(ctx, dst, ref.Location{Transport: ref.ContainersStorage, Image: id, Index: -1}, c)
	return result.Manifest, err
}

// exportArchive has an archive made and puts it where it belongs once it is
// whole: a file stays as it was until then.
func exportArchive(dest string, make func(file string) error) error {
	parent, plain := filepath.Dir(dest), dest != "-"
	if info, err := os.Stat(dest); plain && err == nil && !info.Mode().IsRegular() {
		plain = false // a pipe, say
	} else if plain && err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !plain {
		parent = tempDir()
	}
	dir, err := os.MkdirTemp(parent, ".build-output-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "archive")
	if err := make(file); err != nil {
		return err
	}
	if plain {
		if target, err := filepath.EvalSymlinks(dest); err == nil {
			dest = target
		}
		return os.Rename(file, dest)
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	out := os.Stdout
	if dest != "-" {
		if out, err = os.OpenFile(dest, os.O_WRONLY, 0); err != nil {
			return err
		}
		defer out.Close()
	}
	_, err = io.Copy(out, in)
	return err
}

// Metadata tells of an image as docker's buildx does in the file of
// --metadata-file. written is the manifest in the place where the image went; without one
// it is the store's.
func Metadata(st *store.Store, id string, names []string, written registry.Manifest) ([]byte, error) {
	if written.Digest == "" {
		image, err := st.Image(id)
		if err != nil {
			return nil, err
		}
		data, err := st.ImageManifest(id)
		if err != nil {
			return nil, err
		}
		var m struct{ MediaType types.MediaType }
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "image %s: parse manifest: %w", id, err)
		}
		written = registry.Manifest{Bytes: data, MediaType: m.MediaType, Digest: image.Digest}
		if written.MediaType == "" {
			written.MediaType = spec.MediaTypeImageManifest
		}
	}
	return json.MarshalIndent(struct {
		Config     string          `json:"containerimage.config.digest"`
		Descriptor spec.Descriptor `json:"containerimage.descriptor"`
		Digest     string          `json:"containerimage.digest"`
		Name       string          `json:"image.name,omitempty"`
	}{
		"sha256:" + id,
		spec.Descriptor{MediaType: string(written.MediaType), Digest: written.Digest, Size: int64(len(written.Bytes))},
		written.Digest.String(), strings.Join(names, ","),
	}, "", "  ")
}
