package imgcopy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/encryption"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/transport"
)

// EncryptOptions say which layers of the copy get encrypted.
type EncryptOptions struct {
	To     *encryption.Recipients // nil: none gets encrypted
	Layers []int                  // negative ones count from the last; none are all
}

// encryptable tells whether the copy can be encrypted, and asks for the format
// of manifests that has encrypted layers.
func (c *copier) encryptable() error {
	if c.Encrypt.To == nil {
		return nil
	}
	_, plain := c.dst.(transport.Plain)
	_, store := c.dst.(transport.Planner)
	switch {
	case plain || store:
		return errdef.Newf(errdef.ErrUnsupported, "encrypt the image: %s holds unencrypted layers only", c.to)
	case c.Format == FormatV2S2:
		return errdef.Newf(errdef.ErrInvalid, "encrypt the image: images of the format %q have no encrypted layers", c.Format)
	case c.Multi == MultiIndexOnly:
		return errdef.Newf(errdef.ErrInvalid, "encrypt the image: no layer is copied")
	}
	c.Format = FormatOCI
	if c.CompressFormat == zstdChunked {
		c.CompressFormat = "zstd" // nobody finds single files in what is encrypted
	}
	return nil
}

// sealed tells of each layer whether it is to be encrypted. What is encrypted
// already stays as it is.
func (c *copier) sealed(layers []v1.Descriptor) ([]bool, error) {
	seal := make([]bool, len(layers))
	if c.Encrypt.To == nil {
		return seal, nil
	}
	for i, l := range layers {
		seal[i] = len(c.Encrypt.Layers) == 0 && !encryption.Encrypted(string(l.MediaType))
	}
	for _, n := range c.Encrypt.Layers {
		i := n
		if n < 0 {
			i += len(layers)
		}
		if i < 0 || i >= len(layers) {
			return nil, errdef.Newf(errdef.ErrInvalid, "when choosing layers to encrypt, layer index %d out of range (%d layers exist)", n, len(layers))
		}
		seal[i] = !encryption.Encrypted(string(layers[i].MediaType))
	}
	if i := slices.Index(seal, true); i >= 0 && c.PreserveDigests {
		return nil, c.fixed("layer %s would have to be encrypted", layers[i].Digest)
	}
	return seal, nil
}

// sealing copies one layer that is to be encrypted, or not.
func (c *copier) sealing(seal bool) *copier {
	if !seal {
		return c
	}
	one := *c
	one.seal = true
	return &one
}

// encrypted writes what is read from r encrypted.
func (c *copier) encrypted(ctx context.Context, d v1.Descriptor, r io.Reader, bar cliout.Bar) (v1.Descriptor, error) {
	sealing, err := c.Encrypt.To.Seal(r)
	if err != nil {
		return d, err
	}
	h := newSummer(&counted{ctx, sealing, bar})
	if err := c.put(ctx, transport.Content{Size: -1, Reader: h, Sum: h.sum, Layer: true}); err != nil {
		return d, err
	}
	notes, err := sealing.Annotations()
	if err != nil {
		return d, err
	}
	if d.MediaType, err = convertType(d.MediaType, types.OCIManifestSchema1); err != nil {
		return d, err
	}
	sum, size := h.sum()
	d.MediaType = types.MediaType(encryption.Sealed(string(d.MediaType)))
	d.Size, d.Annotations = size, annotated(d.Annotations, nil)
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	maps.Copy(d.Annotations, notes)
	d.Digest, err = v1.NewHash(sum.String())
	return d, err
}

// opened gives a copier that has the image's layers decrypted, and replaces
// their descriptors with those of what comes out. Without keys, encrypted layers
// are copied as they are, but not to where layers get unpacked: nobody could
// tell what is in them.
func (c *copier) opened(layers []v1.Descriptor) (*copier, error) {
	_, plain := c.dst.(transport.Plain)
	_, store := c.dst.(transport.Planner)
	src := &decrypting{Source: c.src, blobs: map[digest.Digest]encryptedBlob{}}
	for i, l := range layers {
		if !encryption.Encrypted(string(l.MediaType)) || c.Keys == nil && !plain && !store {
			continue
		}
		secret, err := c.Keys.Open(l.Annotations)
		if err != nil {
			return c, fmt.Errorf("decrypting layer %s: %w", l.Digest, err)
		}
		if c.PreserveDigests {
			return c, c.fixed("layer %s would have to be decrypted", l.Digest)
		}
		src.blobs[secret.Digest] = encryptedBlob{transport.Digest(l), secret}
		if l.Digest, err = v1.NewHash(secret.Digest.String()); err != nil {
			return c, err
		}
		l.MediaType = types.MediaType(encryption.Opened(string(l.MediaType)))
		l.Annotations = annotated(encryption.Others(l.Annotations), nil)
		layers[i] = l
	}
	if len(src.blobs) == 0 {
		return c, nil
	}
	one := *c
	one.src = src
	return &one, nil
}

// decrypting is a source that has encrypted blobs under the digests of what
// they decrypt to.
type decrypting struct {
	transport.Source
	blobs map[digest.Digest]encryptedBlob
}

// decrypts tells whether the source's layers get decrypted.
func (c *copier) decrypts() bool {
	_, ok := c.src.(*decrypting)
	return ok
}

// unlessChanged gives err, or that the layer was changed: whoever reads what that
// decrypts to may complain of it before the HMAC is known.
func (c *copier) unlessChanged(ctx context.Context, d v1.Descriptor, err error) error {
	if errors.Is(err, encryption.ErrChanged) {
		return err
	}
	r, oerr := c.opener(ctx, d)()
	if oerr != nil {
		return err
	}
	defer r.Close()
	if _, rerr := io.Copy(io.Discard, r); errors.Is(rerr, encryption.ErrChanged) {
		return rerr
	}
	return err
}

type encryptedBlob struct {
	digest digest.Digest
	secret *encryption.Secret
}

func (s *decrypting) Blob(ctx context.Context, d digest.Digest) (io.ReadCloser, int64, error) {
	e, ok := s.blobs[d]
	if !ok {
		return s.Source.Blob(ctx, d)
	}
	r, size, err := s.Source.Blob(ctx, e.digest)
	if err != nil {
		return nil, 0, err
	}
	plain, err := e.secret.Reader(r)
	return both{plain, r}, size, err
}
