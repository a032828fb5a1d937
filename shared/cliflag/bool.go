package cliflag

import (
	"strconv"

	"github.com/spf13/pflag"
)

// OptionalBool is a switch that knows whether it was given.
type OptionalBool struct{ Value *bool }

// String is the value as help shows it.
func (o *OptionalBool) String() string {
	if o.Value == nil {
		return ""
	}
	return strconv.FormatBool(*o.Value)
}

// Set parses what the user typed.
func (o *OptionalBool) Set(s string) error {
	b, err := strconv.ParseBool(s)
	o.Value = &b
	return err
}

// Type makes help print it as a switch.
func (o *OptionalBool) Type() string { return "bool" }

// IsBoolFlag lets the value be left out.
func (o *OptionalBool) IsBoolFlag() bool { return true }

// Bind declares the switch. shown is the default in the help text: what holds
// while nobody says anything may come from a configuration file.
func (o *OptionalBool) Bind(f *pflag.FlagSet, name, shown, usage string) {
	flag := f.VarPF(o, name, "", usage)
	flag.NoOptDefVal, flag.DefValue = "true", shown
}
