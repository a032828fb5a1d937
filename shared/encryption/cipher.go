package encryption

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

// cipherName is the one way in which layers are encrypted.
const cipherName = "AES_256_CTR_HMAC_SHA256"

const (
	keySize   = 32
	nonceName = "nonce" // the counter's start, among the options of the cipher
)

// private is what only the recipients of a layer learn.
type private struct {
	Key     []byte            `json:"symkey"`
	Digest  digest.Digest     `json:"digest"` // of the layer as it was
	Options map[string][]byte `json:"cipheroptions"`
}

// public is what everybody learns.
type public struct {
	Cipher  string            `json:"cipher"`
	HMAC    []byte            `json:"hmac"`
	Options map[string][]byte `json:"cipheroptions"`
}

// Sealing is a layer that gets encrypted as it is read.
type Sealing struct {
	to     *Recipients
	in     io.Reader
	secret private
	stream cipher.Stream
	plain  hash.Hash
	mac    hash.Hash
	ended  bool
}

// Seal encrypts what is read from plain, with a key of its own.
func (r *Recipients) Seal(plain io.Reader) (*Sealing, error) {
	nonce := make([]byte, aes.BlockSize)
	s := &Sealing{to: r, in: plain, plain: sha256.New()}
	s.secret = private{Key: make([]byte, keySize), Options: map[string][]byte{nonceName: nonce}}
	for _, random := range [][]byte{s.secret.Key, nonce} {
		if _, err := rand.Read(random); err != nil {
			return nil, err
		}
	}
	var err error
	s.stream, s.mac, err = keyed(s.secret.Key, nonce)
	return s, err
}

// Read gives encrypted bytes.
func (s *Sealing) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	s.plain.Write(p[:n])
	s.stream.XORKeyStream(p[:n], p[:n])
	s.mac.Write(p[:n])
	s.ended = s.ended || err == io.EOF
	return n, err
}

// Annotations are those by which a recipient can decrypt the layer. All of it
// has been read.
func (s *Sealing) Annotations() (map[string]string, error) {
	if !s.ended {
		return nil, errdef.Newf(errdef.ErrConflict, "encrypt a layer: it was not read to its end")
	}
	s.secret.Digest = digest.NewDigest(digest.SHA256, s.plain)
	return s.to.annotations(s.secret, public{Cipher: cipherName, HMAC: s.mac.Sum(nil), Options: map[string][]byte{}})
}

func keyed(key, nonce []byte) (cipher.Stream, hash.Hash, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	return cipher.NewCTR(block, nonce), hmac.New(sha256.New, key), nil
}

// Secret decrypts one layer.
type Secret struct {
	Digest     digest.Digest // of what comes out
	key, nonce []byte
	want       []byte // the HMAC
}

// secret makes sure that private and public part are usable.
func secret(in private, out public) (*Secret, error) {
	nonce := in.Options[nonceName]
	if nonce == nil {
		nonce = out.Options[nonceName]
	}
	switch {
	case out.Cipher != cipherName:
		return nil, errdef.Newf(errdef.ErrUnsupported, "the cipher %q is unknown", out.Cipher)
	case len(in.Key) != keySize, len(nonce) != aes.BlockSize, len(out.HMAC) != sha256.Size:
		return nil, errdef.Newf(errdef.ErrInvalid, "the key, the nonce or the HMAC does not have the length that %s wants", cipherName)
	}
	if err := in.Digest.Validate(); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "the digest %q of the decrypted layer: %w", in.Digest, err)
	}
	return &Secret{Digest: in.Digest, key: in.Key, nonce: nonce, want: out.HMAC}, nil
}

// ErrChanged is what reading a layer ends with that is not what was encrypted.
var ErrChanged = errors.New("the encrypted layer was changed: it does not have the HMAC that its descriptor says")

// Reader gives what was encrypted to r's content, and instead of its end
// ErrChanged if that is not what was encrypted.
func (s *Secret) Reader(r io.Reader) (io.Reader, error) {
	stream, mac, err := keyed(s.key, s.nonce)
	return &opening{r, stream, mac, s.want}, err
}

type opening struct {
	in     io.Reader
	stream cipher.Stream
	mac    hash.Hash
	want   []byte
}

func (o *opening) Read(p []byte) (int, error) {
	n, err := o.in.Read(p)
	o.mac.Write(p[:n])
	o.stream.XORKeyStream(p[:n], p[:n])
	if err == io.EOF && !hmac.Equal(o.mac.Sum(nil), o.want) {
		return n, errdef.As(errdef.ErrInvalid, ErrChanged)
	}
	return n, err
}
