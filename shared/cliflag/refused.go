package cliflag

import (
	"strconv"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/pflag"
)

// Refused are options that are known and not to be had, each with a reason.
type Refused struct{ given []refusal }

type refusal struct{ name, reason string }

// Add declares one option of that type, which is refused for the reason. One
// of type bool is a switch, and only refused where it is on.
func (r *Refused) Add(f *pflag.FlagSet, name, kind, usage, reason string) {
	f.Var(&refusedValue{r, name, kind, reason}, name, usage)
	if kind == "bool" {
		f.Lookup(name).NoOptDefVal = "true"
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
func (v *refusedValue) Set(value string) error {
	if v.kind == "bool" {
		if on, err := strconv.ParseBool(value); !on {
			return err
		}
	}
	v.to.given = append(v.to.given, refusal{v.name, v.reason})
	return nil
}
