package encryption

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/go-jose/go-jose/v4"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/signature"
)

// Keys decrypt layers.
type Keys struct {
	private      []any // of RSA or EC, or a JSON web key
	certificates []*x509.Certificate
	pgp          openpgp.EntityList
}

// ParseKeys reads FILE[:password] specifications. The file holds a private
// key, a certificate (PKCS #7 needs it beside the key) or secret OpenPGP keys.
// The password is pass=PASSWORD, file=FILE, fd=NUMBER or the password itself.
func ParseKeys(specs []string) (*Keys, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	k := &Keys{}
	for _, spec := range specs {
		// What follows the file is secret, and no error may tell it.
		path, how, _ := strings.Cut(spec, ":")
		if err := k.add(path, how); err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid decryption key %q: %w", path, err)
		}
	}
	return k, nil
}

// WithoutPassword is the specification as it may be shown: with a password
// itself in it, that is left out.
func WithoutPassword(spec string) string {
	path, how, _ := strings.Cut(spec, ":")
	if how == "" || strings.HasPrefix(how, "file=") || strings.HasPrefix(how, "fd=") {
		return spec
	}
	return path + ":pass=(hidden)"
}

func (k *Keys) add(path, how string) error {
	if path == "provider" || path == "pkcs11" {
		return errdef.Newf(errdef.ErrUnsupported, "the protocol %s is not supported: give a file with the key", path)
	}
	pass, err := password(how)
	if err != nil {
		return err
	}
	data, err := signature.ReadSmallFile(path)
	if err != nil {
		return err
	}
	if cert := parseCertificate(data); cert != nil {
		k.certificates = append(k.certificates, cert)
		return nil
	}
	key, err := parsePrivate(data, pass)
	if err != nil {
		return err
	}
	if key != nil {
		k.private = append(k.private, key)
		return nil
	}
	ring, err := parsePGP(data, pass)
	k.pgp = append(k.pgp, ring...)
	if err == nil && len(ring) == 0 {
		if bytes.HasPrefix(data, []byte("pkcs11:")) {
			return errdef.Newf(errdef.ErrUnsupported, "keys in PKCS #11 tokens are not supported")
		}
		err = errdef.Newf(errdef.ErrInvalid, "the file holds no private key, no certificate and no secret OpenPGP keys")
	}
	return err
}

// password finds out the password of a key; nil is none.
func password(how string) ([]byte, error) {
	kind, value, ok := strings.Cut(how, "=")
	switch {
	case how == "":
		return nil, nil
	case ok && kind == "pass":
		return []byte(value), nil
	case ok && kind == "file":
		data, err := signature.ReadSmallFile(value)
		return line(data), err
	case ok && kind == "fd":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "%q is not a file descriptor", value)
		}
		f := os.NewFile(uintptr(n), "password")
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxPassword))
		return line(data), err
	}
	return []byte(how), nil
}

// line is what was read, without the line break that editors leave.
func line(data []byte) []byte { return bytes.TrimRight(data, "\r\n") }

// maxPassword bounds a password, in bytes.
const maxPassword = 4 << 10

// parsePrivate reads a private key in PEM, DER or as a JSON web key; nil is
// none.
func parsePrivate(data, pass []byte) (any, error) {
	der := data
	if block, _ := pem.Decode(data); block != nil {
		if block.Type == "ENCRYPTED PRIVATE KEY" {
			return nil, errdef.Newf(errdef.ErrUnsupported, "keys encrypted in the PKCS #8 format are not supported (`openssl pkey -traditional -aes256` converts them)")
		}
		der = block.Bytes
		// The format is old and weak, and the one in which these keys are used.
		if x509.IsEncryptedPEMBlock(block) { //nolint:staticcheck
			if pass == nil {
				return nil, errdef.Newf(errdef.ErrInvalid, "missing password for encrypted private key")
			}
			var err error
			if der, err = x509.DecryptPEMBlock(block, pass); err != nil { //nolint:staticcheck
				return nil, errdef.Newf(errdef.ErrDenied, "wrong password: could not decrypt private key")
			}
		}
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(data) == nil && !jwk.IsPublic() {
		return &jwk, nil
	}
	return nil, nil
}

// parsePGP reads exported secret keys, binary or armoured, and unlocks them.
func parsePGP(data, pass []byte) (openpgp.EntityList, error) {
	var in io.Reader = bytes.NewReader(data)
	if block, err := armor.Decode(bytes.NewReader(data)); err == nil {
		in = block.Body
	}
	all, err := openpgp.ReadKeyRing(in)
	if err != nil {
		return nil, nil // something else
	}
	var out openpgp.EntityList
	for _, e := range all {
		if e.PrivateKey == nil {
			continue
		}
		if locked(e) {
			if pass == nil {
				return nil, errdef.Newf(errdef.ErrInvalid, "missing password for encrypted private key")
			}
			if err := e.DecryptPrivateKeys(pass); err != nil {
				return nil, errdef.Newf(errdef.ErrDenied, "wrong password: could not decrypt private key")
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// locked tells whether one of the keys wants a password.
func locked(e *openpgp.Entity) bool {
	for _, s := range e.Subkeys {
		if s.PrivateKey != nil && s.PrivateKey.Encrypted {
			return true
		}
	}
	return e.PrivateKey.Encrypted
}
