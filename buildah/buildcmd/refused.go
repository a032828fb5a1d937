package buildcmd

import (
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Refused are options that are known and not to be had, each with a reason.
type Refused struct{ given []refusal }

type refusal struct{ name, reason string }

const (
	noEncryption   = "images can't be encrypted or decrypted"
	noConfidential = "images for confidential workloads can't be made"
	noSigning      = "images are signed when they are pushed"
	noSBOM         = "bills of materials can't be made"
	noUserns       = "RUN uses the user namespace of the builder"
)

// Bind declares those of the command.
func (r *Refused) Bind(f *pflag.FlagSet, command string) {
	type option struct{ name, kind, usage, reason string }
	options := []option{
		{"cw", "options", "confidential workload options", noConfidential},
		{"sign-by", "FINGERPRINT", "sign the image using a GPG key with the specified FINGERPRINT", noSigning},
		{"sbom", "preset", "scan working container using preset configuration", noSBOM},
		{"sbom-image-output", "path", "add scan results to image as path", noSBOM},
		{"sbom-image-purl-output", "path", "add scan results to image as path", noSBOM},
		{"sbom-merge-strategy", "strategy", "merge scan results using strategy", noSBOM},
		{"sbom-output", "file", "save scan results to file", noSBOM},
		{"sbom-purl-output", "file", "save scan results to file", noSBOM},
		{"sbom-scanner-command", "command", "scan working container using command in scanner image", noSBOM},
		{"sbom-scanner-image", "image", "scan working container using scanner command from image", noSBOM},
	}
	if command == "commit" {
		options = append(options, option{"encrypt-layer", "ints", "layers to encrypt, 0-indexed layer indices with support for negative indexing", noEncryption},
			option{"encryption-key", "strings", "key with the encryption protocol to use needed to encrypt the image", noEncryption})
	} else {
		options = append(options, option{"decryption-key", "strings", "key needed to decrypt the image", noEncryption})
	}
	for _, o := range options {
		f.Var(&refusedValue{r, o.name, o.kind, o.reason}, o.name, o.usage)
	}
}

// Check is the error about the first refused option that was given.
func (r *Refused) Check() error {
	if len(r.given) == 0 {
		return nil
	}
	return errdef.Newf(errdef.ErrUnsupported, "--%s is not supported: %s", r.given[0].name, r.given[0].reason)
}

type refusedValue struct {
	to                 *Refused
	name, kind, reason string
}

func (v *refusedValue) String() string { return "" }
func (v *refusedValue) Type() string   { return v.kind }
func (v *refusedValue) Set(string) error {
	v.to.given = append(v.to.given, refusal{v.name, v.reason})
	return nil
}

// NoEncryption refuses an option about encrypted images.
func NoEncryption(option string) error {
	return errdef.Newf(errdef.ErrUnsupported, "--%s is not supported: %s", option, noEncryption)
}

// NoRuntimeFlags refuses --runtime-flag.
func NoRuntimeFlags() error {
	return errdef.Newf(errdef.ErrUnsupported, "--runtime-flag is not supported: the options of the runtime are the builder's to choose")
}
