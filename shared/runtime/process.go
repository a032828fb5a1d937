package runtime

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// labelled tells whether a security module has a word on the process.
func labelled(p *specs.Process) bool { return p.ApparmorProfile != "" || p.SelinuxLabel != "" }

// planProcess writes the user, the privileges and the environment of a
// process, up to where only the command is missing. The filter is loaded as
// late as its owner's rights allow: with no_new_privs just before the command.
func planProcess(p *program, proc *specs.Process, filter []byte, flags uint64) {
	if proc.SelinuxLabel != "" {
		p.add("set SELinux label", op{code: opLabel, s1: p.str("self/attr/exec"), s3: p.str(proc.SelinuxLabel)})
	}
	if proc.ApparmorProfile != "" {
		p.add(fmt.Sprintf("set AppArmor profile %q", proc.ApparmorProfile),
			op{code: opLabel, s1: p.str("self/attr/apparmor/exec"), s2: p.str("self/attr/exec"), s3: p.str("exec " + proc.ApparmorProfile)})
	}
	if !proc.Terminal {
		p.add("", op{code: opStreams, a: uint64(proc.User.UID)})
	}
	seccomp := op{code: opSeccomp, a: flags, n: uint32(len(filter) / 8)}
	if len(filter) > 0 {
		seccomp.s3 = p.data(filter)
	}
	if len(filter) > 0 && !proc.NoNewPrivileges {
		p.add("", seccomp)
	}
	caps := proc.Capabilities
	if caps != nil {
		p.add("", op{code: opBounding, a: capabilitySet(caps.Bounding)})
	}
	p.add(proc.Cwd, op{code: opChdir, s1: p.str(proc.Cwd), n: chdirTry})
	user := op{code: opUser, a: uint64(proc.User.UID), b: uint64(proc.User.GID), n: uint32(len(proc.User.AdditionalGids))}
	if mayChangeGroups() {
		user.c = userGroups
		var groups []byte
		for _, g := range proc.User.AdditionalGids {
			groups = binary.NativeEndian.AppendUint32(groups, g)
		}
		user.s3 = p.data(groups)
	}
	p.add(fmt.Sprintf("become user %d:%d", proc.User.UID, proc.User.GID), user)
	if caps != nil {
		ambient := capabilitySet(caps.Ambient)
		p.add("", op{code: opCapabilities, a: capabilitySet(caps.Effective), b: capabilitySet(caps.Permitted), c: capabilitySet(caps.Inheritable),
			s1: uint32(ambient), s2: uint32(ambient >> 32)})
	}
	umask := uint64(0o022)
	if proc.User.Umask != nil {
		umask = uint64(*proc.User.Umask)
	}
	p.add("", op{code: opUmask, a: umask})
	p.add(proc.Cwd, op{code: opChdir, s1: p.str(proc.Cwd)})
	path := ""
	for _, kv := range proc.Env {
		if value, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = value
		}
	}
	p.add(proc.Args[0], op{code: opFind, s1: p.str(proc.Args[0]), s2: p.str(path)})
	if proc.NoNewPrivileges {
		p.add("", op{code: opNoNewPrivs})
		if len(filter) > 0 {
			p.add("", seccomp)
		}
	}
}

// planCommand writes the last operation.
func planCommand(p *program, proc *specs.Process) {
	p.add(fmt.Sprintf("execute %q", proc.Args[0]),
		op{code: opExec, s3: p.list(proc.Args), n: uint32(len(proc.Args)), s1: p.list(proc.Env), a: uint64(len(proc.Env))})
}

// capabilitySet gives the bits of the named capabilities that this kernel has.
func capabilitySet(names []string) (set uint64) {
	known := capabilityNames()
	for _, n := range names {
		if i := slices.Index(known, n); i >= 0 {
			set |= 1 << i
		}
	}
	return set
}

// seccompFlags are those of the system call.
func seccompFlags(s *specs.LinuxSeccomp) (flags uint64) {
	if s == nil {
		return 0
	}
	for _, f := range s.Flags {
		switch f {
		case specs.LinuxSeccompFlagLog:
			flags |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		}
	}
	return flags
}

// commandFailure says why a command can't be executed.
func commandFailure(name string, errno unix.Errno) error {
	fail := func(class error, what, why string) error {
		return errdef.As(class, fmt.Errorf("%s%s%w", what, why, class))
	}
	switch errno {
	case unix.EISDIR:
		return fail(ErrNotExecutable, "the path `"+name+"` is not a regular file", notPermitted)
	case unix.EACCES, unix.EPERM:
		return fail(ErrNotExecutable, "the path `"+name+"` exists but it is not executable", notPermitted)
	case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG, unix.ELOOP:
		where := ""
		if !strings.Contains(name, "/") {
			where = " in $PATH"
		}
		return fail(ErrCommandNotFound, "executable file `"+name+"` not found"+where, noSuchFile)
	}
	return errdef.As(ErrFailed, fmt.Errorf("%w: execute `%s`: %w", ErrFailed, name, errno))
}
