package buildcmd

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/errdef"
)

// attestFlags are docker's options about attestations, which can only be
// declined: none are made.
type attestFlags struct {
	attest     []string
	provenance string
}

func (a *attestFlags) bind(f *pflag.FlagSet) {
	f.StringArrayVar(&a.attest, "attest", nil, "attestations to make: none is, so only type=`TYPE`,disabled=true is taken")
	f.StringVar(&a.provenance, "provenance", "false", "attest where the image is from: none can be made, so only false is taken")
}

// check refuses what asks for an attestation.
func (a *attestFlags) check() error {
	for _, text := range a.attest {
		if !disabled(strings.Split(text, ",")) {
			return errdef.Newf(errdef.ErrUnsupported, "--attest %q is not supported: attestations can't be made", text)
		}
	}
	if on, err := strconv.ParseBool(a.provenance); (err != nil || on) && !disabled(strings.Split(a.provenance, ",")) {
		return errdef.Newf(errdef.ErrUnsupported, "--provenance %q is not supported: attestations can't be made", a.provenance)
	}
	return nil
}

// disabled tells whether the fields say so themselves.
func disabled(fields []string) bool {
	return slices.ContainsFunc(fields, func(field string) bool {
		value, ok := strings.CutPrefix(field, "disabled=")
		off, err := strconv.ParseBool(value)
		return ok && err == nil && off
	})
}
