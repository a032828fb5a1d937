package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Verifier checks sigstore signatures: against keys, or else against the
// certificate that comes with the signature. With Rekor keys the signature
// must have been entered into the log of one of them.
type Verifier struct {
	Keys        []crypto.PublicKey
	Certificate CertificateCheck
	Rekor       []crypto.PublicKey
}

// CertificateCheck decides whether a certificate may sign. At is the time of
// the entry into Rekor's log, zero without one.
type CertificateCheck interface {
	check(cert *x509.Certificate, chain []*x509.Certificate, at time.Time) error
}

// Verify checks a signature and gives what it says.
func (v *Verifier) Verify(s Signature) (Claim, error) {
	if err := v.verify(s); err != nil {
		return Claim{}, errdef.As(errdef.ErrDenied, err)
	}
	return parseClaim(Sigstore, s.Payload)
}

func (v *Verifier) verify(s Signature) error {
	if s.Kind != Sigstore || s.MIMEType != MIMEType {
		return fmt.Errorf("the signature has the MIME type %q and not %q", s.MIMEType, MIMEType)
	}
	encoded, ok := s.Annotations[SignatureKey]
	if !ok {
		return fmt.Errorf("missing %s annotation", SignatureKey)
	}
	sig, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return fmt.Errorf("parsing %s annotation: %w", SignatureKey, err)
	}
	if v.Certificate == nil {
		return v.byKey(s, sig)
	}
	cert, chain, err := certificates(s)
	if err != nil {
		return err
	}
	var at time.Time
	if len(v.Rekor) > 0 {
		if at, err = v.logged(s, sig, []byte(s.Annotations[CertificateKey]), cert.PublicKey); err != nil {
			return err
		}
	}
	if err := v.Certificate.check(cert, chain, at); err != nil {
		return err
	}
	return verifyRaw(cert.PublicKey, s.Payload, sig)
}

// byKey checks the signature against each key.
func (v *Verifier) byKey(s Signature, sig []byte) error {
	var reasons []error
	for _, key := range v.Keys {
		err := verifyRaw(key, s.Payload, sig)
		if err == nil && len(v.Rekor) > 0 {
			var text []byte
			if text, err = publicPEM(key); err == nil {
				_, err = v.logged(s, sig, text, key)
			}
		}
		if err == nil {
			return nil
		}
		reasons = append(reasons, err)
	}
	return fmt.Errorf("cryptographic signature verification failed: %w", errors.Join(reasons...))
}

// verifyRaw checks a signature as sigstore makes it: over the SHA-256 of the
// data, or for Ed25519 over the data itself.
func verifyRaw(key crypto.PublicKey, data, sig []byte) error {
	sum := sha256.Sum256(data)
	good := false
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(key, sum[:], sig)
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil
	case ed25519.PublicKey:
		good = ed25519.Verify(key, data, sig)
	default:
		return errdef.Newf(errdef.ErrUnsupported, "the key's type %T is not supported", key)
	}
	if !good {
		return errors.New("the key did not make the signature")
	}
	return nil
}

// ParsePublicKeys reads PEM files with one public key each.
func ParsePublicKeys(datas [][]byte) ([]crypto.PublicKey, error) {
	var keys []crypto.PublicKey
	for i, data := range datas {
		key, err := parsePublicKey(data)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "parsing public key %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parsePublicKey(data []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("PEM decoding failed")
	}
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	}
	return nil, fmt.Errorf("unknown PEM type %q: a public key is wanted", block.Type)
}

func publicPEM(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}
