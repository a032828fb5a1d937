package signature

import (
	"bytes"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Keyring is a set of public OpenPGP keys.
type Keyring struct{ keys openpgp.EntityList }

// ReadKeyring reads exported public keys, binary or armoured. What holds no
// key at all is passed over, unless nothing is left.
func ReadKeyring(datas ...[]byte) (*Keyring, error) {
	ring := &Keyring{}
	for _, data := range datas {
		for len(data) > 0 {
			keys, rest := readKeys(data)
			ring.keys = append(ring.keys, keys...)
			data = rest
		}
	}
	if len(ring.keys) == 0 {
		return nil, errdef.Newf(errdef.ErrInvalid, "No public keys imported")
	}
	return ring, nil
}

// readKeys reads one armoured block, or all of a binary keyring. rest is what
// comes after the block.
func readKeys(data []byte) (keys openpgp.EntityList, rest []byte) {
	if data[0] >= 0x80 {
		keys, _ = openpgp.ReadKeyRing(bytes.NewReader(data)) //nolint:errcheck // some keys may be of unknown kinds
		return keys, nil
	}
	const begin, end = "-----BEGIN PGP", "-----END PGP"
	from := bytes.Index(data, []byte(begin))
	if from < 0 {
		return nil, nil
	}
	to := bytes.Index(data[from:], []byte(end))
	if to < 0 {
		return nil, nil
	}
	to += from + len(end)
	if i := bytes.IndexByte(data[to:], '\n'); i >= 0 {
		to += i + 1
	} else {
		to = len(data)
	}
	block, err := armor.Decode(bytes.NewReader(data[from:to]))
	if err == nil && block.Type == openpgp.PublicKeyType {
		keys, _ = openpgp.ReadKeyRing(block.Body) //nolint:errcheck // as above
	}
	return keys, data[to:]
}

// Entities are the keys themselves.
func (k *Keyring) Entities() openpgp.EntityList { return k.keys }

// Fingerprints are those of the primary keys, in upper-case hexadecimal.
func (k *Keyring) Fingerprints() []string {
	var out []string
	for _, e := range k.keys {
		out = append(out, fingerprint(e.PrimaryKey))
	}
	return out
}

// Owners are the addresses in the keys' user IDs, or the whole of a user ID
// without one.
func (k *Keyring) Owners() []string {
	var out []string
	for _, e := range k.keys {
		for _, name := range slices.Sorted(maps.Keys(e.Identities)) {
			if id := e.Identities[name].UserId; id != nil && id.Email != "" {
				name = id.Email
			}
			out = append(out, name)
		}
	}
	return out
}

func fingerprint(k *packet.PublicKey) string {
	return strings.ToUpper(hex.EncodeToString(k.Fingerprint))
}

// Verify checks a simple signature against the keys and gives what it says,
// and the fingerprint of the primary key that made it.
func (k *Keyring) Verify(s Signature) (claim Claim, signer string, err error) {
	if s.Kind != Simple {
		return claim, "", errdef.Newf(errdef.ErrInvalid, "the signature is not one of simple signing")
	}
	content, signer, err := k.open(s.Message)
	if err != nil {
		return claim, "", errdef.Newf(errdef.ErrDenied, "Invalid GPG signature: %w", err)
	}
	claim, err = parseClaim(Simple, content)
	return claim, signer, err
}

// open reads a signed message; its content is given out only when the
// signature was found good.
func (k *Keyring) open(message []byte) ([]byte, string, error) {
	md, err := openpgp.ReadMessage(bytes.NewReader(message), k.keys, nil, nil)
	if err != nil {
		return nil, "", err
	}
	switch {
	case !md.IsSigned:
		return nil, "", errdef.Newf(errdef.ErrInvalid, "the message is not signed")
	case md.IsEncrypted:
		return nil, "", errdef.Newf(errdef.ErrInvalid, "the message is encrypted")
	case md.SignedBy == nil:
		return nil, "", errdef.Newf(errdef.ErrDenied, "it was made with the key %016X, which is not among the trusted ones", md.SignedByKeyId)
	}
	// The signature is checked when the end is reached.
	content, err := io.ReadAll(io.LimitReader(md.UnverifiedBody, MaxSize+1))
	if err != nil {
		return nil, "", err
	}
	if len(content) > MaxSize {
		return nil, "", errdef.Newf(errdef.ErrInvalid, "the message is larger than %d bytes", MaxSize)
	}
	if md.SignatureError != nil {
		return nil, "", md.SignatureError
	}
	if md.Signature == nil {
		return nil, "", errdef.Newf(errdef.ErrInvalid, "the signature is incomplete")
	}
	return content, fingerprint(md.SignedBy.Entity.PrimaryKey), nil
}
