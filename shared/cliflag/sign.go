package cliflag

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/signature"
)

// Sign says how what is written gets signed.
type Sign struct {
	Remove bool // leave the source's signatures behind

	gpg, sequoia, params, key, passphraseFile, identity string
}

// Bind declares the options of podman and skopeo that make signatures.
func (s *Sign) Bind(f *pflag.FlagSet) {
	s.BindGPG(f)
	f.StringVar(&s.params, "sign-by-sigstore", "", "Sign the image using a sigstore parameter file at `PATH`")
	f.StringVar(&s.key, "sign-by-sigstore-private-key", "", "Sign the image using a sigstore private key at `PATH`")
	f.StringVar(&s.sequoia, "sign-by-sq-fingerprint", "", "Sign the image using a Sequoia-PGP key with the specified `FINGERPRINT`")
	f.StringVar(&s.passphraseFile, "sign-passphrase-file", "", "Read a passphrase for signing an image from `PATH`")
}

// BindGPG declares --sign-by alone.
func (s *Sign) BindGPG(f *pflag.FlagSet) {
	f.StringVar(&s.gpg, "sign-by", "", "Sign the image using a GPG key with the specified `FINGERPRINT`")
}

// BindIdentity declares --sign-identity.
func (s *Sign) BindIdentity(f *pflag.FlagSet) {
	f.StringVar(&s.identity, "sign-identity", "", "Identity of signed image, must be a fully specified docker reference. Defaults to the target docker reference.")
}

// BindRemove declares --remove-signatures.
func (s *Sign) BindRemove(f *pflag.FlagSet) {
	f.BoolVar(&s.Remove, "remove-signatures", false, "Do not copy signatures from the source")
}

// Value reads keys and passphrases, and asks on the terminal for one that is
// needed and was not given.
func (s *Sign) Value() (imgcopy.SignOptions, error) {
	o := imgcopy.SignOptions{Remove: s.Remove}
	if s.sequoia != "" {
		return o, errdef.Newf(errdef.ErrUnsupported, "--sign-by-sq-fingerprint is not supported: keys of Sequoia-PGP can't be used here; import the key into GnuPG and use --sign-by")
	}
	if s.passphraseFile != "" && s.gpg != "" && s.key != "" {
		return o, errdef.Newf(errdef.ErrInvalid, "only one of --sign-by, --sign-by-sq-fingerprint and --sign-by-sigstore-private-key can be used with --sign-passphrase-file")
	}
	if err := s.setIdentity(&o); err != nil {
		return o, err
	}
	for _, add := range []func() (signature.Signer, error){s.byParams, s.byKey, s.byGPG} {
		signer, err := add()
		if err != nil {
			return o, err
		}
		if signer != nil {
			o.Signers = append(o.Signers, signer)
		}
	}
	return o, nil
}

func (s *Sign) setIdentity(o *imgcopy.SignOptions) error {
	if s.identity == "" {
		return nil
	}
	n, err := ref.Parse(s.identity)
	if err == nil && n.IsShort() {
		err = errdef.Newf(errdef.ErrInvalid, "repository name must be canonical")
	}
	if err != nil {
		return errdef.Newf(errdef.ErrInvalid, "Could not parse --sign-identity: %w", err)
	}
	o.Identity = n
	return nil
}

func (s *Sign) byParams() (signature.Signer, error) {
	if s.params == "" {
		return nil, nil
	}
	p, err := signature.ReadParams(s.params)
	if err != nil {
		return nil, fmt.Errorf("Error using --sign-by-sigstore: %w", err)
	}
	return keySigner(p.PrivateKeyFile, p.PrivateKeyPassphraseFile)
}

func (s *Sign) byKey() (signature.Signer, error) {
	if s.key == "" {
		return nil, nil
	}
	return keySigner(s.key, s.passphraseFile)
}

func (s *Sign) byGPG() (signature.Signer, error) {
	if s.gpg == "" {
		return nil, nil
	}
	if s.passphraseFile == "" {
		return signature.GPGSigner(s.gpg, nil) // the agent asks
	}
	pass, err := signature.ReadPassphrase(s.passphraseFile)
	if err != nil {
		return nil, err
	}
	return signature.GPGSigner(s.gpg, &pass)
}

// keySigner opens a private key.
func keySigner(key, passphraseFile string) (signature.Signer, error) {
	var pass []byte
	if passphraseFile != "" {
		text, err := signature.ReadPassphrase(passphraseFile)
		if err != nil {
			return nil, err
		}
		pass = []byte(text)
	} else {
		var err error
		if pass, err = AskPassphrase(key, os.Stdin, false); err != nil {
			return nil, err
		}
	}
	data, err := signature.ReadSmallFile(key)
	if err != nil {
		return nil, fmt.Errorf("reading private key: %w", err)
	}
	return signature.KeySigner(data, pass)
}

// AskPassphrase asks for the passphrase of a key on the terminal; twice for a
// new one.
func AskPassphrase(key string, in *os.File, twice bool) ([]byte, error) {
	if !term.IsTerminal(int(in.Fd())) {
		return nil, errdef.Newf(errdef.ErrInvalid, "Cannot prompt for a passphrase for key %s, standard input is not a TTY", key)
	}
	ask := func(what string) ([]byte, error) {
		fmt.Fprintf(os.Stderr, "%s for key %s: ", what, key)
		pass, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(os.Stderr)
		return pass, err
	}
	pass, err := ask("Passphrase")
	if err != nil || !twice {
		return pass, err
	}
	again, err := ask("Passphrase again")
	if err == nil && string(again) != string(pass) {
		err = errdef.Newf(errdef.ErrInvalid, "the two passphrases differ")
	}
	return pass, err
}
