package imgcopy

import (
	"context"
	"errors"
	"fmt"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/transport"
)

// Copy copies the image, or the list of images, at src to dst. A cancelled or
// failed copy leaves the destination without it.
func Copy(ctx context.Context, dst, src transport.Ref, o Options) (Result, error) {
	o.complete()
	c, err := newCopier(dst, src, o)
	if err != nil {
		return Result{}, err
	}
	if c.src, c.dst, err = open(ctx, dst, src, o); err != nil {
		return Result{}, err
	}
	defer c.src.Close()
	return c.run(ctx)
}

// CopyFrom copies from a place that is open already, and stays so.
func CopyFrom(ctx context.Context, dst transport.Ref, from transport.Source, o Options) (Result, error) {
	o.complete()
	c, err := newCopier(dst, transport.Ref{}, o)
	if err != nil {
		return Result{}, err
	}
	if c.dst, err = transport.OpenDestination(ctx, dst, o.Destination); err != nil {
		return Result{}, fmt.Errorf("initializing destination %s: %w", dst, err)
	}
	c.src = from
	return c.run(ctx)
}

// CopyTo copies to a place that is open already, and closes it.
func CopyTo(ctx context.Context, to transport.Destination, src transport.Ref, o Options) (Result, error) {
	o.complete()
	c, err := newCopier(transport.Ref{}, src, o)
	if err == nil {
		c.src, err = transport.OpenSource(ctx, src, o.Source)
		if err != nil {
			err = fmt.Errorf("initializing source %s: %w", src, err)
		}
	}
	if err != nil {
		to.Close()
		return Result{}, err
	}
	defer c.src.Close()
	c.dst = to
	return c.run(ctx)
}

// newCopier prepares a copy between places that are not open yet, and refuses
// what is known to be impossible. A copy to a name with a digest changes nothing.
func newCopier(dst, src transport.Ref, o Options) (*copier, error) {
	o.PreserveDigests = o.PreserveDigests || dst.Transport == ref.Docker && dst.Name.Digest != ""
	c := &copier{Options: o, from: src, to: dst, unseen: &sync.Map{}}
	var err error
	if c.Sign.Identity, err = o.Sign.identity(dst); err == nil && o.Policy != nil {
		err = o.Policy.Rejects(c.located())
	}
	return c, err
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

// run copies between the opened places and closes the destination.
func (c *copier) run(ctx context.Context) (Result, error) {
	c.cache = openCache(c.Destination.Config)
	if _, ok := c.dst.(transport.Plain); ok {
		c.Decompress = true
	}
	if m, ok := c.dst.(transport.Mounter); ok {
		m.MountFrom(c.src, c.cache.place)
	}
	var m transport.Manifest
	err := c.compressible()
	if _, stores := c.dst.(transport.Mixer); stores && err == nil {
		err = c.Destination.Config.Storage.Pull.Check()
	}
	if err == nil {
		err = c.encryptable()
	}
	if err == nil {
		c.zip = &compressors{format: c.CompressFormat, level: c.CompressLevel}
		m, err = c.committed(ctx)
	}
	res := Result{Manifest: m}
	if img, ok := transport.StoredImage(c.dst); ok {
		res.ImageID = img.ID
	}
	c.Progress.Done()
	if cerr := c.dst.Close(); err == nil {
		err = cerr
	}
	return res, err
}

// maxCopies bounds how often an image is copied whose blobs others remove.
const maxCopies = 3

// committed copies what the reference names and makes it visible.
func (c *copier) committed(ctx context.Context) (transport.Manifest, error) {
	for i := 1; ; i++ {
		m, err := c.all(ctx)
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = c.dst.Commit(ctx)
		}
		var removed *transport.RemovedError
		if i == maxCopies || !errors.As(err, &removed) {
			return m, err
		}
	}
}

// copier is one copy under way.
type copier struct {
	Options
	from, to transport.Ref // from is zero for a place that was open already
	src      transport.Source
	dst      transport.Destination
	cache    *cache
	zip      *compressors
	named    digest.Digest // of the manifest that the source's reference names
	seal     bool          // the layer at hand is to be encrypted
	unseen   *sync.Map     // digests of layers that came in parts: what else is in the blob nobody knows
	turn     *turn         // of the blob at hand
	signed   bool          // there are signatures that changes would invalidate
}

// all copies what the reference names.
func (c *copier) all(ctx context.Context) (transport.Manifest, error) {
	m, err := c.src.Manifest(ctx, "")
	if err != nil {
		return m, err
	}
	c.named = m.Digest
	if m.MediaType.IsImage() {
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
		sigs, err := c.admit(ctx, m)
		if err != nil {
			return m, err
		}
		return c.putList(ctx, m, sigs)
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

// compressible tells whether there can be layers of the format that was asked
// for.
func (c *copier) compressible() error {
	if !c.ForceCompress || !isZstd(c.CompressFormat) {
		return nil
	}
	if _, ok := c.dst.(transport.Plain); ok {
		return errdef.Newf(errdef.ErrInvalid, "compression format %q: the destination holds uncompressed layers only", c.CompressFormat)
	}
	if c.Format == FormatV2S2 {
		return errdef.Newf(errdef.ErrInvalid, "compression format %q: images of the format %q have no such layers", c.CompressFormat, c.Format)
	}
	return nil
}
