package signature

import (
	"bytes"
	"errors"
	"io"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Params is a file of containers-sigstore-signing-params.yaml(5).
type Params struct {
	PrivateKeyFile           string    `yaml:"privateKeyFile"`
	PrivateKeyPassphraseFile string    `yaml:"privateKeyPassphraseFile"`
	Fulcio                   yaml.Node `yaml:"fulcio"`
	RekorURL                 string    `yaml:"rekorURL"`
}

// maxSmallFile bounds keys, passphrases and parameters, in bytes.
const maxSmallFile = 1 << 20

// ReadParams reads a parameter file. Signing with certificates of Fulcio and
// entering signatures into Rekor's log are refused.
func ReadParams(path string) (Params, error) {
	var p Params
	data, err := ReadSmallFile(path)
	if err != nil {
		return p, errdef.Newf(errdef.ErrInvalid, "setting up signing using parameter file %q: reading %q: %w", path, path, err)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil && !errors.Is(err, io.EOF) {
		return p, errdef.Newf(errdef.ErrInvalid, "setting up signing using parameter file %q: parsing %q: %w", path, path, err)
	}
	switch {
	case !p.Fulcio.IsZero():
		err = errdef.Newf(errdef.ErrUnsupported, "signing with a certificate of Fulcio is not supported: use privateKeyFile")
	case p.RekorURL != "":
		err = errdef.Newf(errdef.ErrUnsupported, "entering signatures into Rekor's log (rekorURL) is not supported")
	case p.PrivateKeyFile == "":
		err = errdef.Newf(errdef.ErrInvalid, "privateKeyFile is missing")
	}
	if err != nil {
		return p, errdef.Newf(errdef.ErrInvalid, "setting up signing using parameter file %q: %w", path, err)
	}
	return p, nil
}

// ReadSmallFile reads a key, a passphrase or parameters.
func ReadSmallFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err == nil && len(data) > maxSmallFile {
		err = errdef.Newf(errdef.ErrInvalid, "%s is larger than %d bytes", path, maxSmallFile)
	}
	return data, err
}

// ReadPassphrase is the first line of a file.
func ReadPassphrase(path string) (string, error) {
	data, err := ReadSmallFile(path)
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return string(bytes.TrimSuffix(line, []byte("\r"))), err
}
