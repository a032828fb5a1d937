package encryption

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/go-jose/go-jose/v4"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/signature"
)

// Recipients are those who will be able to decrypt a layer.
type Recipients struct {
	public       []any // of RSA or EC, or a JSON web key
	certificates []*x509.Certificate
	pgp          openpgp.EntityList
}

// ParseRecipients reads protocol:key specifications: jwe:FILE with a public
// key, pkcs7:FILE with a certificate, pgp:NAME of a key in GnuPG's keyring.
func ParseRecipients(ctx context.Context, specs []string) (*Recipients, error) {
	r := &Recipients{}
	for _, spec := range specs {
		if err := r.add(ctx, spec); err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid encryption key %q: %w", spec, err)
		}
	}
	return r, nil
}

func (r *Recipients) add(ctx context.Context, spec string) error {
	protocol, value, ok := strings.Cut(spec, ":")
	if !ok {
		return errdef.Newf(errdef.ErrInvalid, "want PROTOCOL:KEY, where PROTOCOL is %s, %s or %s", schemeJWE, schemePKCS7, schemePGP)
	}
	switch protocol {
	case schemeJWE:
		return r.addPublic(value)
	case schemePKCS7:
		return r.addCertificate(value)
	case schemePGP:
		return r.addPGP(ctx, value)
	case "pkcs11", "provider":
		return errdef.Newf(errdef.ErrUnsupported, "the protocol %s is not supported: use %s, %s or %s", protocol, schemeJWE, schemePKCS7, schemePGP)
	}
	return errdef.Newf(errdef.ErrInvalid, "the protocol %q is unknown: want %s, %s or %s", protocol, schemeJWE, schemePKCS7, schemePGP)
}

func (r *Recipients) addPublic(path string) error {
	data, err := signature.ReadSmallFile(path)
	if err != nil {
		return err
	}
	key := parsePublic(data)
	if key == nil {
		return errdef.Newf(errdef.ErrInvalid, "the file is not a public key")
	}
	if _, err := keyAlgorithm(key); err != nil {
		return err
	}
	r.public = append(r.public, key)
	return nil
}

// parsePublic reads a public key in PEM, DER or as a JSON web key; nil is none.
func parsePublic(data []byte) any {
	der := data
	if block, _ := pem.Decode(data); block != nil {
		der = block.Bytes
	}
	if key, err := x509.ParsePKIXPublicKey(der); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return key
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(data) == nil && jwk.IsPublic() {
		return &jwk
	}
	return nil
}

func (r *Recipients) addCertificate(path string) error {
	data, err := signature.ReadSmallFile(path)
	if err != nil {
		return err
	}
	cert := parseCertificate(data)
	if cert == nil {
		return errdef.Newf(errdef.ErrInvalid, "the file is not an X.509 certificate")
	}
	r.certificates = append(r.certificates, cert)
	return nil
}

func parseCertificate(data []byte) *x509.Certificate {
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	cert, err := x509.ParseCertificate(data)
	if err != nil {
		return nil
	}
	return cert
}

func (r *Recipients) addPGP(ctx context.Context, name string) error {
	if strings.Contains(name, "@") && !strings.Contains(name, "<") {
		name = "<" + name + ">" // GnuPG's way to say: this address, and not all that contain it
	}
	ring, err := signature.ExportedKeys(ctx, name)
	if err != nil {
		return err
	}
	r.pgp = append(r.pgp, ring.Entities()...)
	return nil
}
