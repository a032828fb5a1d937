package imgcopy

import (
	"context"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/transport"
)

// layer brings layer i to the destination and gives the descriptor under which
// it is there.
func (c *copier) layer(ctx context.Context, i int, d v1.Descriptor) (v1.Descriptor, error) {
	if !d.MediaType.IsDistributable() && len(d.URLs) > 0 {
		return d, nil // stays at the place that its descriptor names
	}
	bar := c.Progress.Start("blob", d.Digest.String(), d.Size)
	out, err := d, error(nil)
	for attempt := 0; ; attempt++ {
		out, err = c.tryLayer(ctx, i, d, bar)
		if err == nil || attempt >= c.Retries || ctx.Err() != nil || !registry.Transient(err) {
			break
		}
		if err = registry.Sleep(ctx, registry.Backoff(attempt, c.RetryDelay)); err != nil {
			break
		}
	}
	if c.decrypts() && errors.Is(err, errdef.ErrInvalid) {
		err = c.unlessChanged(ctx, d, err)
	}
	bar.Finish(err)
	return out, err
}

func (c *copier) tryLayer(ctx context.Context, i int, d v1.Descriptor, bar cliout.Bar) (v1.Descriptor, error) {
	if ls, ok := c.src.(transport.LayerSource); ok {
		return c.fromTar(ctx, ls, i, d, bar)
	}
	if !d.MediaType.IsLayer() {
		return c.asItIs(ctx, d, bar) // no tar: a file of an artifact, or encrypted
	}
	plain := isPlain(d.MediaType)
	want := c.wantsCompressed()
	if !c.Decompress || plain {
		// A blob of the wrong format is only good enough if nothing says that it must change.
		if change := plain && want || c.ForceCompress && !c.hasFormat(d); !change || c.PreserveDigests {
			return c.asItIs(ctx, d, bar)
		}
	}
	if c.PreserveDigests {
		return d, c.fixed("layer %s would have to change", d.Digest)
	}
	open := c.opener(ctx, d)
	if plain {
		return c.compressed(ctx, transport.Digest(d), d, open, bar)
	}
	unpacked := func() (io.ReadCloser, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return decompress(r)
	}
	if c.Decompress {
		d.MediaType = plainType(d.MediaType)
		return c.transformed(ctx, d, unpacked, bar)
	}
	return c.compressed(ctx, "", d, unpacked, bar)
}

// opener opens a blob of the source that is verified as it is read.
func (c *copier) opener(ctx context.Context, d v1.Descriptor) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		r, _, err := c.src.Blob(ctx, transport.Digest(d))
		if err != nil {
			return nil, err
		}
		return newVerifier(r, transport.Digest(d), d.Size), nil
	}
}

// wantsCompressed tells whether plain layers are to be compressed on the way.
func (c *copier) wantsCompressed() bool {
	if c.Decompress {
		return false
	}
	if w, ok := c.dst.(transport.Compressor); ok && w.WantsCompressed() {
		return !c.KeepUncompressed
	}
	return c.Compress
}

// asItIs copies a blob unchanged, encryption aside.
func (c *copier) asItIs(ctx context.Context, d v1.Descriptor, bar cliout.Bar) (v1.Descriptor, error) {
	if c.seal {
		return c.transformed(ctx, d, c.opener(ctx, d), bar)
	}
	dg := transport.Digest(d)
	if have, err := c.reuse(ctx, dg, d.Size); err != nil || have {
		return d, err
	}
	kept := c.keep(dg, d.Size)
	if kept == nil || kept.before == 0 {
		if done, err := c.inParts(ctx, d, bar); done || err != nil {
			kept.drop()
			return d, err
		}
	}
	r, size, err := openKept(d.Size, kept, c.openFrom(ctx, dg))
	if err != nil {
		return d, err
	}
	defer r.Close()
	if size >= 0 && size != d.Size {
		return d, errdef.Newf(errdef.ErrInvalid, "blob %s has %d bytes, its descriptor says %d", dg, size, d.Size)
	}
	var in io.Reader = r
	if _, ok := c.dst.(transport.Verifier); !ok {
		in = newVerifier(r, dg, d.Size)
	}
	err = c.put(ctx, transport.Content{
		Digest: dg, Size: d.Size, Reader: &counted{ctx, in, bar}, Layer: true,
		Sum: func() (digest.Digest, int64) { return dg, d.Size },
	})
	if wrong := kept.settle(ctx, err); wrong {
		// What was kept may be to blame: the disk lost it, or it is another's.
		return c.asItIs(ctx, d, bar)
	}
	return d, err
}

// fromTar copies a layer that the source has as a plain tar, whatever the
// manifest says of it.
func (c *copier) fromTar(ctx context.Context, ls transport.LayerSource, i int, d v1.Descriptor, bar cliout.Bar) (v1.Descriptor, error) {
	r, diffID, size, err := ls.LayerTar(i)
	if err != nil {
		return d, err
	}
	r.Close()
	open := func() (io.ReadCloser, error) {
		r, _, _, err := ls.LayerTar(i)
		return r, err
	}
	named := transport.Digest(d)
	_, store := c.dst.(transport.Planner)
	if store {
		d.Digest, d.MediaType = v1.Hash{Algorithm: diffID.Algorithm().String(), Hex: diffID.Encoded()}, plainType(d.MediaType)
		return c.transformed(ctx, d, open, bar)
	}
	if named != diffID && !c.seal && !c.Decompress && (!c.ForceCompress || c.hasFormat(d)) {
		// The manifest names a compressed blob, which the destination may have.
		if have, err := c.reuse(ctx, named, d.Size); err != nil || have {
			return d, err
		}
	}
	switch {
	case c.PreserveDigests && named != diffID:
		return d, c.fixed("layer %s is in the store uncompressed only", named)
	case c.wantsCompressed() && !c.PreserveDigests:
		return c.compressed(ctx, diffID, d, open, bar)
	}
	hash, err := v1.NewHash(diffID.String())
	if err != nil {
		return d, err
	}
	if !c.seal {
		if have, err := c.reuse(ctx, diffID, -1); err != nil {
			return d, err
		} else if have && named == diffID {
			return d, nil
		}
	}
	d.Digest, d.MediaType = hash, plainType(d.MediaType)
	if size < 0 || c.seal {
		return c.transformed(ctx, d, open, bar)
	}
	d.Size, d.Annotations = size, annotated(d.Annotations, nil)
	return d, c.described(ctx, d, open, bar)
}

// described writes content that the descriptor describes.
func (c *copier) described(ctx context.Context, d v1.Descriptor, open func() (io.ReadCloser, error), bar cliout.Bar) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	dg := transport.Digest(d)
	return c.put(ctx, transport.Content{
		Digest: dg, Size: d.Size, Reader: &counted{ctx, newVerifier(r, dg, d.Size), bar}, Layer: true,
		Sum: func() (digest.Digest, int64) { return dg, d.Size },
	})
}

// compressed compresses a plain layer on its way. If it is known what comes
// out, and the destination has it, nothing is read.
func (c *copier) compressed(ctx context.Context, diffID digest.Digest, d v1.Descriptor, open func() (io.ReadCloser, error), bar cliout.Bar) (v1.Descriptor, error) {
	d.MediaType = compressedType(d.MediaType, c.CompressFormat)
	if k, ok := c.cache.find(diffID, c.CompressFormat); ok && !c.seal {
		have, err := c.reuse(ctx, k.Digest, k.Size)
		if err != nil {
			return d, err
		}
		if have {
			d.Size, d.Annotations = k.Size, annotated(d.Annotations, k.Notes)
			d.Digest, err = v1.NewHash(k.Digest.String())
			return d, err
		}
	}
	out, err := c.transformed(ctx, d, func() (io.ReadCloser, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return c.zip.compress(r)
	}, bar)
	if err == nil && diffID != "" && !c.seal {
		c.cache.add(known{DiffID: diffID, Digest: transport.Digest(out), Size: out.Size, Format: c.CompressFormat, Notes: chunkedNotes(out.Annotations)})
	}
	return out, err
}

// transformed writes content whose digest comes out as it is read.
func (c *copier) transformed(ctx context.Context, d v1.Descriptor, open func() (io.ReadCloser, error), bar cliout.Bar) (v1.Descriptor, error) {
	r, err := open()
	if err != nil {
		return d, err
	}
	defer r.Close()
	if c.seal {
		return c.encrypted(ctx, d, r, bar)
	}
	if c.Precompute {
		if _, store := c.dst.(transport.Planner); !store {
			return c.precomputed(ctx, d, r, bar)
		}
	}
	h := newSummer(&counted{ctx, r, bar})
	content := transport.Content{Size: -1, Reader: h, Sum: h.sum, Layer: true}
	if _, store := c.dst.(transport.Planner); store {
		content.Digest = transport.Digest(d)
	}
	if err := c.put(ctx, content); err != nil {
		return d, err
	}
	sum, size := h.sum()
	d.Size, d.Annotations = size, annotated(d.Annotations, notesOf(r))
	d.Digest, err = v1.NewHash(sum.String())
	return d, err
}

// isPlain tells whether a layer of the type is an uncompressed tar.
func isPlain(t types.MediaType) bool {
	switch t {
	case types.OCIUncompressedLayer, types.OCIUncompressedRestrictedLayer, types.DockerUncompressedLayer:
		return true
	}
	return false
}

func plainType(t types.MediaType) types.MediaType {
	switch t {
	case types.DockerLayer, types.DockerUncompressedLayer, types.DockerForeignLayer:
		return types.DockerUncompressedLayer
	}
	return types.OCIUncompressedLayer
}

func compressedType(t types.MediaType, format string) types.MediaType {
	switch {
	case isZstd(format):
		return types.OCILayerZStd
	case plainType(t) == types.DockerUncompressedLayer:
		return types.DockerLayer
	}
	return types.OCILayer
}

// hasFormat tells whether the layer is compressed as asked for.
func (c *copier) hasFormat(d v1.Descriptor) bool {
	return d.MediaType == compressedType(d.MediaType, c.CompressFormat) &&
		(c.CompressFormat != zstdChunked || d.Annotations[store.ChunkedPrefix+"manifest-position"] != "")
}
