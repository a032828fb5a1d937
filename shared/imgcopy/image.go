package imgcopy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/transport"
)

// image copies one image; instance tells that it is part of a list.
func (c *copier) image(ctx context.Context, m transport.Manifest, instance bool) (transport.Manifest, error) {
	sigs, err := c.admit(ctx, m)
	if err != nil {
		return m, err
	}
	if len(sigs) > 0 {
		fixed := *c
		fixed.PreserveDigests, fixed.signed = true, true
		c = &fixed
	}
	old, err := transport.ParseImage(m.Bytes)
	if err != nil {
		return m, err
	}
	if h, ok := c.dst.(transport.Holder); ok && !instance && len(sigs)+len(c.Sign.Signers) == 0 && c.Format == "" && c.Keys == nil && !c.ForceCompress && !c.Decompress && h.Current() == m.Digest {
		c.Progress.Say("The destination has the image already")
		return m, nil
	}
	read := *old // as it comes out of the source
	read.Layers = slices.Clone(old.Layers)
	if c, err = c.opened(read.Layers); err != nil {
		return m, err
	}
	have := make([]bool, len(old.Layers))
	var conf []byte
	if p, ok := c.dst.(transport.Planner); ok {
		if conf, err = c.config(ctx, old.Config); err != nil {
			return m, err
		}
		if have, err = p.Plan(ctx, &read, conf); err != nil {
			return m, err
		}
	}
	layers := slices.Clone(read.Layers)
	if err := c.blobs(ctx, layers, have, old.Config, conf); err != nil {
		return m, err
	}
	// The store keeps the manifest that an image came with, and has layers its own way.
	if _, store := c.dst.(transport.Planner); !store || c.decrypts() {
		if m, err = c.rewrite(m, old, layers); err != nil {
			return m, err
		}
	} else if err := c.noteOrigins(old.Layers, have, conf); err != nil {
		return m, err
	}
	c.noteLayers(layers)
	c.Progress.Say("Writing manifest to image destination")
	if err := c.dst.PutManifest(ctx, m, instance); err != nil {
		return m, err
	}
	return m, c.putSignatures(ctx, m.Digest, instance, sigs)
}

// noteLayers remembers where the layers can be mounted from later.
func (c *copier) noteLayers(layers []v1.Descriptor) {
	for _, side := range []any{c.src, c.dst} {
		name, ok := transport.RepositoryOf(side)
		if !ok {
			continue
		}
		for _, l := range layers {
			c.cache.add(known{Digest: transport.Digest(l), Host: name.Domain, Path: name.Path})
		}
	}
}

// noteOrigins remembers what the layers that were unpacked had been compressed
// to, so that an image that is built on them is pushed without them. What was
// there already was not compared with its blob, nor what came in parts: whoever
// names another image's blob there would have it pushed in the layer's place. Tables
// of contents aren't noted, for nobody has compared them with the layer's tar.
func (c *copier) noteOrigins(layers []v1.Descriptor, have []bool, conf []byte) error {
	if _, plain := c.src.(transport.LayerSource); plain {
		return nil
	}
	ids, err := transport.DiffIDs(conf)
	if err != nil {
		return err
	}
	for i, l := range layers {
		format := ""
		switch l.MediaType {
		case types.OCILayer, types.DockerLayer:
			format = "gzip"
		case types.OCILayerZStd:
			format = "zstd"
		}
		if _, unseen := c.unseen.Load(transport.Digest(l)); unseen {
			continue
		}
		if format != "" && !have[i] && ids[i] != transport.Digest(l) {
			c.cache.add(known{DiffID: ids[i], Digest: transport.Digest(l), Size: l.Size, Format: format})
		}
	}
	return nil
}

// blobs copies configuration and layers side by side. layers[i] becomes the
// descriptor under which the destination has layer i.
func (c *copier) blobs(ctx context.Context, layers []v1.Descriptor, have []bool, config v1.Descriptor, conf []byte) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.Parallel)
	seal, err := c.sealed(layers)
	if err != nil {
		return err
	}
	type blob struct {
		digest v1.Hash
		seal   bool
	}
	first := map[blob]int{}
	blobs := make([]blob, len(layers))
	order := make([]int, len(layers))
	for i := range layers {
		blobs[i], order[i] = blob{layers[i].Digest, seal[i]}, i
		if _, twice := first[blobs[i]]; !twice {
			first[blobs[i]] = i
		}
	}
	_, sequence := c.dst.(transport.Sequence)
	if !sequence {
		// The largest first, so that none is left alone at the end.
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(layers[b].Size, layers[a].Size) })
	}
	next := turns(sequence)
	start := func(copy func(c *copier) error) {
		t := next()
		g.Go(func() error {
			if err := copy(c.inTurn(t)); err != nil {
				return err
			}
			return t.end(ctx)
		})
	}
	start(func(c *copier) error { return c.putConfig(ctx, config, conf) })
	for _, i := range order {
		if first[blobs[i]] != i {
			continue
		}
		if have[i] {
			c.Progress.Start("blob", layers[i].Digest.String(), layers[i].Size).Finish(nil)
			continue
		}
		start(func(c *copier) error {
			d, err := c.sealing(seal[i]).layer(ctx, i, layers[i])
			layers[i] = d
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range layers {
		layers[i] = layers[first[blobs[i]]]
	}
	return nil
}

// config fetches and verifies the configuration.
func (c *copier) config(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	return ReadConfig(ctx, c.src, d)
}

// ReadConfig fetches the configuration that the descriptor names, with its
// digest verified.
func ReadConfig(ctx context.Context, src transport.Source, d v1.Descriptor) ([]byte, error) {
	r, _, err := src.Blob(ctx, transport.Digest(d))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, transport.MaxConfigSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > transport.MaxConfigSize {
		return nil, errdef.Newf(errdef.ErrInvalid, "the image's configuration is larger than %d bytes", transport.MaxConfigSize)
	}
	if dg := transport.Digest(d); dg.Algorithm().FromBytes(data) != dg {
		return nil, errdef.Newf(errdef.ErrInvalid, "the image's configuration does not have the digest %s", dg)
	}
	return data, nil
}

func (c *copier) putConfig(ctx context.Context, d v1.Descriptor, conf []byte) error {
	dg := transport.Digest(d)
	bar := c.Progress.Start("config", dg.String(), d.Size)
	have, err := c.reuse(ctx, dg, d.Size)
	if err == nil && !have {
		if conf == nil {
			conf, err = c.config(ctx, d)
		}
		if err == nil {
			err = c.put(ctx, transport.Content{
				Digest: dg, Size: int64(len(conf)), Reader: bytes.NewReader(conf),
				Sum: func() (digest.Digest, int64) { return dg, int64(len(conf)) },
			})
		}
	}
	bar.Finish(err)
	return err
}

// reuse asks the destination whether it can do without a blob's content.
func (c *copier) reuse(ctx context.Context, d digest.Digest, size int64) (bool, error) {
	have, err := c.dst.Reuse(ctx, d, size)
	if err != nil {
		err = fmt.Errorf("trying to reuse blob %s at destination: %w", d, err)
	}
	return have, err
}

// rewrite makes the manifest fit what was written. One that fits already stays
// byte for byte.
func (c *copier) rewrite(m transport.Manifest, old *v1.Manifest, layers []v1.Descriptor) (transport.Manifest, error) {
	format := m.MediaType
	switch c.Format {
	case FormatOCI:
		format = types.OCIManifestSchema1
	case FormatV2S2:
		format = types.DockerManifestSchema2
	case "":
		if slices.ContainsFunc(layers, func(l v1.Descriptor) bool { return l.MediaType == types.OCILayerZStd }) {
			format = types.OCIManifestSchema1 // the other one has no such layers
		}
	}
	same := format == m.MediaType && slices.EqualFunc(old.Layers, layers, func(a, b v1.Descriptor) bool {
		return a.Digest == b.Digest && a.MediaType == b.MediaType && a.Size == b.Size
	})
	if same {
		return m, nil
	}
	if c.PreserveDigests {
		return m, c.fixed("the manifest would have to change")
	}
	out := *old
	out.Layers = slices.Clone(layers)
	out.MediaType = format
	var err error
	if out.Config.MediaType, err = convertType(out.Config.MediaType, format); err != nil {
		return m, err
	}
	for i := range out.Layers {
		if out.Layers[i].MediaType, err = convertType(out.Layers[i].MediaType, format); err != nil {
			return m, err
		}
	}
	if format == types.DockerManifestSchema2 {
		out.Annotations = nil
	}
	data, err := json.Marshal(out)
	if err != nil {
		return m, err
	}
	return transport.Manifest{Bytes: data, MediaType: format, Digest: digest.FromBytes(data)}, nil
}

// convertType gives the media type of a configuration or layer in a manifest
// of the format.
func convertType(t, format types.MediaType) (types.MediaType, error) {
	pairs := [][2]types.MediaType{
		{types.OCIConfigJSON, types.DockerConfigJSON},
		{types.OCILayer, types.DockerLayer},
		{types.OCIUncompressedLayer, types.DockerUncompressedLayer},
		{types.OCIRestrictedLayer, types.DockerForeignLayer},
	}
	for _, p := range pairs {
		if t != p[0] && t != p[1] {
			continue
		}
		if format == types.DockerManifestSchema2 {
			return p[1], nil
		}
		return p[0], nil
	}
	if format == types.DockerManifestSchema2 {
		return t, errdef.Newf(errdef.ErrUnsupported, "a %s manifest cannot hold the media type %q", FormatV2S2, t)
	}
	return t, nil
}
