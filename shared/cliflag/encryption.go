package cliflag

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/encryption"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
)

// Encryption says for whom which layers get encrypted.
type Encryption struct {
	to     []string
	layers []int
}

// Bind declares the options; commas separate several keys.
func (e *Encryption) Bind(f *pflag.FlagSet) {
	f.StringSliceVar(&e.to, "encryption-key", nil, encryptionUsage)
	e.bindLayers(f)
}

// BindArray declares them for commands that take one key an option.
func (e *Encryption) BindArray(f *pflag.FlagSet) {
	f.StringArrayVar(&e.to, "encryption-key", nil, encryptionUsage)
	e.bindLayers(f)
}

const encryptionUsage = "Key with the encryption protocol to use needed to encrypt the image (e.g. jwe:/path/to/key.pem)"

func (e *Encryption) bindLayers(f *pflag.FlagSet) {
	f.IntSliceVar(&e.layers, "encrypt-layer", nil, "Layers to encrypt, 0-indexed layer indices with support for negative indexing (e.g. 0 is the first layer, -1 is the last layer). If not defined, will encrypt all layers if encryption-key flag is specified")
}

// Given tells whether something is to be encrypted.
func (e *Encryption) Given() bool { return len(e.to) > 0 }

// Value reads the keys.
func (e *Encryption) Value(ctx context.Context) (imgcopy.EncryptOptions, error) {
	switch {
	case len(e.to) > 0:
	case len(e.layers) > 0:
		return imgcopy.EncryptOptions{}, errdef.Newf(errdef.ErrInvalid, "--encrypt-layer can only be used with --encryption-key")
	default:
		return imgcopy.EncryptOptions{}, nil
	}
	to, err := encryption.ParseRecipients(ctx, e.to)
	return imgcopy.EncryptOptions{To: to, Layers: slices.Clone(e.layers)}, err
}

// Decryption are the keys that decrypt images.
type Decryption struct{ keys []string }

// Bind declares --decryption-key; commas separate several keys.
func (d *Decryption) Bind(f *pflag.FlagSet) {
	f.StringSliceVar(&d.keys, "decryption-key", nil, decryptionUsage)
}

// BindArray declares it for commands that take one key an option.
func (d *Decryption) BindArray(f *pflag.FlagSet) {
	f.StringArrayVar(&d.keys, "decryption-key", nil, decryptionUsage)
}

const decryptionUsage = "Key needed to decrypt the image (e.g. /path/to/key.pem)"

// Given tells whether there are keys.
func (d *Decryption) Given() bool { return len(d.keys) > 0 }

// WithoutPasswords are the words of a command line as they may be kept: no
// password of a key is in them.
func (d *Decryption) WithoutPasswords(words []string) []string {
	words = slices.Clone(words)
	for i, word := range words {
		for _, key := range d.keys {
			if option, ok := strings.CutSuffix(word, key); ok && (option == "" || option == "--decryption-key=") {
				words[i] = option + encryption.WithoutPassword(key)
			}
		}
	}
	return words
}

// Value reads the keys; nil are none. A password from a descriptor can be read
// once.
func (d *Decryption) Value() (*encryption.Keys, error) { return encryption.ParseKeys(d.keys) }
