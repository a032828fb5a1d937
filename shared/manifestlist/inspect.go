package manifestlist

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
)

// Document is a list as inspect shows it, with the reference's keys.
type Document struct {
	SchemaVersion int64             `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Manifests     []DocumentEntry   `json:"manifests"`
	Subject       *DocumentEntry    `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// DocumentEntry is an image of a list, an artifact, or the list's subject.
type DocumentEntry struct {
	MediaType    types.MediaType   `json:"mediaType"`
	Size         int64             `json:"size"`
	Digest       string            `json:"digest"`
	URLs         []string          `json:"urls,omitempty"`
	Platform     v1.Platform       `json:"platform"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Data         []byte            `json:"data,omitempty"`
	Files        []string          `json:"files,omitempty"`
}

func document(index *v1.IndexManifest, files map[digest.Digest][]string) *Document {
	doc := &Document{SchemaVersion: index.SchemaVersion, MediaType: index.MediaType, ArtifactType: index.ArtifactType,
		Annotations: index.Annotations, Manifests: make([]DocumentEntry, len(index.Manifests))}
	for i, d := range index.Manifests {
		doc.Manifests[i] = documentEntry(d)
		doc.Manifests[i].Files = files[transport.Digest(d)]
	}
	if index.Subject != nil {
		subject := documentEntry(*index.Subject)
		doc.Subject = &subject
	}
	return doc
}

func documentEntry(d v1.Descriptor) DocumentEntry {
	e := DocumentEntry{MediaType: d.MediaType, Size: d.Size, Digest: d.Digest.String(), URLs: d.URLs,
		Annotations: d.Annotations, ArtifactType: d.ArtifactType, Data: d.Data}
	if d.Platform != nil {
		e.Platform = *d.Platform
	}
	return e
}

// Inspect shows a list of the store or, if there is none of the name, of a
// registry.
func (s Lists) Inspect(ctx context.Context, name string, o registry.Options) (*Document, error) {
	if img, err := s.Find(name); err == nil {
		l, err := open(s.Store, img.ID)
		if err != nil {
			return nil, err
		}
		return document(&l.Index, l.artifacts.Files), nil
	}
	if ref.HasTransport(name) {
		l, err := ref.ParseTransport(name)
		if err != nil {
			return nil, err
		}
		return s.inspectAt(ctx, l, o)
	}
	n, err := ref.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("parsing reference %q: %w", name, err)
	}
	regs, err := s.Config.Registries()
	if err != nil {
		return nil, err
	}
	places := ref.Remote(n, regs.Aliases, regs.UnqualifiedSearch)
	if len(places) == 0 {
		return nil, errdef.Newf(errdef.ErrNotFound, "short-name %q did not resolve to an alias and no unqualified-search registries are defined in registries.conf", name)
	}
	var errs []error
	for _, place := range places {
		doc, err := s.inspectAt(ctx, ref.Location{Transport: ref.Docker, Name: place, Index: -1}, o)
		if err == nil {
			return doc, nil
		}
		errs = append(errs, fmt.Errorf("reading image %q: %w", "docker://"+place.String(), err))
	}
	return nil, errors.Join(errs...)
}

func (s Lists) inspectAt(ctx context.Context, l ref.Location, o registry.Options) (*Document, error) {
	src, err := transport.OpenSource(ctx, l, transport.Options{Config: s.Config, Registry: o, Store: s.Store})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	m, err := src.Manifest(ctx, "")
	if err != nil {
		return nil, err
	}
	if !m.MediaType.IsIndex() {
		return nil, errdef.Newf(errdef.ErrInvalid, "it is a single image, not a list of images: skopeo inspect --raw shows its manifest")
	}
	index, err := transport.ParseIndex(m.Bytes)
	if err != nil {
		return nil, err
	}
	index.MediaType = m.MediaType
	return document(index, nil), nil
}
