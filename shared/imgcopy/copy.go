package imgcopy

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/transport"
)

// Copy copies the image, or the list of images, at src to dst. A cancelled or
// failed copy leaves the destination without it.
func Copy(ctx context.Context, dst, src transport.Ref, o Options) (Result, error) {
	o.complete()
	if o.Policy != nil {
		if err := o.Policy.Check(src); err != nil {
			return Result{}, err
		}
	}
	from, to, err := open(ctx, dst, src, o)
	if err != nil {
		return Result{}, err
	}
	defer from.Close()
	return run(ctx, to, from, keepDigests(dst, o))
}

// CopyFrom copies from a place that is open already, and stays so.
func CopyFrom(ctx context.Context, dst transport.Ref, from transport.Source, o Options) (Result, error) {
	o.complete()
	to, err := transport.OpenDestination(ctx, dst, o.Destination)
	if err != nil {
		return Result{}, fmt.Errorf("initializing destination %s: %w", dst, err)
	}
	return run(ctx, to, from, keepDigests(dst, o))
}

// CopyTo copies to a place that is open already, and closes it.
func CopyTo(ctx context.Context, to transport.Destination, src transport.Ref, o Options) (Result, error) {
	o.complete()
	from, err := transport.OpenSource(ctx, src, o.Source)
	if err != nil {
		to.Close()
		return Result{}, fmt.Errorf("initializing source %s: %w", src, err)
	}
	defer from.Close()
	return run(ctx, to, from, o)
}

// keepDigests makes a copy to a name with a digest one that changes nothing.
func keepDigests(dst transport.Ref, o Options) Options {
	o.PreserveDigests = o.PreserveDigests || dst.Transport == ref.Docker && dst.Name.Digest != ""
	return o
}

// open opens both places. A registry is opened first as a destination: it can
// be asked for things while the source answers.
func open(ctx context.Context, dst, src transport.Ref, o Options) (transport.Source, transport.Destination, error) {
	var to transport.Destination
	var terr error
	if dst.Transport == ref.Docker {
		to, terr = transport.OpenDestination(ctx, dst, o.Destination)
	}
	from, err := transport.OpenSource(ctx, src, o.Source)
	if err != nil {
		if to != nil {
			to.Close()
		}
		if src.Transport == ref.Dir {
			return nil, nil, fmt.Errorf("determining manifest MIME type for %s: %w", src, err)
		}
		return nil, nil, fmt.Errorf("initializing source %s: %w", src, err)
	}
	if to == nil && terr == nil {
		to, terr = transport.OpenDestination(ctx, dst, o.Destination)
	}
	if terr != nil {
		from.Close()
		return nil, nil, fmt.Errorf("initializing destination %s: %w", dst, terr)
	}
	return from, to, nil
}

// run copies between opened places and closes the destination.
func run(ctx context.Context, to transport.Destination, from transport.Source, o Options) (Result, error) {
	c := &copier{Options: o, src: from, dst: to, cache: openCache(o.Destination.Config)}
	c.zip = &compressors{format: o.CompressFormat, level: o.CompressLevel}
	if _, ok := to.(transport.Plain); ok {
		c.Decompress = true
	}
	if m, ok := to.(transport.Mounter); ok {
		m.MountFrom(from, c.cache.place)
	}
	m, err := c.all(ctx)
	if err == nil {
		err = to.Commit(ctx)
	}
	res := Result{Manifest: m}
	if img, ok := transport.StoredImage(to); ok {
		res.ImageID = img.ID
	}
	o.Progress.Done()
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	return res, err
}

// copier is one copy under way.
type copier struct {
	Options
	src   transport.Source
	dst   transport.Destination
	cache *cache
	zip   *compressors
}

// all copies what the reference names.
func (c *copier) all(ctx context.Context) (transport.Manifest, error) {
	m, err := c.src.Manifest(ctx, "")
	if err != nil {
		return m, err
	}
	if m.MediaType.IsImage() {
		if c.Multi == MultiIndexOnly {
			return m, errdef.Newf(errdef.ErrInvalid, "the source is a single image: there is no list to copy alone")
		}
		return c.image(ctx, m, false)
	}
	index, err := transport.ParseIndex(m.Bytes)
	if err != nil {
		return m, err
	}
	switch c.Multi {
	case MultiAll:
		return c.list(ctx, m, index)
	case MultiIndexOnly:
		return c.putList(ctx, m)
	}
	d, err := Choose(index, c.Platform)
	if err != nil {
		return m, err
	}
	if m, err = c.src.Manifest(ctx, transport.Digest(d)); err != nil {
		return m, err
	}
	if !m.MediaType.IsImage() {
		return m, errdef.Newf(errdef.ErrUnsupported, "the list's entry %s is a list itself", d.Digest)
	}
	return c.image(ctx, m, false)
}

// Choose finds the list's image for the platform: of those with its operating
// system and architecture the one of the same variant, else the first.
func Choose(index *v1.IndexManifest, p v1.Platform) (v1.Descriptor, error) {
	p = Platform(p)
	var found *v1.Descriptor
	for i, d := range index.Manifests {
		if d.Platform == nil || d.Platform.OS != p.OS || d.Platform.Architecture != p.Architecture {
			continue
		}
		if d.Platform.Variant == p.Variant {
			return d, nil
		}
		if found == nil && (p.Variant == "" || d.Platform.Variant == "") {
			found = &index.Manifests[i]
		}
	}
	if found == nil {
		return v1.Descriptor{}, errdef.Newf(errdef.ErrNotFound, "no image found in image index for architecture %q, variant %q, OS %q", p.Architecture, p.Variant, p.OS)
	}
	return *found, nil
}
