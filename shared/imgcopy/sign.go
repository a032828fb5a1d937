package imgcopy

import (
	"context"
	"fmt"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/signature"
	"github.com/podsuite/podsuite/shared/transport"
	"github.com/podsuite/podsuite/shared/trust"
)

// SignOptions say which signatures a copy has.
type SignOptions struct {
	Signers  []signature.Signer
	Identity ref.Name // what new signatures say; none is the destination's name
	Remove   bool     // leave the source's signatures behind
}

// identity finds the name under which new signatures are made.
func (o SignOptions) identity(dst transport.Ref) (ref.Name, error) {
	switch {
	case len(o.Signers) == 0 || !o.Identity.IsZero():
		return o.Identity, nil
	case dst.Name.IsZero():
		return ref.Name{}, errdef.Newf(errdef.ErrInvalid, "Cannot determine canonical Docker reference for destination %s", dst)
	}
	return dst.Name, nil
}

// admit asks the policy whether the image, or list, with the manifest may be
// copied, and gives the signatures to take along. Nothing but the manifest's
// bytes was used before.
func (c *copier) admit(ctx context.Context, m transport.Manifest) ([]signature.Signature, error) {
	read := sync.OnceValues(func() ([]signature.Signature, error) { return c.readSignatures(ctx, m.Digest) })
	if c.Policy != nil {
		if err := c.Policy.Accept(trust.Image{Location: c.located(), Manifest: m.Bytes, Signatures: read}); err != nil {
			return nil, err
		}
	}
	return c.along(read)
}

// located is the source's place, with the store filled in that is meant.
func (c *copier) located() transport.Ref {
	l := c.from
	if cfg := c.Source.Config; l.Transport == ref.ContainersStorage && cfg != nil {
		if l.Store.Driver == "" {
			l.Store.Driver = cfg.Storage.Driver
		}
		if l.Store.GraphRoot == "" {
			l.Store.GraphRoot = cfg.Storage.GraphRoot
		}
	}
	return l
}

// along gives the signatures to take along, and makes sure that the destination
// can keep them and the ones to be made.
func (c *copier) along(read func() ([]signature.Signature, error)) ([]signature.Signature, error) {
	for _, s := range c.Sign.Signers {
		if err := transport.Keeps(c.dst, c.to, s.Kind()); err != nil {
			return nil, fmt.Errorf("writing signatures: %w", err)
		}
	}
	if c.Sign.Remove {
		return nil, nil
	}
	sigs, err := read()
	if err != nil {
		return nil, err
	}
	for _, s := range sigs {
		if err := transport.Keeps(c.dst, c.to, s.Kind); err != nil {
			return nil, fmt.Errorf("Can not copy signatures to %s: %w (--remove-signatures leaves them behind)", c.to, err)
		}
	}
	return sigs, nil
}

func (c *copier) readSignatures(ctx context.Context, d digest.Digest) ([]signature.Signature, error) {
	from, ok := c.src.(transport.Signed)
	if !ok {
		return nil, nil
	}
	sigs, err := from.Signatures(ctx, d, d != c.named)
	if err != nil {
		return nil, fmt.Errorf("reading signatures: %w", err)
	}
	return sigs, nil
}

// fixed is the error of a change that must not be.
func (c *copier) fixed(change string, args ...any) error {
	why := "digests are to be preserved"
	if c.signed {
		why = "that would invalidate the signatures (--remove-signatures leaves them behind)"
	}
	return errdef.Newf(errdef.ErrInvalid, "%s, and %s", fmt.Sprintf(change, args...), why)
}

// putSignatures writes the signatures of a manifest that was written, and
// makes those that are asked for.
func (c *copier) putSignatures(ctx context.Context, d digest.Digest, instance bool, sigs []signature.Signature) error {
	for i, signer := range c.Sign.Signers {
		n := ""
		if len(c.Sign.Signers) > 1 {
			n = fmt.Sprintf(" %d", i+1)
		}
		c.Progress.Say(fmt.Sprintf("Creating signature%s: Signing image using %s", n, signer.Kind()))
		one, err := signer.Sign(ctx, signature.Claim{Digest: d, Reference: c.Sign.Identity.String()})
		if err != nil {
			return fmt.Errorf("creating signature: %w", err)
		}
		sigs = append(sigs, one)
	}
	to, ok := c.dst.(transport.Signable)
	if !ok || len(sigs) == 0 {
		return nil // that a place keeps none was found out before
	}
	c.Progress.Say("Storing signatures")
	if err := to.PutSignatures(ctx, d, instance, sigs); err != nil {
		return fmt.Errorf("writing signatures: %w", err)
	}
	return nil
}
