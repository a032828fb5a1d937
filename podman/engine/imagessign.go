package engine

import (
	"context"
	"errors"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/signature"
	"github.com/podsuite/podsuite/shared/transport"
	"github.com/podsuite/podsuite/shared/trust"
)

// SignImagesRequest makes simple signatures of images where they lie, and
// writes them beside their registries.
type SignImagesRequest struct {
	Images    []string // transport:details references
	SignBy    string   // the OpenPGP key: a fingerprint or a user ID
	Directory string   // where to write the signatures; "" is what registries.d says
	All       bool     // of a list sign every image
	Registry  registry.Options
}

// SignImages signs the images one after the other. It needs no store, but for
// images that lie in one.
func SignImages(ctx context.Context, cfg *config.Config, req SignImagesRequest) error {
	if req.SignBy == "" {
		return errdef.Newf(errdef.ErrInvalid, "no identity provided: name the key with --sign-by")
	}
	if req.Directory != "" {
		if fi, err := os.Stat(req.Directory); err != nil {
			return err
		} else if !fi.IsDir() {
			return errdef.Newf(errdef.ErrInvalid, "the signatures' directory %q is a file", req.Directory)
		}
	}
	signer, err := signature.GPGSigner(req.SignBy, nil)
	if err != nil {
		return err
	}
	places, err := trust.LoadPlaces(cfg, "")
	if err != nil {
		return err
	}
	for _, image := range req.Images {
		if err := signImage(ctx, cfg, req, image, signer, places); err != nil {
			return fmt.Errorf("sign %q: %w", image, err)
		}
	}
	return nil
}

func signImage(ctx context.Context, cfg *config.Config, req SignImagesRequest, image string, signer signature.Signer, places *trust.Places) error {
	l, err := ref.ParseTransport(image)
	if err != nil {
		return fmt.Errorf("parsing image name: %w", err)
	}
	if l.Name.IsZero() {
		return errdef.Newf(errdef.ErrInvalid, "a signature names an image by its registry, and %s: references have none", l.Transport)
	}
	var where *trust.Lookaside
	if req.Directory != "" {
		where = trust.DirLookaside(req.Directory, l.Name)
	} else if where, err = places.Lookaside(l.Name, true); err != nil {
		return err
	}
	if err := where.Writable(); err != nil {
		return err
	}
	src, err := transport.OpenSource(ctx, l, transport.Options{Config: cfg, Registry: req.Registry})
	if err != nil {
		return fmt.Errorf("getting image source: %w", err)
	}
	defer src.Close()
	m, err := src.Manifest(ctx, "")
	if err != nil {
		return fmt.Errorf("getting manifest: %w", err)
	}
	digests, err := toSign(m, req.All)
	if err != nil {
		return err
	}
	for _, d := range digests {
		one, err := signer.Sign(ctx, signature.Claim{Digest: d, Reference: l.Name.String()})
		if err != nil {
			return err
		}
		if err := where.Add(d, one); err != nil {
			return err
		}
	}
	return nil
}

// toSign are the manifests that a signature is made of: the named one, and of a
// list the images, or the one that a pull to this machine would check.
func toSign(m transport.Manifest, all bool) ([]digest.Digest, error) {
	out := []digest.Digest{m.Digest}
	if m.MediaType.IsImage() {
		return out, nil
	}
	index, err := transport.ParseIndex(m.Bytes)
	if err != nil {
		return nil, err
	}
	if !all {
		d, err := imgcopy.Choose(index, v1.Platform{})
		if errors.Is(err, errdef.ErrNotFound) {
			return out, nil
		}
		return append(out, transport.Digest(d)), err
	}
	for _, d := range index.Manifests {
		out = append(out, transport.Digest(d))
	}
	return out, nil
}
