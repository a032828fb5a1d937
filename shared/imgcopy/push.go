package imgcopy

import (
	"context"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/transport"
)

// PushOptions adjust Push.
type PushOptions struct {
	Format         string // FormatOCI, FormatV2S2; "" keeps the image's
	CompressFormat string // "": as configured
	CompressLevel  int
	ForceCompress  bool
	Compress       bool // for the dir transport
	Plain          bool // layers are not compressed
	Sign           SignOptions
	Encrypt        EncryptOptions
	Registry       registry.Options // Retries 0 means as configured, below 0 none
	Progress       cliout.Progress  // nil: none
	Parallel       int              // 0: as configured
}

// Push copies an image of the store to destination: a name, which means a
// registry, or a transport:details reference. An empty destination is the
// image's own name.
func Push(ctx context.Context, st *store.Store, cfg *config.Config, image, destination string, o PushOptions) (Result, error) {
	img, err := ResolveLocal(st, cfg, image)
	if err != nil {
		return Result{}, err
	}
	if img, err = ForPlatform(st, img, v1.Platform{}); err != nil {
		return Result{}, err
	}
	dst, c, err := PushTo(st, cfg, img, image, destination, o)
	if err != nil {
		return Result{}, err
	}
	return Copy(ctx, dst, ref.Location{Transport: ref.ContainersStorage, Image: img.ID, Index: -1}, c)
}

// PushTo finds where to push the image, which the user calls name, and the
// options of the copy.
func PushTo(st *store.Store, cfg *config.Config, img store.Image, name, destination string, o PushOptions) (ref.Location, Options, error) {
	dst, err := pushTarget(img, name, cfg.Engine.InTransport(destination, ref.HasTransport))
	if err != nil {
		return dst, Options{}, err
	}
	if o.Format == "" {
		o.Format = cfg.Engine.ManifestFormat()
	}
	if o.CompressFormat == "" {
		o.CompressFormat = cfg.Engine.CompressionFormat
		if o.CompressLevel == 0 {
			o.CompressLevel = cfg.Engine.CompressionLevel
		}
	}
	if err := CheckCompression(o.CompressFormat, o.CompressLevel); err != nil {
		return dst, Options{}, err
	}
	if o.Parallel == 0 {
		o.Parallel = int(cfg.Engine.ImageParallelCopies)
	}
	if o.Registry.RetryDelay == 0 {
		o.Registry.RetryDelay = cfg.Engine.RetryPause()
	}
	t := transport.Options{Config: cfg, Registry: o.Registry, Store: st}
	t.Registry.Retries = 0
	return dst, Options{
		Sign: o.Sign, Encrypt: o.Encrypt,
		Source: t, Destination: t, Format: o.Format, CompressFormat: o.CompressFormat, CompressLevel: o.CompressLevel,
		ForceCompress: o.ForceCompress, Compress: o.Compress, Decompress: o.Plain, Parallel: o.Parallel, Retries: retries(cfg, o.Registry), Progress: o.Progress,
	}, nil
}

// pushTarget finds where to push.
func pushTarget(img store.Image, image, destination string) (ref.Location, error) {
	if destination == "" {
		destination = image
		if isID(img, image) {
			if len(img.Names) == 0 {
				return ref.Location{}, errdef.Newf(errdef.ErrInvalid, "push image %s: it has no name, so give a destination", image)
			}
			destination = img.Names[0]
		} else if n, err := ref.Parse(image); err == nil && n.IsShort() {
			destination = fullName(img, n)
		}
	}
	if ref.HasTransport(destination) {
		return ref.ParseTransport(destination)
	}
	n, err := ref.ParseNormalized(destination)
	if err != nil {
		return ref.Location{}, fmt.Errorf("parse destination %q: %w", destination, err)
	}
	return ref.Location{Transport: ref.Docker, Name: n.Tagged(), Index: -1}, nil
}

func isID(img store.Image, s string) bool {
	return strings.HasPrefix(img.ID, strings.TrimPrefix(s, "sha256:"))
}

// fullName is the image's name that the short one stands for.
func fullName(img store.Image, n ref.Name) string {
	end := "/" + n.Tagged().String()
	for _, have := range img.Names {
		if strings.HasSuffix(have, end) {
			return have
		}
	}
	return n.String()
}
