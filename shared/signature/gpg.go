package signature

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Signer makes signatures.
type Signer interface {
	// Sign signs the claim.
	Sign(ctx context.Context, c Claim) (Signature, error)
	Kind() Kind
}

// gpgSigner signs with a key of the user's keyring.
type gpgSigner struct {
	key        string
	passphrase *string
}

// GPGSigner signs with the secret key in the user's GnuPG keyring that key, a
// fingerprint or a user ID, names. Without a passphrase the agent asks for it.
func GPGSigner(key string, passphrase *string) (Signer, error) {
	if key == "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "the name of the key to sign with is empty")
	}
	if passphrase != nil && strings.ContainsAny(*passphrase, "\r\n") {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid passphrase: it must not contain a line break")
	}
	return &gpgSigner{key, passphrase}, nil
}

func (g *gpgSigner) Kind() Kind { return Simple }

func (g *gpgSigner) Sign(ctx context.Context, c Claim) (Signature, error) {
	text, err := newPayload(Simple, c, time.Now())
	if err != nil {
		return Signature{}, err
	}
	args := []string{"--local-user", g.key, "--output", "-", "--sign"}
	var pass io.Reader
	if g.passphrase != nil {
		args = append([]string{"--pinentry-mode", "loopback", "--passphrase-fd", "3"}, args...)
		pass = strings.NewReader(*g.passphrase + "\n")
	}
	message, err := gpg(ctx, text, pass, args...)
	if err != nil {
		return Signature{}, errdef.Newf(errdef.ErrInvalid, "sign with the OpenPGP key %q: %w", g.key, err)
	}
	return Signature{Kind: Simple, Message: message}, nil
}

// ExportedKeys gets public keys out of the user's GnuPG keyring.
func ExportedKeys(ctx context.Context, names ...string) (*Keyring, error) {
	data, err := gpg(ctx, nil, nil, append([]string{"--export", "--"}, names...)...)
	if err != nil {
		return nil, err
	}
	ring, err := ReadKeyring(data)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrNotFound, "the GnuPG keyring has no public key %s", strings.Join(names, ", "))
	}
	return ring, nil
}

// gpg runs the gpg program; extra is what it can read from descriptor 3.
func gpg(ctx context.Context, stdin []byte, extra io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "gpg", append([]string{"--batch", "--no-tty", "--yes"}, args...)...)
	var out, problems bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &problems
	cmd.Env = os.Environ()
	if tty, err := os.Readlink("/proc/self/fd/0"); err == nil && os.Getenv("GPG_TTY") == "" && strings.HasPrefix(tty, "/dev/") && tty != os.DevNull {
		cmd.Env = append(cmd.Env, "GPG_TTY="+tty) // where the agent may ask
	}
	if extra != nil {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		cmd.ExtraFiles = []*os.File{r}
		_, err = io.Copy(w, extra) // a line fits a pipe's buffer
		if cerr := w.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return nil, err
		}
	}
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, errdef.Newf(errdef.ErrUnsupported, "the gpg program, which holds the keys, is not installed")
	case err != nil:
		return nil, errors.New(lastWord(problems.String(), err))
	}
	return out.Bytes(), nil
}

// lastWord is the last thing that gpg said, or err's text.
func lastWord(text string, err error) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := strings.TrimPrefix(lines[len(lines)-1], "gpg: ")
	if last == "" {
		return err.Error()
	}
	return last
}
