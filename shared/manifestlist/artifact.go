package manifestlist

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/transport"
)

// artifacts is the document of the artifacts that were made for a list, in the
// form of the reference tools. Only small content is in it: files stay where
// they are until the list is pushed.
type artifacts struct {
	Manifests map[digest.Digest]string          `json:"manifests,omitempty"` // by their digest
	Files     map[digest.Digest][]string        `json:"files,omitempty"`     // of a manifest: paths
	Configs   map[digest.Digest]digest.Digest   `json:"config,omitempty"`    // of a manifest: its configuration
	Layers    map[digest.Digest][]digest.Digest `json:"layers,omitempty"`    // of a manifest: its files
	Detached  map[digest.Digest]string          `json:"detached,omitempty"`  // of a file: its path
	Blobs     map[digest.Digest][]byte          `json:"blobs,omitempty"`     // of a configuration: its content
}

// artifact is one of a list's artifacts.
type artifact struct {
	manifest string
	files    []string
	config   digest.Digest
	layers   []digest.Digest
	content  map[digest.Digest][]byte
	paths    map[digest.Digest]string
}

func (a *artifacts) add(d digest.Digest, one *artifact) {
	put(&a.Manifests, d, one.manifest)
	put(&a.Files, d, one.files)
	put(&a.Configs, d, one.config)
	put(&a.Layers, d, one.layers)
	for blob, data := range one.content {
		put(&a.Blobs, blob, data)
	}
	for blob, path := range one.paths {
		put(&a.Detached, blob, path)
	}
}

func put[V any](m *map[digest.Digest]V, key digest.Digest, value V) {
	if *m == nil {
		*m = map[digest.Digest]V{}
	}
	(*m)[key] = value
}

func (a *artifacts) get(d digest.Digest) (*artifact, bool) {
	manifest, ok := a.Manifests[d]
	if !ok {
		return nil, false
	}
	one := &artifact{manifest: manifest, files: a.Files[d], config: a.Configs[d], layers: a.Layers[d],
		content: map[digest.Digest][]byte{}, paths: map[digest.Digest]string{}}
	for _, blob := range append(slices.Clone(one.layers), one.config) {
		if data, ok := a.Blobs[blob]; ok {
			one.content[blob] = data
		}
		if path, ok := a.Detached[blob]; ok {
			one.paths[blob] = path
		}
	}
	return one, true
}

// keep removes all artifacts but those with the digests.
func (a *artifacts) keep(digests []digest.Digest) {
	used := map[digest.Digest]bool{}
	for d := range a.Manifests {
		if !slices.Contains(digests, d) {
			delete(a.Manifests, d)
			delete(a.Files, d)
			delete(a.Configs, d)
			delete(a.Layers, d)
			continue
		}
		used[a.Configs[d]] = true
		for _, layer := range a.Layers[d] {
			used[layer] = true
		}
	}
	maps.DeleteFunc(a.Detached, func(d digest.Digest, _ string) bool { return !used[d] })
	maps.DeleteFunc(a.Blobs, func(d digest.Digest, _ []byte) bool { return !used[d] })
}

// Artifact says how files become an artifact of a list.
type Artifact struct {
	Files         []string
	Type          string // "" says that it is unknown
	ConfigFile    string // "" is the empty configuration
	ConfigType    string
	LayerType     string // of all files; "" finds it out
	ExcludeTitles bool
	Subject       string // the image that it is about, or ""
	Annotations   map[string]string

	subject *v1.Descriptor
}

// The types of an artifact for which none was given.
const (
	unknownArtifact = "application/vnd.unknown.artifact.v1"
	titleAnnotation = "org.opencontainers.image.title"
)

// entry reads the files and makes the artifact's manifest (OCI image manifest,
// guidelines for artifact usage).
func (a Artifact) entry(ctx context.Context) (entry, error) {
	one := &artifact{content: map[digest.Digest][]byte{}, paths: map[digest.Digest]string{}}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: a.Type, Subject: a.subject, Annotations: a.Annotations, Layers: []v1.Descriptor{}}
	if m.ArtifactType == "" {
		m.ArtifactType = unknownArtifact
	}
	var err error
	if m.Config, err = a.config(one); err != nil {
		return entry{}, err
	}
	for _, file := range a.Files {
		if err := ctx.Err(); err != nil {
			return entry{}, err
		}
		path, err := filepath.Abs(file)
		if err != nil {
			return entry{}, err
		}
		d, err := a.layer(path)
		if err != nil {
			return entry{}, fmt.Errorf("reading %q to determine its digest: %w", file, err)
		}
		m.Layers = append(m.Layers, d)
		one.files = append(one.files, path)
		one.layers = append(one.layers, transport.Digest(d))
		one.paths[transport.Digest(d)] = path
	}
	data, err := json.Marshal(m)
	if err != nil {
		return entry{}, err
	}
	one.manifest = string(data)
	hash, err := v1.NewHash(digest.FromBytes(data).String())
	return entry{artifact: one, Descriptor: v1.Descriptor{MediaType: m.MediaType, Size: int64(len(data)), Digest: hash, ArtifactType: m.ArtifactType}}, err
}

func (a Artifact) config(one *artifact) (v1.Descriptor, error) {
	data, kind := []byte("{}"), types.OCIEmptyJSON
	if a.ConfigFile != "" {
		f, err := os.Open(a.ConfigFile)
		if err != nil {
			return v1.Descriptor{}, err
		}
		defer f.Close()
		if data, err = io.ReadAll(io.LimitReader(f, transport.MaxConfigSize+1)); err != nil {
			return v1.Descriptor{}, err
		}
		if len(data) > transport.MaxConfigSize {
			return v1.Descriptor{}, errdef.Newf(errdef.ErrInvalid, "the configuration %q of the artifact is larger than %d bytes", a.ConfigFile, transport.MaxConfigSize)
		}
		kind = types.OCIConfigJSON
	}
	if a.ConfigType != "" {
		kind = types.MediaType(a.ConfigType)
	}
	one.config = digest.FromBytes(data)
	one.content[one.config] = data
	hash, err := v1.NewHash(one.config.String())
	return v1.Descriptor{MediaType: kind, Digest: hash, Size: int64(len(data)), Data: data}, err
}

// layer describes the file.
func (a Artifact) layer(path string) (v1.Descriptor, error) {
	f, err := os.Open(path)
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer f.Close()
	kind := a.LayerType
	if kind == "" {
		if kind, err = fileType(f); err != nil {
			return v1.Descriptor{}, err
		}
	}
	sum := digest.SHA256.Digester()
	size, err := io.Copy(sum.Hash(), f)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{MediaType: types.MediaType(kind), Size: size}
	if !a.ExcludeTitles {
		d.Annotations = map[string]string{titleAnnotation: filepath.Base(path)}
	}
	d.Digest, err = v1.NewHash(sum.Digest().String())
	return d, err
}

// fileType guesses the media type of a file from its content and its name. The
// file is left at its beginning.
func fileType(f *os.File) (string, error) {
	kind, err := transport.ContentType(f)
	if err != nil {
		return "", err
	}
	if kind, _, err = mime.ParseMediaType(kind); err != nil {
		return "", err
	}
	if kind == "application/octet-stream" || kind == "text/plain" {
		if named, _, err := mime.ParseMediaType(mime.TypeByExtension(filepath.Ext(f.Name()))); err == nil {
			kind = named
		}
	}
	return kind, nil
}

// artifactSource is an artifact of a list to be copied from.
type artifactSource struct{ one *artifact }

func (s artifactSource) Manifest(context.Context, digest.Digest) (transport.Manifest, error) {
	data := []byte(s.one.manifest)
	return transport.Manifest{Bytes: data, MediaType: types.OCIManifestSchema1, Digest: digest.FromBytes(data)}, nil
}

func (s artifactSource) Blob(_ context.Context, d digest.Digest) (io.ReadCloser, int64, error) {
	if data, ok := s.one.content[d]; ok {
		return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
	}
	path, ok := s.one.paths[d]
	if !ok {
		return nil, 0, errdef.Newf(errdef.ErrNotFound, "the artifact has no file with the digest %s", d)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, fi.Size(), nil
}

func (artifactSource) Close() error { return nil }
