package filter

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"runtime"

	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Eligible tells whether the profile can be loaded as a stored program: when
// its program depends on nothing but the profile. Left to libcontainer are
// those that notify an agent, have flags, or refuse unknown system calls with
// other than ENOSYS, as it then adds to the program.
func Eligible(s *specs.LinuxSeccomp) bool {
	if !Supported || s == nil || len(s.Flags) > 0 || s.ListenerPath != "" {
		return false
	}
	for _, call := range s.Syscalls {
		if call.Action == specs.ActNotify {
			return false
		}
	}
	switch s.DefaultAction {
	case specs.ActAllow, specs.ActLog:
		return true
	case specs.ActErrno:
		return s.DefaultErrnoRet != nil && *s.DefaultErrnoRet == uint(unix.ENOSYS)
	}
	return false
}

// markerErrno is the kernel's SECCOMP_RET_ERRNO with ENOSYS. It has no effect
// with the action to kill, but for libcontainer, which puts no instructions of
// its own before a program that has this default.
const markerErrno = 0x00050000 | uint(unix.ENOSYS)

// Marker stands in a container's configuration for a stored program.
func Marker() *configs.Seccomp {
	errno := markerErrno
	return &configs.Seccomp{DefaultAction: configs.KillProcess, DefaultErrnoRet: &errno}
}

// IsMarker tells whether a configuration needs a stored program.
func IsMarker(c *configs.Seccomp) bool {
	return c != nil && c.DefaultAction == configs.KillProcess && len(c.Syscalls) == 0 &&
		c.DefaultErrnoRet != nil && *c.DefaultErrnoRet == markerErrno
}

// Key names the program of a profile: a hash of all it is made from.
func Key(s *specs.LinuxSeccomp) string {
	h := keyHash{sha256.New()}
	h.text(runtime.GOARCH)
	h.text(Version())
	h.text(string(s.DefaultAction))
	h.errno(s.DefaultErrnoRet)
	h.number(uint64(len(s.Architectures)))
	for _, a := range s.Architectures {
		h.text(string(a))
	}
	for _, call := range s.Syscalls {
		h.number(uint64(len(call.Names)))
		for _, n := range call.Names {
			h.text(n)
		}
		h.text(string(call.Action))
		h.errno(call.ErrnoRet)
		h.number(uint64(len(call.Args)))
		for _, a := range call.Args {
			h.number(uint64(a.Index))
			h.number(a.Value)
			h.number(a.ValueTwo)
			h.text(string(a.Op))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// keyHash takes values so that no two sequences of them look the same.
type keyHash struct{ hash.Hash }

func (h keyHash) number(n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	h.Write(b[:])
}

func (h keyHash) text(s string) {
	h.number(uint64(len(s)))
	h.Write([]byte(s))
}

func (h keyHash) errno(n *uint) {
	if n == nil {
		h.number(1 << 32)
		return
	}
	h.number(uint64(*n))
}
