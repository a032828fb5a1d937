package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/signature"
	"github.com/podsuite/podsuite/shared/trust"
)

// signaturePlaces finds where a repository's signatures are; the configuration
// is read when it is first needed.
type signaturePlaces struct {
	load func() (*trust.Places, error)
}

// SharedPlaces reads registries.d once for all that is opened with it: in one
// with thousands of scopes that takes as long as a small image. The configuration
// and directory of whoever comes first count.
type SharedPlaces struct {
	once   sync.Once
	places *trust.Places
	err    error
}

func placesOf(o Options) signaturePlaces {
	shared := o.Places
	if shared == nil {
		shared = &SharedPlaces{}
	}
	return signaturePlaces{func() (*trust.Places, error) {
		shared.once.Do(func() { shared.places, shared.err = trust.LoadPlaces(o.Config, o.RegistriesDir) })
		return shared.places, shared.err
	}}
}

// Signatures reads them from the repository's lookaside, and where that is
// enabled from the registry.
func (s *dockerSource) Signatures(ctx context.Context, m digest.Digest, _ bool) ([]signature.Signature, error) {
	places, err := s.load()
	if err != nil {
		return nil, err
	}
	name := s.client.Repository().WithTag(s.tag)
	side, err := places.Lookaside(name, false)
	if err != nil {
		return nil, err
	}
	sigs, err := side.Read(ctx, m)
	if err != nil || !places.Attachments(name) {
		return sigs, err
	}
	attached, err := readAttached(ctx, s.client, m)
	return append(sigs, attached...), err
}

// Keeps tells what registries.d allows.
func (d *dockerDestination) Keeps(k signature.Kind) error {
	places, err := d.load()
	if err != nil {
		return err
	}
	if k == signature.Sigstore {
		if !places.Attachments(d.loc.Name) {
			return errdef.Newf(errdef.ErrInvalid, "writing sigstore attachments is disabled by configuration (use-sigstore-attachments in registries.d enables it)")
		}
		return nil
	}
	side, err := places.Lookaside(d.loc.Name, true)
	if err != nil {
		return err
	}
	return side.Writable()
}

func (d *dockerDestination) PutSignatures(ctx context.Context, m digest.Digest, _ bool, sigs []signature.Signature) error {
	byKind := map[signature.Kind][]signature.Signature{}
	for _, s := range sigs {
		byKind[s.Kind] = append(byKind[s.Kind], s)
	}
	places, err := d.load()
	if err != nil {
		return err
	}
	if simple := byKind[signature.Simple]; len(simple) > 0 {
		side, err := places.Lookaside(d.loc.Name, true)
		if err != nil {
			return err
		}
		if err := side.Write(m, simple); err != nil {
			return err
		}
	}
	if stored := byKind[signature.Sigstore]; len(stored) > 0 {
		return writeAttached(ctx, d.client, m, stored)
	}
	return nil
}

// attachmentTag is where a manifest's signatures lie, by cosign's convention.
func attachmentTag(m digest.Digest) string {
	return m.Algorithm().String() + "-" + m.Encoded() + ".sig"
}

// attachment gets the image that holds the signatures of a manifest; ok is
// false if there is none.
func attachment(ctx context.Context, c *registry.Client, m digest.Digest) (*v1.Manifest, bool, error) {
	found, err := c.Manifest(ctx, attachmentTag(m))
	if errors.Is(err, errdef.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	t, err := MediaType(found.Bytes, found.MediaType)
	if err != nil {
		return nil, false, err
	}
	if t != types.OCIManifestSchema1 {
		return nil, false, errdef.Newf(errdef.ErrInvalid, "sigstore attachments of %s: unexpected media type %q", m, t)
	}
	img, err := ParseImage(found.Bytes)
	if err == nil && len(img.Layers) > signature.MaxCount {
		err = errdef.Newf(errdef.ErrInvalid, "sigstore attachments of %s: there are more than %d", m, signature.MaxCount)
	}
	return img, err == nil, err
}

func readAttached(ctx context.Context, c *registry.Client, m digest.Digest) ([]signature.Signature, error) {
	img, ok, err := attachment(ctx, c, m)
	if err != nil || !ok {
		return nil, err
	}
	var out []signature.Signature
	for _, l := range img.Layers {
		payload, err := readPayload(ctx, c, l)
		if err != nil {
			return nil, fmt.Errorf("sigstore attachment %s: %w", l.Digest, err)
		}
		out = append(out, signature.Signature{
			Kind: signature.Sigstore, MIMEType: string(l.MediaType), Payload: payload, Annotations: l.Annotations,
		})
	}
	return out, nil
}

func readPayload(ctx context.Context, c *registry.Client, l v1.Descriptor) ([]byte, error) {
	if l.Size > signature.MaxSize {
		return nil, errdef.Newf(errdef.ErrInvalid, "it is larger than %d bytes", signature.MaxSize)
	}
	r, _, err := c.Blob(ctx, Digest(l))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, l.Size+1))
	if err != nil {
		return nil, err
	}
	if d := Digest(l); int64(len(data)) != l.Size || d.Algorithm().FromBytes(data) != d {
		return nil, errdef.Newf(errdef.ErrInvalid, "the content does not have the digest and size that were promised")
	}
	return data, nil
}

// writeAttached adds signatures to those that are attached to the manifest.
func writeAttached(ctx context.Context, c *registry.Client, m digest.Digest, sigs []signature.Signature) error {
	img, ok, err := attachment(ctx, c, m)
	if err != nil {
		return err
	}
	if !ok {
		img = &v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	}
	added := false
	for _, s := range sigs {
		hash, size, err := v1.SHA256(bytes.NewReader(s.Payload))
		if err != nil {
			return err
		}
		l := v1.Descriptor{MediaType: types.MediaType(s.MIMEType), Digest: hash, Size: size, Annotations: s.Annotations}
		if slices.ContainsFunc(img.Layers, func(have v1.Descriptor) bool {
			return have.Digest == l.Digest && have.MediaType == l.MediaType && maps.Equal(have.Annotations, l.Annotations)
		}) {
			continue
		}
		if _, err := putBlob(ctx, c, s.Payload); err != nil {
			return err
		}
		img.Layers, added = append(img.Layers, l), true
	}
	if !added {
		return nil
	}
	if img.Config, err = attachmentConfig(ctx, c, img.Layers); err != nil {
		return err
	}
	data, err := json.Marshal(img)
	if err != nil {
		return err
	}
	return c.PutManifest(ctx, attachmentTag(m), Manifest{Bytes: data, MediaType: types.OCIManifestSchema1, Digest: digest.FromBytes(data)})
}

// attachmentConfig uploads a configuration for the layers.
func attachmentConfig(ctx context.Context, c *registry.Client, layers []v1.Descriptor) (v1.Descriptor, error) {
	conf := v1.ConfigFile{RootFS: v1.RootFS{Type: "layers"}}
	for _, l := range layers {
		conf.RootFS.DiffIDs = append(conf.RootFS.DiffIDs, l.Digest)
	}
	data, err := json.Marshal(conf)
	if err != nil {
		return v1.Descriptor{}, err
	}
	hash, err := putBlob(ctx, c, data)
	return v1.Descriptor{MediaType: types.OCIConfigJSON, Digest: hash, Size: int64(len(data))}, err
}

func putBlob(ctx context.Context, c *registry.Client, data []byte) (v1.Hash, error) {
	hash, size, err := v1.SHA256(bytes.NewReader(data))
	if err != nil {
		return hash, err
	}
	d := digest.Digest(hash.String())
	if have, _, err := c.HasBlob(ctx, d); err != nil || have {
		return hash, err
	}
	u, _, err := c.StartUpload(ctx, "", "")
	if err != nil {
		return hash, err
	}
	if err = u.Put(ctx, d, size, bytes.NewReader(data)); err != nil {
		u.Cancel(context.WithoutCancel(ctx))
	}
	return hash, err
}
