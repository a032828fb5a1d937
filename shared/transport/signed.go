package transport

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/signature"
)

// Signed is a Source whose images may have signatures.
type Signed interface {
	// Signatures gives those of the manifest with the digest, which is the
	// one that the reference names, or an instance of a list.
	Signatures(ctx context.Context, m digest.Digest, instance bool) ([]signature.Signature, error)
}

// Signable is a Destination that keeps signatures.
type Signable interface {
	// Keeps tells why signatures of the kind cannot be kept here.
	Keeps(k signature.Kind) error
	// PutSignatures writes those of a manifest, after the manifest itself.
	PutSignatures(ctx context.Context, m digest.Digest, instance bool, sigs []signature.Signature) error
}

// Keeps tells why the destination at l cannot keep signatures of the kind.
func Keeps(d Destination, l Ref, k signature.Kind) error {
	if s, ok := d.(Signable); ok {
		return s.Keeps(k)
	}
	what := l.Transport + ": images"
	switch l.Transport {
	case ref.OCI, ref.OCIArchive:
		what = "OCI images"
	case ref.DockerArchive:
		what = "docker tar files"
	}
	return errdef.Newf(errdef.ErrUnsupported, "Storing signatures for %s is not supported", what)
}

func (s *dirImage) signaturePath(m digest.Digest, instance bool, n int) string {
	name := fmt.Sprintf("signature-%d", n)
	if instance {
		name = m.Encoded() + "." + name
	}
	return filepath.Join(s.path, name)
}

func (s *dirImage) Signatures(_ context.Context, m digest.Digest, instance bool) ([]signature.Signature, error) {
	var out []signature.Signature
	for n := 1; n <= signature.MaxCount; n++ {
		path := s.signaturePath(m, instance, n)
		blob, err := readManifestFile(path)
		if os.IsNotExist(err) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		one, err := signature.Parse(blob)
		if err != nil {
			return nil, fmt.Errorf("parsing signature %q: %w", path, err)
		}
		out = append(out, one)
	}
	return nil, errdef.Newf(errdef.ErrInvalid, "%s has more than %d signatures", s.path, signature.MaxCount)
}

// Keeps holds for all kinds.
func (d *dirDestination) Keeps(signature.Kind) error { return nil }

func (d *dirDestination) PutSignatures(_ context.Context, m digest.Digest, instance bool, sigs []signature.Signature) error {
	for i, s := range sigs {
		blob, err := s.Bytes()
		if err != nil {
			return err
		}
		if err := os.WriteFile(d.signaturePath(m, instance, i+1), blob, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// parseAll reads what a store kept.
func parseAll(blobs [][]byte) ([]signature.Signature, error) {
	var out []signature.Signature
	for _, b := range blobs {
		s, err := signature.Parse(b)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (s *storedSource) Signatures(_ context.Context, m digest.Digest, _ bool) ([]signature.Signature, error) {
	blobs, err := s.st.Signatures(s.img.ID, m)
	if err != nil {
		return nil, err
	}
	return parseAll(blobs)
}

// Keeps holds for all kinds.
func (d *storedDestination) Keeps(signature.Kind) error { return nil }

// PutSignatures keeps them for Commit, which makes the image.
func (d *storedDestination) PutSignatures(_ context.Context, _ digest.Digest, _ bool, sigs []signature.Signature) error {
	d.signatures = nil
	for _, s := range sigs {
		blob, err := s.Bytes()
		if err != nil {
			return err
		}
		d.signatures = append(d.signatures, blob)
	}
	return nil
}
