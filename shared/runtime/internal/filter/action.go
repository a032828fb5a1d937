//go:build cgo && seccomp

package filter

import (
	"fmt"

	"github.com/opencontainers/runc/libcontainer/configs"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// actionOf names an action, with its error number, as the library does.
func actionOf(a configs.Action, errno *uint) (libseccomp.ScmpAction, error) {
	code := int16(unix.EPERM)
	if errno != nil {
		code = int16(*errno)
	}
	switch a {
	case configs.Kill, configs.KillThread:
		return libseccomp.ActKillThread, nil
	case configs.KillProcess:
		return libseccomp.ActKillProcess, nil
	case configs.Errno:
		return libseccomp.ActErrno.SetReturnCode(code), nil
	case configs.Trace:
		return libseccomp.ActTrace.SetReturnCode(code), nil
	case configs.Trap:
		return libseccomp.ActTrap, nil
	case configs.Allow:
		return libseccomp.ActAllow, nil
	case configs.Log:
		return libseccomp.ActLog, nil
	}
	return libseccomp.ActInvalid, fmt.Errorf("action %d can't be stored", a)
}

// conditionOf names a comparison as the library does.
func conditionOf(a *configs.Arg) (libseccomp.ScmpCondition, error) {
	var op libseccomp.ScmpCompareOp
	switch a.Op {
	case configs.EqualTo:
		op = libseccomp.CompareEqual
	case configs.NotEqualTo:
		op = libseccomp.CompareNotEqual
	case configs.GreaterThan:
		op = libseccomp.CompareGreater
	case configs.GreaterThanOrEqualTo:
		op = libseccomp.CompareGreaterEqual
	case configs.LessThan:
		op = libseccomp.CompareLess
	case configs.LessThanOrEqualTo:
		op = libseccomp.CompareLessOrEqual
	case configs.MaskEqualTo:
		op = libseccomp.CompareMaskedEqual
	default:
		return libseccomp.ScmpCondition{}, fmt.Errorf("comparison %d is unknown", a.Op)
	}
	return libseccomp.MakeCondition(a.Index, op, a.Value, a.ValueTwo)
}
