package encryption

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"io"
	"sync"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/go-jose/go-jose/v4"
	"github.com/smallstep/pkcs7"

	"github.com/podsuite/podsuite/shared/errdef"
)

// maxSecret bounds the unwrapped key of a layer, in bytes.
const maxSecret = 64 << 10

func (r *Recipients) wrapJWE(text []byte) ([]byte, error) {
	if len(r.public) == 0 {
		return nil, nil
	}
	to := make([]jose.Recipient, len(r.public))
	for i, key := range r.public {
		alg, err := keyAlgorithm(key)
		if err != nil {
			return nil, err
		}
		to[i] = jose.Recipient{Algorithm: alg, Key: key}
	}
	e, err := jose.NewMultiEncrypter(jose.A256GCM, to, nil)
	if err != nil {
		return nil, err
	}
	sealed, err := e.Encrypt(text)
	if err != nil {
		return nil, err
	}
	return []byte(sealed.FullSerialize()), nil
}

// keyAlgorithm is how a key of the layer is wrapped for the public key.
func keyAlgorithm(key any) (jose.KeyAlgorithm, error) {
	if k, ok := key.(*jose.JSONWebKey); ok {
		key = k.Key
	}
	switch key.(type) {
	case *rsa.PublicKey:
		return jose.RSA_OAEP, nil
	case *ecdsa.PublicKey:
		return jose.ECDH_ES_A256KW, nil
	}
	return "", errdef.Newf(errdef.ErrUnsupported, "a key of the type %T can't encrypt: want RSA or EC", key)
}

func (k *Keys) unwrapJWE(wrapped []byte) []byte {
	algorithms := []jose.KeyAlgorithm{jose.RSA_OAEP, jose.RSA_OAEP_256, jose.ECDH_ES, jose.ECDH_ES_A128KW, jose.ECDH_ES_A192KW, jose.ECDH_ES_A256KW}
	contents := []jose.ContentEncryption{jose.A128GCM, jose.A192GCM, jose.A256GCM, jose.A128CBC_HS256, jose.A192CBC_HS384, jose.A256CBC_HS512}
	sealed, err := jose.ParseEncrypted(string(wrapped), algorithms, contents)
	if err != nil {
		return nil
	}
	for _, key := range k.private {
		if _, _, text, err := sealed.DecryptMulti(key); err == nil {
			return text
		}
	}
	return nil
}

// pkcs7Lock guards the library's choice of a cipher, which is a variable.
var pkcs7Lock sync.Mutex

func (r *Recipients) wrapPKCS7(text []byte) ([]byte, error) {
	if len(r.certificates) == 0 {
		return nil, nil
	}
	pkcs7Lock.Lock()
	defer pkcs7Lock.Unlock()
	pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES128GCM // the one that every reader of these images knows
	return pkcs7.Encrypt(text, r.certificates)
}

func (k *Keys) unwrapPKCS7(wrapped []byte) []byte {
	sealed, err := pkcs7.Parse(wrapped)
	if err != nil {
		return nil
	}
	for _, cert := range k.certificates {
		for _, key := range k.private {
			if !fits(key, cert.PublicKey) {
				continue
			}
			if text, err := sealed.Decrypt(cert, key); err == nil {
				return text
			}
		}
	}
	return nil
}

// fits tells whether the keys are the two halves of one.
func fits(private, public any) bool {
	p, ok := private.(crypto.Signer)
	if !ok {
		return false
	}
	have, ok := p.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && have.Equal(public)
}

func (r *Recipients) wrapPGP(text []byte) ([]byte, error) {
	if len(r.pgp) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	w, err := openpgp.Encrypt(&out, r.pgp, nil, nil, &packet.Config{DefaultCipher: packet.CipherAES256})
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (k *Keys) unwrapPGP(wrapped []byte) []byte {
	if len(k.pgp) == 0 {
		return nil
	}
	md, err := openpgp.ReadMessage(bytes.NewReader(wrapped), k.pgp, nil, nil)
	if err != nil {
		return nil
	}
	// That it is what was encrypted shows at its end.
	text, err := io.ReadAll(io.LimitReader(md.UnverifiedBody, maxSecret+1))
	if err != nil || len(text) > maxSecret {
		return nil
	}
	return text
}
