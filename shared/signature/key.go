package signature

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The PEM types of encrypted private keys; cosign writes the first or the
// second, by its version.
const (
	cosignKeyType   = "ENCRYPTED COSIGN PRIVATE KEY"
	sigstoreKeyType = "ENCRYPTED SIGSTORE PRIVATE KEY"
)

// GenerateKey makes a key pair for sigstore signatures, as PEM files; the
// private one is encrypted as cosign does it.
func GenerateKey(passphrase []byte) (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := encrypted.Encrypt(der, passphrase)
	if err != nil {
		return nil, nil, err
	}
	public, err = publicPEM(key.Public())
	return pem.EncodeToMemory(&pem.Block{Type: cosignKeyType, Bytes: sealed}), public, err
}

// keySigner signs with a private key.
type keySigner struct{ key crypto.Signer }

// KeySigner signs with an encrypted private key in PEM form.
func KeySigner(data, passphrase []byte) (Signer, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "initializing private key: invalid pem block")
	}
	if block.Type != cosignKeyType && block.Type != sigstoreKeyType {
		return nil, errdef.Newf(errdef.ErrInvalid, "initializing private key: unsupported pem type: %s (generate-sigstore-key makes one that can be used)", block.Type)
	}
	der, err := encrypted.Decrypt(block.Bytes, passphrase)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "initializing private key: decrypt: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "initializing private key: %w", err)
	}
	switch key := parsed.(type) {
	case *ecdsa.PrivateKey:
		return &keySigner{key}, nil
	case *rsa.PrivateKey:
		return &keySigner{key}, nil
	case ed25519.PrivateKey:
		return &keySigner{key}, nil
	}
	return nil, errdef.Newf(errdef.ErrUnsupported, "initializing private key: the type %T is not supported", parsed)
}

func (k *keySigner) Kind() Kind { return Sigstore }

func (k *keySigner) Sign(_ context.Context, c Claim) (Signature, error) {
	text, err := newPayload(Sigstore, c, time.Now())
	if err != nil {
		return Signature{}, err
	}
	sig, err := signRaw(k.key, text)
	if err != nil {
		return Signature{}, err
	}
	return Signature{
		Kind: Sigstore, MIMEType: MIMEType, Payload: text,
		Annotations: map[string]string{SignatureKey: base64.StdEncoding.EncodeToString(sig)},
	}, nil
}

// signRaw makes what verifyRaw checks.
func signRaw(key crypto.Signer, data []byte) ([]byte, error) {
	if _, ok := key.(ed25519.PrivateKey); ok {
		return key.Sign(rand.Reader, data, crypto.Hash(0))
	}
	sum := sha256.Sum256(data)
	return key.Sign(rand.Reader, sum[:], crypto.SHA256)
}
