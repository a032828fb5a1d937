package buildcmd

import (
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Refused are options that are known and not to be had, each with a reason.
type Refused struct{ given []refusal }

type refusal struct{ name, reason string }

const (
	noConfidential = "images for confidential workloads can't be made"
	noSBOM         = "bills of materials can't be made"
)

// NoUserns is why the options about user namespaces are refused.
const NoUserns = "RUN uses the user namespace of the builder"

// Bind declares them.
func (r *Refused) Bind(f *pflag.FlagSet) {
	type option struct{ name, kind, usage, reason string }
	options := []option{
		{"cw", "options", "confidential workload options", noConfidential},
		{"sbom", "preset", "scan working container using preset configuration", noSBOM},
		{"sbom-image-output", "path", "add scan results to image as path", noSBOM},
		{"sbom-image-purl-output", "path", "add scan results to image as path", noSBOM},
		{"sbom-merge-strategy", "strategy", "merge scan results using strategy", noSBOM},
		{"sbom-output", "file", "save scan results to file", noSBOM},
		{"sbom-purl-output", "file", "save scan results to file", noSBOM},
		{"sbom-scanner-command", "command", "scan working container using command in scanner image", noSBOM},
		{"sbom-scanner-image", "image", "scan working container using scanner command from image", noSBOM},
	}
	for _, o := range options {
		r.Add(f, o.name, o.kind, o.usage, o.reason)
	}
}

// Add declares one option of that type, which is refused for the reason.
func (r *Refused) Add(f *pflag.FlagSet, name, kind, usage, reason string) {
	f.Var(&refusedValue{r, name, kind, reason}, name, usage)
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
