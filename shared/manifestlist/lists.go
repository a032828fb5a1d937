package manifestlist

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
)

// Lists are the lists of images of a store.
type Lists struct {
	Store  *store.Store
	Config *config.Config
}

// Find finds the list that a user means by name. Another image is an error of
// the class errdef.ErrInvalid.
func (s Lists) Find(name string) (store.Image, error) {
	img, err := imgcopy.ResolveLocal(s.Store, s.Config, name)
	if err == nil && !img.List {
		if len(img.Names) > 0 && !slices.Contains(img.Names, name) {
			name = img.Names[0]
		}
		err = errdef.Newf(errdef.ErrInvalid, "%s: image is not a manifest list", name)
	}
	return img, err
}

// CreateRequest makes a list.
type CreateRequest struct {
	Name        string
	Images      []string
	All         bool // of images that are lists themselves: every image
	Amend       bool // a list of the name is taken as it is
	Annotations map[string]string
	Registry    registry.Options
}

// Create makes a list and gives its ID. If one of its images can't be found,
// there is no list.
func (s Lists) Create(ctx context.Context, req CreateRequest) (string, error) {
	n, err := ref.Parse(req.Name)
	if err != nil {
		return "", fmt.Errorf("normalizing name %q: %w", req.Name, err)
	}
	if n.Digest != "" {
		return "", errdef.Newf(errdef.ErrInvalid, "normalizing name %q: a digest can't be chosen for a list: it follows from its content", req.Name)
	}
	name := n.Here().String()
	if img, err := s.Store.Image(name); err == nil && (!req.Amend || !img.List) {
		return "", taken(name, img.ID, img.List)
	}
	f := finder{Lists: s, registry: req.Registry, all: req.All}
	var entries []entry
	for _, image := range req.Images {
		found, err := f.find(ctx, image)
		if err != nil {
			return "", err
		}
		entries = append(entries, found...)
	}
	id, err := create(s.Store, name, req.Annotations, entries)
	conflict := new(store.ConflictError)
	if !errors.As(err, &conflict) {
		return id, err
	}
	img, err := s.Store.Image(conflict.Owner)
	if err != nil {
		return "", err
	}
	if !req.Amend || !img.List {
		return "", taken(name, img.ID, img.List)
	}
	return img.ID, update(s.Store, img.ID, func(l *list) error {
		for _, e := range entries {
			l.add(e)
		}
		l.Index.Annotations = merged(l.Index.Annotations, req.Annotations)
		return nil
	})
}

func taken(name, owner string, list bool) error {
	hint := ""
	if list {
		hint = ", or use --amend to add to that list"
	}
	return errdef.Newf(errdef.ErrConflict, "image name %q is already associated with image %q: that name is already in use%s", name, owner, hint)
}

// AddRequest adds images, or one artifact, to a list.
type AddRequest struct {
	List     string
	Images   []string
	Artifact *Artifact // instead of images
	All      bool      // of images that are lists themselves: every image
	Notes    Notes
	Registry registry.Options
}

// Add adds to a list and gives its ID and the digests of what was added. Either
// all images are added or none.
func (s Lists) Add(ctx context.Context, req AddRequest) (id string, added []digest.Digest, err error) {
	img, err := s.Find(req.List)
	if err != nil {
		return "", nil, err
	}
	entries, err := s.entries(ctx, req)
	if err != nil {
		return "", nil, err
	}
	for _, e := range entries {
		added = append(added, e.digest())
	}
	return img.ID, added, update(s.Store, img.ID, func(l *list) error {
		for _, e := range entries {
			req.Notes.apply(&e.Descriptor)
			l.add(e)
		}
		return nil
	})
}

// entries finds what is to be added. It may take long, so the list isn't
// locked yet.
func (s Lists) entries(ctx context.Context, req AddRequest) ([]entry, error) {
	f := finder{Lists: s, registry: req.Registry, all: req.All,
		platform: v1.Platform{OS: req.Notes.OS, Architecture: req.Notes.Arch, Variant: req.Notes.Variant}}
	if a := req.Artifact; a != nil {
		one := *a
		if a.Subject != "" {
			subject, err := f.subject(ctx, a.Subject)
			if err != nil {
				return nil, err
			}
			one.subject = subject
		}
		e, err := one.entry(ctx)
		return []entry{e}, err
	}
	var entries []entry
	for _, image := range req.Images {
		found, err := f.find(ctx, image)
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
	}
	return entries, nil
}

// subject describes the image that something is about.
func (f finder) subject(ctx context.Context, image string) (*v1.Descriptor, error) {
	found, err := f.find(ctx, image)
	if err != nil {
		return nil, fmt.Errorf("look up the subject %q: %w", image, err)
	}
	d := found[0].Descriptor
	return &v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, nil
}

// AnnotateRequest changes what a list says of itself or of one of its images.
type AnnotateRequest struct {
	List    string
	Image   string // its digest, name, or a file of the artifact; "" is the list itself
	Notes   Notes  // of the list itself only annotations
	Subject string // the image that the list is about; for the list itself only
}

// Annotate changes a list and gives its ID and the digest of the image, if one
// was changed.
func (s Lists) Annotate(ctx context.Context, req AnnotateRequest) (id string, changed []digest.Digest, err error) {
	img, err := s.Find(req.List)
	if err != nil {
		return "", nil, err
	}
	if req.Image != "" {
		d, err := s.annotateImage(ctx, img.ID, req)
		return img.ID, []digest.Digest{d}, err
	}
	var subject *v1.Descriptor
	if req.Subject != "" {
		if subject, err = (finder{Lists: s}).subject(ctx, req.Subject); err != nil {
			return "", nil, err
		}
	}
	return img.ID, nil, update(s.Store, img.ID, func(l *list) error {
		l.Index.Annotations = merged(l.Index.Annotations, req.Notes.Annotations)
		if subject != nil {
			l.Index.Subject = subject
		}
		return nil
	})
}

func (s Lists) annotateImage(ctx context.Context, id string, req AnnotateRequest) (digest.Digest, error) {
	l, err := open(s.Store, id)
	if err != nil {
		return "", err
	}
	d, err := s.instance(ctx, l, req.Image)
	if err != nil {
		return "", fmt.Errorf("finding instance for %q: %w", req.Image, err)
	}
	return d, update(s.Store, id, func(l *list) error {
		entry, err := l.find(d)
		if err == nil {
			req.Notes.apply(entry)
		}
		return err
	})
}

// instance is the digest of the list's image, or artifact, that is meant.
func (s Lists) instance(ctx context.Context, l *list, name string) (digest.Digest, error) {
	if d, err := digest.Parse(name); err == nil {
		return d, nil
	}
	for d, files := range l.artifacts.Files {
		if slices.Contains(files, name) {
			return d, nil
		}
	}
	found, err := finder{Lists: s, all: true}.find(ctx, name)
	if err != nil {
		return "", err
	}
	for _, e := range found {
		if slices.Contains(l.digests(), e.digest()) {
			return e.digest(), nil
		}
	}
	return "", errdef.Newf(errdef.ErrNotFound, "the list has no image with the digest %s", found[0].digest())
}

// Remove takes an image from a list and gives the list's ID and the image's
// digest, which is what image has to be.
func (s Lists) Remove(name, image string) (string, digest.Digest, error) {
	d, err := digest.Parse(image)
	if err != nil {
		return "", "", errdef.Newf(errdef.ErrInvalid, "removing from manifest list %s: invalid image digest %q: %w", name, image, err)
	}
	img, err := s.Find(name)
	if err == nil {
		err = update(s.Store, img.ID, func(l *list) error { return l.remove(d) })
	}
	if err != nil {
		return "", "", fmt.Errorf("removing from manifest list %s: %w", name, err)
	}
	return img.ID, d, nil
}

// ParseAnnotations reads KEY=VALUE texts.
func ParseAnnotations(texts []string) (map[string]string, error) {
	var out map[string]string
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, errdef.Newf(errdef.ErrInvalid, "expected --annotation %q to be in key=value format", text)
		}
		if out == nil {
			out = map[string]string{}
		}
		out[key] = value
	}
	return out, nil
}
