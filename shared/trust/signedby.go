package trust

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/signature"
)

// maxKeySize bounds a file with public keys or certificates, in bytes.
const maxKeySize = 4 << 20

// keySource is where keys or certificates come from: files, or data in the
// policy itself.
type keySource struct {
	paths []string
	datas [][]byte
}

// read gets the content; each item is one file or datum.
func (k keySource) read() ([][]byte, error) {
	out := k.datas
	for _, p := range k.paths {
		data, err := readFile(p, maxKeySize)
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

// keyFields collects the members of an object that name one keySource.
type keyFields struct {
	path, data   *string
	paths, datas []string
}

// source makes a keySource of the fields; given counts how many of them were
// there.
func (f keyFields) source() (k keySource, given int, err error) {
	if f.path != nil {
		given++
		k.paths = []string{*f.path}
	}
	if f.paths != nil {
		given++
		k.paths = f.paths
	}
	datas := f.datas
	if f.datas != nil {
		given++
	}
	if f.data != nil {
		given++
		datas = []string{*f.data}
	}
	for _, d := range datas {
		raw, err := base64.StdEncoding.DecodeString(d)
		if err != nil {
			return k, given, err
		}
		k.datas = append(k.datas, raw)
	}
	for _, p := range k.paths {
		if p == "" {
			return k, given, fmt.Errorf("the path of a key is empty")
		}
	}
	return k, given, nil
}

// signedBy wants a simple signature by one of the keys.
type signedBy struct {
	keys     keySource
	identity identity
}

func parseSignedBy(data []byte) (requirement, error) {
	var typ, keyType string
	var keys keyFields
	var id json.RawMessage
	err := object(data, map[string]any{
		"type": &typ, "keyType": &keyType, "keyPath": &keys.path, "keyPaths": &keys.paths, "keyData": &keys.data, "signedIdentity": &id,
	})
	if err != nil {
		return nil, err
	}
	r := &signedBy{}
	var given int
	if r.keys, given, err = keys.source(); err != nil {
		return nil, err
	}
	switch {
	case given == 0:
		return nil, fmt.Errorf("Exactly one of keyPath, keyPaths and keyData must be specified, none of them present")
	case given > 1:
		return nil, fmt.Errorf("Exactly one of keyPath, keyPaths and keyData must be specified, more than one present")
	}
	switch keyType {
	case "GPGKeys":
	case "signedByGPGKeys", "X509Certificates", "signedByX509CAs":
		return nil, errdef.Newf(errdef.ErrUnsupported, "the keyType %q is not supported: use \"GPGKeys\"", keyType)
	default:
		return nil, fmt.Errorf("Unrecognized keyType value %q", keyType)
	}
	r.identity, err = parseIdentity(id)
	return r, err
}

func (r *signedBy) accept(img Image) error {
	sigs, err := img.Signatures()
	if err != nil {
		return err
	}
	var ring *signature.Keyring
	var reasons []error
	for _, s := range sigs {
		if s.Kind != signature.Simple {
			continue
		}
		if ring == nil {
			datas, err := r.keys.read()
			if err != nil {
				return err
			}
			if ring, err = signature.ReadKeyring(datas...); err != nil {
				return err
			}
		}
		if err = r.acceptOne(img, ring, s); err == nil {
			return nil
		}
		reasons = append(reasons, err)
	}
	return noneAccepted(reasons)
}

func (r *signedBy) acceptOne(img Image, ring *signature.Keyring, s signature.Signature) error {
	claim, _, err := ring.Verify(s)
	if err != nil {
		return err
	}
	return checkClaim(img, r.identity, claim)
}

// checkClaim tells whether what a signature says is about the image.
func checkClaim(img Image, id identity, claim signature.Claim) error {
	if !id.accepts(img.Location, claim.Reference) {
		return errdef.Newf(errdef.ErrDenied, "Signature for identity %q is not accepted", claim.Reference)
	}
	if !claim.Digest.Algorithm().Available() || claim.Digest.Algorithm().FromBytes(img.Manifest) != claim.Digest {
		return errdef.Newf(errdef.ErrDenied, "Signature for digest %s does not match the image's manifest %s", claim.Digest, digest.FromBytes(img.Manifest))
	}
	return nil
}
