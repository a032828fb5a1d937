package runtime

import (
	"encoding/json"
	"runtime"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/shared/errdef"
)

//go:generate go run genseccomp.go

// seccompProfile is the profile file: the format of the seccomp.json that
// distributions ship, which is the runtime specification's plus conditions.
type seccompProfile struct {
	DefaultAction    specs.LinuxSeccompAction `json:"defaultAction"`
	DefaultErrnoRet  *uint                    `json:"defaultErrnoRet"`
	Architectures    []specs.Arch             `json:"architectures"`
	ArchMap          []seccompArch            `json:"archMap"`
	Flags            []specs.LinuxSeccompFlag `json:"flags"`
	ListenerPath     string                   `json:"listenerPath"`
	ListenerMetadata string                   `json:"listenerMetadata"`
	Syscalls         []seccompRule            `json:"syscalls"`
}

type seccompArch struct {
	Arch specs.Arch   `json:"architecture"`
	Subs []specs.Arch `json:"subArchitectures"`
}

type seccompRule struct {
	Name     string                   `json:"name"`
	Names    []string                 `json:"names"`
	Action   specs.LinuxSeccompAction `json:"action"`
	ErrnoRet *uint                    `json:"errnoRet"`
	Args     []specs.LinuxSeccompArg  `json:"args"`
	Includes seccompWhen              `json:"includes"`
	Excludes seccompWhen              `json:"excludes"`
}

// seccompWhen is a condition: all the capabilities, any of the architectures.
type seccompWhen struct {
	Caps   []string `json:"caps"`
	Arches []string `json:"arches"`
}

// maxSeccomp bounds a profile file, in bytes.
const maxSeccomp = 4 << 20

// Seccomp is the default profile for a process with these capabilities.
func Seccomp(caps []string) *specs.LinuxSeccomp {
	return defaultSeccomp.resolve(caps, runtime.GOARCH)
}

// ParseSeccomp reads a profile file and resolves its conditions for a process
// with these capabilities on this machine's architecture.
func ParseSeccomp(data []byte, caps []string) (*specs.LinuxSeccomp, error) {
	if len(data) > maxSeccomp {
		return nil, errdef.Newf(errdef.ErrInvalid, "the seccomp profile is larger than %d bytes", maxSeccomp)
	}
	var p seccompProfile
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "decode seccomp profile: %w", err)
	}
	if p.DefaultAction == "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "the seccomp profile has no default action")
	}
	if len(p.Architectures) > 0 && len(p.ArchMap) > 0 {
		return nil, errdef.Newf(errdef.ErrInvalid, "the seccomp profile has both architectures and archMap")
	}
	return p.resolve(caps, runtime.GOARCH), nil
}

// resolve leaves what applies to these capabilities on this architecture.
func (p *seccompProfile) resolve(caps []string, arch string) *specs.LinuxSeccomp {
	out := &specs.LinuxSeccomp{
		DefaultAction: p.DefaultAction, DefaultErrnoRet: p.DefaultErrnoRet,
		Architectures: p.Architectures, Flags: p.Flags,
		ListenerPath: p.ListenerPath, ListenerMetadata: p.ListenerMetadata,
		Syscalls: make([]specs.LinuxSyscall, 0, len(p.Syscalls)),
	}
	for _, a := range p.ArchMap {
		if a.Arch == seccompNative(arch) {
			out.Architectures = append([]specs.Arch{a.Arch}, a.Subs...)
		}
	}
	for i := range p.Syscalls {
		r := &p.Syscalls[i]
		if !r.applies(caps, arch) {
			continue
		}
		names := r.Names
		if r.Name != "" {
			names = append(slices.Clone(names), r.Name)
		}
		out.Syscalls = append(out.Syscalls, specs.LinuxSyscall{Names: names, Action: r.Action, ErrnoRet: r.ErrnoRet, Args: r.Args})
	}
	return out
}

func (r *seccompRule) applies(caps []string, arch string) bool {
	has := func(c string) bool { return slices.Contains(caps, c) }
	if slices.ContainsFunc(r.Excludes.Caps, has) || slices.Contains(r.Excludes.Arches, arch) {
		return false
	}
	if slices.ContainsFunc(r.Includes.Caps, func(c string) bool { return !has(c) }) {
		return false
	}
	return len(r.Includes.Arches) == 0 || slices.Contains(r.Includes.Arches, arch)
}

// seccompNative names an architecture as libseccomp does.
func seccompNative(goarch string) specs.Arch {
	switch goarch {
	case "amd64":
		return specs.ArchX86_64
	case "386":
		return specs.ArchX86
	case "arm64":
		return specs.ArchAARCH64
	case "arm":
		return specs.ArchARM
	case "ppc64le":
		return specs.ArchPPC64LE
	case "s390x":
		return specs.ArchS390X
	case "riscv64":
		return specs.ArchRISCV64
	}
	return ""
}
