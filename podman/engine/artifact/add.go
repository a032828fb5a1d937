package artifact

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/transport"
)

// AddRequest makes an artifact of files, or adds files to one.
type AddRequest struct {
	Name        string
	Files       []string
	Type        string            // of the artifact, "" for none
	FileType    string            // of all files; "" finds it out
	Annotations map[string]string // of every file, and of an artifact that is made
	Append      bool              // to an artifact that is there
	Replace     bool              // one that is there
}

// Add makes an artifact and gives its digest. A file that can't be read leaves
// the store as it was.
func (s *Store) Add(ctx context.Context, req AddRequest) (digest.Digest, error) {
	switch {
	case req.Append && req.Type != "":
		return "", errdef.Newf(errdef.ErrInvalid, "append option is not compatible with type option")
	case req.Append && req.Replace:
		return "", errdef.Newf(errdef.ErrInvalid, "--append and --replace options cannot be used together")
	}
	if n, err := ref.Parse(req.Name); err != nil {
		return "", fmt.Errorf("parse artifact name %q: %w", req.Name, err)
	} else if n.Digest != "" {
		return "", errdef.Newf(errdef.ErrInvalid, "parse artifact name %q: a digest can't be chosen: it follows from the content", req.Name)
	}
	var made digest.Digest
	err := s.change(func(index *spec.Index) error {
		i := named(index, req.Name)
		m, err := s.base(index, i, req)
		if err != nil {
			return err
		}
		if err := s.addFiles(ctx, m, req); err != nil {
			return err
		}
		d, err := s.putManifest(m)
		if err != nil {
			return err
		}
		d.Annotations = map[string]string{spec.AnnotationRefName: req.Name}
		if i >= 0 {
			d.Annotations = index.Manifests[i].Annotations
			index.Manifests = slices.Delete(index.Manifests, i, i+1)
		}
		index.Manifests = append(index.Manifests, d)
		made = d.Digest
		return nil
	})
	return made, err
}

// base is the manifest that files are added to. i is the place of the artifact
// of the name, -1 if there is none.
func (s *Store) base(index *spec.Index, i int, req AddRequest) (*spec.Manifest, error) {
	switch {
	case req.Append && i < 0:
		return nil, unknown(req.Name)
	case req.Append:
		a, err := s.read(index.Manifests[i])
		if err != nil {
			return nil, err
		}
		return &a.Manifest, nil
	case i >= 0 && !req.Replace:
		return nil, errdef.Newf(errdef.ErrConflict, "%s: artifact already exists", req.Name)
	}
	m := &spec.Manifest{MediaType: spec.MediaTypeImageManifest, ArtifactType: req.Type, Config: spec.DescriptorEmptyJSON,
		Annotations: map[string]string{spec.AnnotationCreated: time.Now().UTC().Format(time.RFC3339Nano)}}
	for key, value := range req.Annotations {
		if key != spec.AnnotationTitle { // a file's
			m.Annotations[key] = value
		}
	}
	m.SchemaVersion = 2
	return m, atomicfile.Write(s.blobPath(m.Config.Digest), m.Config.Data, 0o644)
}

func (s *Store) addFiles(ctx context.Context, m *spec.Manifest, req AddRequest) error {
	for _, file := range req.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		notes := map[string]string{spec.AnnotationTitle: filepath.Base(file)}
		maps.Copy(notes, req.Annotations)
		title := notes[spec.AnnotationTitle]
		if slices.ContainsFunc(m.Layers, func(l spec.Descriptor) bool { return l.Annotations[spec.AnnotationTitle] == title }) {
			return errdef.Newf(errdef.ErrConflict, "%s: file already exists in artifact", title)
		}
		d, err := s.putFile(ctx, file)
		if err != nil {
			return err
		}
		if d.Annotations = notes; req.FileType != "" {
			d.MediaType = req.FileType
		}
		m.Layers = append(m.Layers, d)
	}
	return nil
}

// putFile copies a file into the store and describes it.
func (s *Store) putFile(ctx context.Context, file string) (spec.Descriptor, error) {
	f, err := os.Open(file)
	if err != nil {
		return spec.Descriptor{}, err
	}
	defer f.Close()
	kind, err := transport.ContentType(f)
	if err != nil {
		return spec.Descriptor{}, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(s.blobPath(digest.FromString(""))), ".incoming-*")
	if err != nil {
		return spec.Descriptor{}, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	sum := digest.SHA256.Digester()
	size, err := io.Copy(io.MultiWriter(tmp, sum.Hash()), &interruptible{ctx, f})
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err != nil {
		return spec.Descriptor{}, fmt.Errorf("add %q: %w", file, err)
	}
	d := spec.Descriptor{MediaType: kind, Digest: sum.Digest(), Size: size}
	return d, os.Rename(tmp.Name(), s.blobPath(d.Digest))
}

// interruptible reads until the context is done.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}

// putManifest writes the manifest and describes it.
func (s *Store) putManifest(m *spec.Manifest) (spec.Descriptor, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return spec.Descriptor{}, err
	}
	d := spec.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	return d, atomicfile.Write(s.blobPath(d.Digest), data, 0o644)
}
