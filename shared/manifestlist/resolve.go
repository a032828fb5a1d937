package manifestlist

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/transport"
)

// finder finds the images that are to be added to lists.
type finder struct {
	Lists
	registry registry.Options
	all      bool        // every image of a list
	platform v1.Platform // of a list's image, without all; empty fields are the host's
}

// find gives the entries that an image, or a list of images, makes. image is a
// transport:details reference, or a name in a registry or, if it isn't there,
// in the store. What was built here, and what is named by its ID, is the
// store's alone.
func (f finder) find(ctx context.Context, image string) ([]entry, error) {
	if ref.HasTransport(image) {
		l, err := ref.ParseTransport(image)
		if err != nil {
			return nil, err
		}
		if l.Transport == ref.ContainersStorage && l.Store.IsZero() {
			img, err := imgcopy.ResolveLocal(f.Store, f.Config, image)
			if err != nil {
				return nil, err
			}
			return f.stored(ctx, img)
		}
		return f.at(ctx, l)
	}
	local, localErr := imgcopy.ResolveLocal(f.Store, f.Config, image)
	n, err := ref.ParseNormalized(image)
	if localErr == nil && (err != nil || builtHere(local, image)) {
		return f.stored(ctx, local)
	}
	if err != nil {
		return nil, fmt.Errorf("locating image to add to manifest list: %q: %w; %q: %w", image, err, image, localErr)
	}
	entries, err := f.at(ctx, ref.Location{Transport: ref.Docker, Name: n.Tagged(), Index: -1})
	switch {
	case err == nil || ctx.Err() != nil:
		return entries, err
	case localErr == nil:
		return f.stored(ctx, local)
	}
	return nil, fmt.Errorf("locating image to add to manifest list: %q: %w; %q: %w", "docker://"+image, err, image, localErr)
}

// builtHere tells that a name stands for something that no registry has.
func builtHere(img store.Image, name string) bool {
	n, err := ref.Parse(name)
	if err != nil || n.Domain == "localhost" {
		return true
	}
	if !n.IsShort() {
		return false
	}
	n.Domain = "localhost"
	for _, have := range img.Names {
		if have == n.Tagged().String() {
			return true
		}
	}
	// Without a name that fits, the name is the beginning of an ID.
	return ref.IsHex(name) && len(img.ID) > len(name) && img.ID[:len(name)] == name
}

// stored gives the entries of an image of the store.
func (f finder) stored(ctx context.Context, img store.Image) ([]entry, error) {
	if img.List {
		l, err := open(f.Store, img.ID)
		if err != nil {
			return nil, err
		}
		return f.choose(&l.Index, l.entry)
	}
	spec := ref.StoreSpec{Driver: f.Store.Driver(), GraphRoot: f.Store.GraphRoot(), RunRoot: f.Store.RunRoot()}
	return f.at(ctx, ref.Location{Transport: ref.ContainersStorage, Store: spec, Image: "@" + img.ID, Index: -1})
}

// at gives the entries of what lies at the place.
func (f finder) at(ctx context.Context, l ref.Location) ([]entry, error) {
	o := transport.Options{Config: f.Config, Registry: f.registry, Store: f.Store}
	if l.Transport == ref.ContainersStorage && l.Store.GraphRoot == f.Store.GraphRoot() {
		l.Store = ref.StoreSpec{} // this store is open already
	}
	src, err := transport.OpenSource(ctx, l, o)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	m, err := src.Manifest(ctx, "")
	if err != nil {
		return nil, err
	}
	place := f.placeOf(l)
	if m.MediaType.IsIndex() {
		index, err := transport.ParseIndex(m.Bytes)
		if err != nil {
			return nil, err
		}
		return f.choose(index, func(d v1.Descriptor) entry { return entry{Descriptor: d, place: place} })
	}
	d, err := describe(ctx, src, m)
	return []entry{{Descriptor: d, place: place}}, err
}

// placeOf writes the reference, that of this store with the store in it.
func (f finder) placeOf(l ref.Location) string {
	if l.Transport == ref.ContainersStorage && l.Store.IsZero() {
		l.Store = ref.StoreSpec{Driver: f.Store.Driver(), GraphRoot: f.Store.GraphRoot(), RunRoot: f.Store.RunRoot()}
	}
	return l.String()
}

// choose makes entries of all images of a list, or of the one for the platform.
func (f finder) choose(index *v1.IndexManifest, of func(v1.Descriptor) entry) ([]entry, error) {
	if !f.all {
		d, err := imgcopy.Choose(index, f.platform)
		if err != nil {
			return nil, err
		}
		return []entry{of(d)}, nil
	}
	entries := make([]entry, len(index.Manifests))
	for i, d := range index.Manifests {
		entries[i] = of(d)
	}
	return entries, nil
}

// describe makes the descriptor of an image, with the platform of its
// configuration.
func describe(ctx context.Context, src transport.Source, m transport.Manifest) (v1.Descriptor, error) {
	hash, err := v1.NewHash(m.Digest.String())
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{MediaType: m.MediaType, Size: int64(len(m.Bytes)), Digest: hash}
	image, err := transport.ParseImage(m.Bytes)
	if err != nil {
		return d, err
	}
	if !image.Config.MediaType.IsConfig() { // an artifact runs nowhere
		if d.ArtifactType = image.ArtifactType; d.ArtifactType == "" {
			d.ArtifactType = string(image.Config.MediaType)
		}
		return d, nil
	}
	conf, err := imgcopy.ReadConfig(ctx, src, image.Config)
	if err != nil {
		return d, err
	}
	d.Platform = new(v1.Platform)
	if err := json.Unmarshal(conf, d.Platform); err != nil {
		return d, errdef.Newf(errdef.ErrInvalid, "read the image's configuration: %w", err)
	}
	return d, nil
}
