package imgcopy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/signature"
	"github.com/podsuite/podsuite/shared/transport"
)

// compressionNote begins the annotation by which a list's entry tells that its
// layers have another compression than gzip; the name of it follows.
const compressionNote = "io.github.containers.compression."

// list copies every image of a list, and then the list with what came out of
// them.
func (c *copier) list(ctx context.Context, m transport.Manifest, index *v1.IndexManifest) (transport.Manifest, error) {
	if _, ok := c.dst.(transport.Planner); ok {
		return m, errdef.Newf(errdef.ErrUnsupported, "copying multiple images: destination transport %q does not support copying multiple images as a group", ref.ContainersStorage)
	}
	// The policy is asked for each image.
	sigs, err := c.along(func() ([]signature.Signature, error) { return c.readSignatures(ctx, m.Digest) })
	if err != nil {
		return m, err
	}
	c.signed = len(sigs) > 0
	out := *index
	out.Manifests = nil
	total := len(index.Manifests) * (1 + len(c.AddCompression))
	var added []v1.Descriptor
	for i, d := range index.Manifests {
		c.Progress.Say(fmt.Sprintf("Copying image %s (%d/%d)", d.Digest, i+1, total))
		src, err := c.place(ctx, d)
		if err != nil {
			return m, err
		}
		done, err := c.instance(ctx, src, d)
		if err != nil {
			return m, fmt.Errorf("copying image %d/%d from manifest list: %w", i+1, total, err)
		}
		out.Manifests = append(out.Manifests, done)
		variants, err := c.variants(ctx, src, d, index)
		if err != nil {
			return m, fmt.Errorf("copying image %d/%d from manifest list: %w", i+1, total, err)
		}
		added = append(added, variants...)
	}
	out.Manifests = append(out.Manifests, added...)
	m, err = c.rewriteList(m, index, &out)
	if err != nil {
		return m, err
	}
	return c.putList(ctx, m, sigs)
}

func (c *copier) putList(ctx context.Context, m transport.Manifest, sigs []signature.Signature) (transport.Manifest, error) {
	c.Progress.Say("Writing manifest list to image destination")
	if err := c.dst.PutManifest(ctx, m, false); err != nil {
		return m, err
	}
	return m, c.putSignatures(ctx, m.Digest, false, sigs)
}

// place is where the list's image lies: the list's own place, or one that the
// source knows.
func (c *copier) place(ctx context.Context, d v1.Descriptor) (transport.Source, error) {
	if l, ok := c.src.(transport.Lister); ok {
		return l.Instance(ctx, transport.Digest(d))
	}
	return c.src, nil
}

// instance copies one image of a list and gives the entry that it has in the
// list's copy.
func (c *copier) instance(ctx context.Context, src transport.Source, d v1.Descriptor) (v1.Descriptor, error) {
	m, err := src.Manifest(ctx, transport.Digest(d))
	if err != nil {
		return d, err
	}
	if !m.MediaType.IsImage() {
		return d, errdef.Newf(errdef.ErrUnsupported, "the list's entry %s is a list itself", d.Digest)
	}
	one := *c
	one.src = src
	if m, err = one.image(ctx, m, true); err != nil {
		return d, err
	}
	d.MediaType, d.Size = m.MediaType, int64(len(m.Bytes))
	d.Digest, err = v1.NewHash(m.Digest.String())
	return d, err
}

// variants copies the image once more for each further compression that is
// asked for, unless the list has such an image for the platform.
func (c *copier) variants(ctx context.Context, src transport.Source, d v1.Descriptor, index *v1.IndexManifest) ([]v1.Descriptor, error) {
	if d.ArtifactType != "" {
		return nil, nil
	}
	var added []v1.Descriptor
	for _, format := range c.AddCompression {
		if slices.ContainsFunc(index.Manifests, func(have v1.Descriptor) bool {
			return samePlatform(have, d) && compressionOf(have) == strings.TrimSuffix(format, ":chunked")
		}) {
			continue
		}
		c.Progress.Say(fmt.Sprintf("Replicating image %s as %s", d.Digest, format))
		one := *c
		one.CompressFormat, one.CompressLevel, one.ForceCompress = format, 0, true
		one.zip = &compressors{format: format}
		if isZstd(format) {
			one.Format = FormatOCI // the other format has no such layers
		}
		v, err := one.instance(ctx, src, d)
		if err != nil {
			return nil, err
		}
		v.Annotations = maps.Clone(d.Annotations)
		if isZstd(format) {
			if v.Annotations == nil {
				v.Annotations = map[string]string{}
			}
			v.Annotations[compressionNote+"zstd"] = "true"
		}
		added = append(added, v)
	}
	return added, nil
}

func samePlatform(a, b v1.Descriptor) bool {
	if a.Platform == nil || b.Platform == nil {
		return a.Platform == b.Platform
	}
	return a.Platform.Equals(*b.Platform)
}

// compressionOf tells how the layers of a list's entry are compressed.
func compressionOf(d v1.Descriptor) string {
	if d.Annotations[compressionNote+"zstd"] == "true" {
		return "zstd"
	}
	return "gzip"
}

// rewriteList makes the list's document fit what was written. One that fits
// already stays byte for byte.
func (c *copier) rewriteList(m transport.Manifest, old, index *v1.IndexManifest) (transport.Manifest, error) {
	format := m.MediaType
	switch c.Format {
	case FormatOCI:
		format = types.OCIImageIndex
	case FormatV2S2:
		format = types.DockerManifestList
	}
	if format == m.MediaType && slices.EqualFunc(old.Manifests, index.Manifests, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest }) {
		return m, nil
	}
	if c.PreserveDigests || c.signed {
		return m, c.fixed("the list of images would have to change")
	}
	index.MediaType = format
	if format == types.DockerManifestList {
		// This format has neither.
		index.Annotations, index.Subject, index.ArtifactType = nil, nil, ""
		for i := range index.Manifests {
			index.Manifests[i].Annotations, index.Manifests[i].ArtifactType = nil, ""
		}
	}
	data, err := json.Marshal(index)
	if err != nil {
		return m, err
	}
	return transport.Manifest{Bytes: data, MediaType: format, Digest: digest.FromBytes(data)}, nil
}
