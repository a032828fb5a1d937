package runtime

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/shared/errdef"
)

// DefaultCapabilities are those of a container that asks for none.
func DefaultCapabilities() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
		"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
}

// capabilityNames lists the kernel's capabilities by number.
func capabilityNames() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
		"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
		"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
		"CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
		"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
		"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
		"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
	}
}

// AllCapabilities are those this process may pass on: its bounding set.
func AllCapabilities() ([]string, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, fmt.Errorf("read bounding set: %w", err)
	}
	_, rest, ok := strings.Cut(string(data), "\nCapBnd:")
	line, _, _ := strings.Cut(rest, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	if !ok || err != nil {
		return nil, errdef.Newf(errdef.ErrUnsupported, "read bounding set: /proc/self/status has none")
	}
	return CapabilityNames(set), nil
}

// CapabilityNames names, sorted, the capabilities of a set as the kernel
// writes it.
func CapabilityNames(set uint64) []string {
	var caps []string
	for n, name := range capabilityNames() {
		if set&(1<<n) != 0 {
			caps = append(caps, name)
		}
	}
	slices.Sort(caps)
	return caps
}

// ParseCapability reads a name in any case, with or without CAP_; "all" is
// "ALL".
func ParseCapability(name string) (string, error) {
	n := strings.ToUpper(name)
	if n == "ALL" {
		return n, nil
	}
	if !strings.HasPrefix(n, "CAP_") {
		n = "CAP_" + n
	}
	if !slices.Contains(capabilityNames(), n) {
		return "", errdef.Newf(errdef.ErrInvalid, "unknown capability %q", name)
	}
	return n, nil
}

// MergeCapabilities adds and drops from a base list, in the forms that
// ParseCapability reads. To drop ALL and add some
// leaves those; to add ALL and drop some leaves the others. The result is
// sorted and within this process's bounding set where ALL was asked for.
func MergeCapabilities(base, add, drop []string) ([]string, error) {
	result, err := parseCapabilities(base)
	if err != nil {
		return nil, err
	}
	added, err := parseCapabilities(add)
	if err != nil {
		return nil, err
	}
	dropped, err := parseCapabilities(drop)
	if err != nil {
		return nil, err
	}
	addAll, dropAll := slices.Contains(added, "ALL"), slices.Contains(dropped, "ALL")
	if addAll && dropAll {
		return nil, errdef.Newf(errdef.ErrInvalid, `adding all caps and dropping all caps not allowed`)
	}
	for _, c := range added {
		if c != "ALL" && slices.Contains(dropped, c) {
			return nil, errdef.Newf(errdef.ErrInvalid, "capability %q cannot be dropped and added", c)
		}
	}
	switch {
	case addAll:
		if result, err = AllCapabilities(); err != nil {
			return nil, err
		}
	case dropAll:
		result = nil
	}
	for _, c := range added {
		if c != "ALL" && !slices.Contains(result, c) {
			result = append(result, c)
		}
	}
	result = slices.DeleteFunc(result, func(c string) bool { return slices.Contains(dropped, c) })
	slices.Sort(result)
	return result, nil
}

func parseCapabilities(names []string) ([]string, error) {
	out := make([]string, 0, len(names))
	for _, n := range names {
		c, err := ParseCapability(n)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// CapabilitySets gives a process running as uid its capabilities. Root has all
// of them; another user only what a set-user-ID program may regain, plus those
// named in ambient. None are inheritable unless ambient.
func CapabilitySets(caps []string, uid uint32, ambient ...string) *specs.LinuxCapabilities {
	if uid == 0 {
		return &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
	}
	return &specs.LinuxCapabilities{Bounding: caps, Effective: ambient, Permitted: ambient, Inheritable: ambient, Ambient: ambient}
}
