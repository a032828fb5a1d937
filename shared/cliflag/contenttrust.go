package cliflag

import (
	"strconv"

	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/errdef"
)

// BindContentTrust declares Docker's option to do without its content trust,
// which none of these programs has: to ask for it is an error.
func BindContentTrust(f *pflag.FlagSet) {
	flag := f.VarPF(contentTrust{}, "disable-content-trust", "", "This is a Docker specific option and is a NOOP")
	flag.NoOptDefVal = "true"
}

type contentTrust struct{}

func (contentTrust) String() string   { return "" }
func (contentTrust) Type() string     { return "bool" }
func (contentTrust) IsBoolFlag() bool { return true }

func (contentTrust) Set(s string) error {
	if off, err := strconv.ParseBool(s); err != nil || !off {
		return errdef.Newf(errdef.ErrUnsupported, "content trust is Docker's alone: require signatures in policy.json instead")
	}
	return nil
}
