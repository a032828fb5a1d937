package buildcmd

import (
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/cliflag"
)

// NoUserns is why the options about user namespaces are refused.
const NoUserns = "RUN uses the user namespace of the builder"

// BindRefused declares the options of builds and commits that are known and not
// to be had.
func BindRefused(f *pflag.FlagSet, r *cliflag.Refused) {
	r.Add(f, "cw", "options", "confidential workload options", "images for confidential workloads can't be made")
}
