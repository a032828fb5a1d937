package mirror

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
)

// check finds out whether the target has the image as a copy would write it.
// Only a manifest that can be taken as it is tells that.
func (r *runner) check(ctx context.Context, j *job) error {
	if p := r.Copy.Policy; p != nil && !p.AcceptsUnseen(j.from) || len(r.Copy.Sign.Signers) > 0 {
		return nil // only a copy looks at signatures, and makes them
	}
	have, err := r.atTarget(ctx, j.to)
	if err != nil || have == "" {
		return err
	}
	m, err := atSource(ctx, j)
	if err != nil {
		return err
	}
	if m.MediaType.IsIndex() && r.Copy.Multi != imgcopy.MultiAll {
		if m, err = chosen(ctx, j, r.Copy.Platform); err != nil {
			return err
		}
	}
	if m.Digest == have && hasFormat(m.MediaType, r.Copy.Format) {
		j.unchanged, j.digest = true, have
	}
	return nil
}

// atTarget is the digest of what the target has, "" for nothing.
func (r *runner) atTarget(ctx context.Context, l ref.Location) (digest.Digest, error) {
	o := r.Copy.Destination
	if l.Transport == ref.Docker {
		client, err := registry.Open(o.Config, l.Name, o.Registry)
		if err != nil {
			return "", err
		}
		return client.ManifestDigest(ctx, l.Name.Identifier())
	}
	m, err := manifestOf(ctx, l, o)
	return m.Digest, err
}

// atSource tells digest and type of the image, without more than that if it
// is in a registry.
func atSource(ctx context.Context, j *job) (transport.Manifest, error) {
	if j.from.Transport == ref.Docker {
		return transport.HeadDocker(ctx, j.from, j.source.Options)
	}
	return manifestOf(ctx, j.from, j.source.Options)
}

func manifestOf(ctx context.Context, l ref.Location, o transport.Options) (transport.Manifest, error) {
	src, err := transport.OpenSource(ctx, l, o)
	if err != nil {
		return transport.Manifest{}, err
	}
	defer src.Close()
	return src.Manifest(ctx, "")
}

// chosen tells which of the list's images would be copied.
func chosen(ctx context.Context, j *job, p v1.Platform) (transport.Manifest, error) {
	m, err := manifestOf(ctx, j.from, j.source.Options)
	if err != nil {
		return m, err
	}
	index, err := transport.ParseIndex(m.Bytes)
	if err != nil {
		return m, err
	}
	d, err := imgcopy.Choose(index, p)
	return transport.Manifest{Digest: transport.Digest(d), MediaType: d.MediaType}, err
}

// hasFormat tells whether a manifest of the type stays as it is when the
// format is asked for.
func hasFormat(t types.MediaType, format string) bool {
	switch format {
	case imgcopy.FormatOCI:
		return t == types.OCIManifestSchema1
	case imgcopy.FormatV2S2:
		return t == types.DockerManifestSchema2
	}
	return true
}
