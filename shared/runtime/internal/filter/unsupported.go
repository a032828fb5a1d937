//go:build !cgo || !seccomp

package filter

import (
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Supported tells whether this program was built with seccomp.
const Supported = false

var errUnsupported = errors.New("this program was built without seccomp")

// Version is the library's that compiles.
func Version() string { return "" }

func compile(*specs.LinuxSeccomp) ([]byte, error) { return nil, errUnsupported }
