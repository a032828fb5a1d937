package engine

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
)

// PullImage makes the image that name stands for part of the store and gives
// its ID. mismatch, if not "", tells that it is one for another platform than
// was asked for.
func (e *Engine) PullImage(ctx context.Context, name string, o imgcopy.PullOptions) (id, mismatch string, err error) {
	switch o.Policy {
	case "ifmissing":
		o.Policy = imgcopy.PullMissing
	case "ifnewer":
		o.Policy = imgcopy.PullNewer
	case "", imgcopy.PullAlways, imgcopy.PullMissing, imgcopy.PullNewer, imgcopy.PullNever:
	default:
		return "", "", errdef.Newf(errdef.ErrInvalid, "unsupported pull policy %q", o.Policy)
	}
	if !ref.HasTransport(name) {
		if _, err := parseName("parsing reference", name); err != nil {
			return "", "", err
		}
	}
	if id, err = imgcopy.Pull(ctx, e.Store, e.Config, name, o); err != nil {
		return "", "", err
	}
	e.event(imageEvent(id, name, "pull"))
	mismatch, err = e.platformMismatch(id, o.Platform)
	return id, mismatch, err
}

// platformMismatch tells how an image's platform differs from the one wanted.
func (e *Engine) platformMismatch(id string, want v1.Platform) (string, error) {
	doc, err := e.imageDoc(id)
	if err != nil {
		return "", err
	}
	want = imgcopy.Platform(want)
	if doc.OS == want.OS && doc.Architecture == want.Architecture && (want.Variant == "" || doc.Variant == want.Variant) {
		return "", nil
	}
	have := v1.Platform{OS: doc.OS, Architecture: doc.Architecture, Variant: doc.Variant}
	return fmt.Sprintf("image platform (%s) does not match the expected platform (%s)", have.String(), want.String()), nil
}

// PullAllTags pulls every tag of a repository and gives the images' IDs, each
// once.
func (e *Engine) PullAllTags(ctx context.Context, name string, o imgcopy.PullOptions) ([]string, error) {
	names, err := imgcopy.AllTags(ctx, e.Config, name, o)
	if err != nil {
		return nil, err
	}
	var ids []string
	seen := map[string]bool{}
	for _, tagged := range names {
		id, _, err := e.PullImage(ctx, tagged, o)
		if err != nil {
			return ids, err
		}
		if !seen[id] {
			ids = append(ids, id)
		}
		seen[id] = true
	}
	return ids, nil
}

// PushImage copies an image to a registry, or to where a transport:details
// reference says; "" is the image's own name.
func (e *Engine) PushImage(ctx context.Context, image, destination string, o imgcopy.PushOptions) (imgcopy.Result, error) {
	switch first(o.Format, e.Config.Engine.ManifestFormat()) {
	case "", imgcopy.FormatOCI, imgcopy.FormatV2S2:
	case "v2s1":
		return imgcopy.Result{}, errdef.Newf(errdef.ErrUnsupported, "the format v2s1 is not supported: registries refuse it. Choose 'oci' or 'v2s2'")
	default:
		return imgcopy.Result{}, errdef.Newf(errdef.ErrInvalid, "unknown format %q. Choose on of the supported formats: 'oci', 'v2s1', or 'v2s2'", o.Format)
	}
	r, err := imgcopy.Push(ctx, e.Store, e.Config, image, destination, o)
	if err == nil {
		if img, ierr := e.LookupImage(image); ierr == nil {
			e.event(imageEvent(img.ID, first(destination, image), "push"))
		}
	}
	return r, err
}
