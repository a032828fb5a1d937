package manifestlist

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/transport"
)

// PushRequest copies a list elsewhere.
type PushRequest struct {
	List        string
	Destination string // a transport:details reference, or a name in a registry; "" is the list's own name
	ListOnly    bool   // without the images that it names
	Copy        imgcopy.PushOptions
	AddFormats  []string // compressions that each image shall have too
	Remove      bool     // the list from the store, when it is pushed
}

// Push copies the list, and the images that it names, to the destination.
func (s Lists) Push(ctx context.Context, req PushRequest) (imgcopy.Result, error) {
	img, err := s.Find(req.List)
	if err != nil {
		return imgcopy.Result{}, fmt.Errorf("retrieving local image from image name %s: %w", req.List, err)
	}
	switch req.Copy.Format {
	case "", imgcopy.FormatOCI, imgcopy.FormatV2S2:
	default:
		return imgcopy.Result{}, errdef.Newf(errdef.ErrInvalid, "unknown format %q. Choose one of the supported formats: 'oci' or 'v2s2'", req.Copy.Format)
	}
	for _, format := range req.AddFormats {
		if err := imgcopy.CheckCompression(format, 0); err != nil {
			return imgcopy.Result{}, err
		}
	}
	dst, o, err := imgcopy.PushTo(s.Store, s.Config, img, req.List, req.Destination, req.Copy)
	if err != nil {
		return imgcopy.Result{}, err
	}
	l, err := open(s.Store, img.ID)
	if err != nil {
		return imgcopy.Result{}, err
	}
	src, err := l.source(o.Source)
	if err != nil {
		return imgcopy.Result{}, err
	}
	defer src.Close()
	o.Multi, o.AddCompression = imgcopy.MultiAll, req.AddFormats
	if req.ListOnly {
		o.Multi = imgcopy.MultiIndexOnly
	}
	result, err := imgcopy.CopyFrom(ctx, dst, src, o)
	if err == nil && req.Remove {
		_, err = s.Store.RemoveImage(img.ID)
	}
	return result, err
}

// source makes the list one that can be copied from.
func (l *list) source(o transport.Options) (*source, error) {
	data, err := json.Marshal(l.Index)
	if err != nil {
		return nil, err
	}
	m := transport.Manifest{Bytes: data, MediaType: l.Index.MediaType, Digest: digest.FromBytes(data)}
	return &source{l: l, manifest: m, opts: o, open: map[string]transport.Source{}}, nil
}

// source is a list whose images lie in the store, in registries, or anywhere.
type source struct {
	l        *list
	manifest transport.Manifest
	opts     transport.Options

	mu   sync.Mutex
	open map[string]transport.Source // by their places
}

func (s *source) Manifest(ctx context.Context, d digest.Digest) (transport.Manifest, error) {
	if d == "" || d == s.manifest.Digest {
		return s.manifest, nil
	}
	src, err := s.Instance(ctx, d)
	if err != nil {
		return transport.Manifest{}, err
	}
	return src.Manifest(ctx, d)
}

// Instance finds the image with the digest: in the store, even if it has come
// to have another name, else at its place.
func (s *source) Instance(ctx context.Context, d digest.Digest) (transport.Source, error) {
	if a, ok := s.l.artifacts.get(d); ok {
		return artifactSource{a}, nil
	}
	place := ref.Location{Transport: ref.ContainersStorage, Index: -1}
	known := s.l.places[d]
	found, err := s.l.st.ImagesWithManifest(d)
	switch {
	case err != nil:
		return nil, err
	case len(found) > 0:
		place.Image = found[0].ID
	case known == "":
		return nil, errdef.Newf(errdef.ErrNotFound, "it isn't known where the image %s of the list lies: remove it from the list and add it again", d)
	default:
		if place, err = ref.ParseTransport(known); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if src := s.open[place.String()]; src != nil {
		return src, nil
	}
	src, err := transport.OpenSource(ctx, place, s.opts)
	if err == nil {
		s.open[place.String()] = src
	}
	return src, err
}

func (s *source) Blob(context.Context, digest.Digest) (io.ReadCloser, int64, error) {
	return nil, 0, errdef.Newf(errdef.ErrNotFound, "a list of images has no blobs of its own")
}

func (s *source) Close() error {
	var err error
	for _, src := range s.open {
		if cerr := src.Close(); err == nil {
			err = cerr
		}
	}
	return err
}
