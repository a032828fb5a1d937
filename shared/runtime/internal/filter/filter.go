package filter

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/shared/errdef"
)

// check refuses profiles that are more than a program.
func check(s *specs.LinuxSeccomp) error {
	if s.ListenerPath != "" {
		return errdef.Newf(errdef.ErrUnsupported, "seccomp profile: the built-in runtime has no listeners for notifications: choose another with --runtime")
	}
	for _, call := range s.Syscalls {
		if call.Action == specs.ActNotify {
			return errdef.Newf(errdef.ErrUnsupported, "seccomp profile: the built-in runtime has no notifications: choose another with --runtime")
		}
	}
	return nil
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
