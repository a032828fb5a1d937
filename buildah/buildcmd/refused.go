package buildcmd

import (
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/cliflag"
)

const (
	noConfidential = "images for confidential workloads can't be made"
	noSBOM         = "bills of materials can't be made"
)

// NoUserns is why the options about user namespaces are refused.
const NoUserns = "RUN uses the user namespace of the builder"

// BindRefused declares the options of builds and commits that are known and not
// to be had.
func BindRefused(f *pflag.FlagSet, r *cliflag.Refused) {
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
