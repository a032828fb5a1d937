package runtime

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// DefaultShmSize is the size of /dev/shm, in bytes.
const DefaultShmSize = 65536000

// Profile is what the default specification depends on.
type Profile struct {
	// Privileged: all capabilities, all devices, no seccomp, nothing masked or
	// read-only.
	Privileged bool
	// Rootless: this process is in a user namespace that is not the initial
	// one, so some file systems can only be bound from the host.
	Rootless bool
	// UserNS: the container has a user namespace that is not this process's.
	UserNS bool
	// NoTTYGroup: the container's user namespace lacks the group of terminals.
	NoTTYGroup bool
	// HostNetwork, HostPID, HostIPC, HostUTS: the host's namespace is kept.
	HostNetwork, HostPID, HostIPC, HostUTS bool
	// HostCgroup keeps the host's cgroup namespace.
	HostCgroup bool
	// ShmSize is the size of /dev/shm in bytes, 0 for DefaultShmSize.
	ShmSize int64
	// PidsLimit bounds the number of processes; 0 for no bound.
	PidsLimit int64
	// Capabilities replaces the default list when not nil; ignored when
	// Privileged.
	Capabilities []string
	// NoSeccomp leaves the system call filter out.
	NoSeccomp bool
}

// DefaultSpec is the specification of a container of this profile, to which
// the caller adds root, command, user, hostname and mounts of its own.
func DefaultSpec(p Profile) (*specs.Spec, error) {
	caps := p.Capabilities
	if caps == nil {
		caps = DefaultCapabilities()
	}
	spec := &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{Cwd: "/", Args: []string{"sh"}, Env: []string{DefaultPath}},
		Root:    &specs.Root{},
		Mounts:  DefaultMounts(p),
		Linux:   &specs.Linux{Namespaces: Namespaces(p), Resources: &specs.LinuxResources{}},
	}
	if p.Privileged {
		all, err := AllCapabilities()
		if err != nil {
			return nil, err
		}
		caps = all
		if spec.Linux.Devices, err = HostDevices(); err != nil {
			return nil, err
		}
		spec.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	} else {
		spec.Linux.MaskedPaths, spec.Linux.ReadonlyPaths = MaskedPaths(), ReadonlyPaths()
		spec.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	}
	spec.Process.Capabilities = CapabilitySets(caps, 0)
	if !p.Privileged && !p.NoSeccomp {
		spec.Linux.Seccomp = Seccomp(caps)
	}
	if p.PidsLimit > 0 {
		spec.Linux.Resources.Pids = &specs.LinuxPids{Limit: &p.PidsLimit}
	}
	if !p.HostNetwork {
		spec.Linux.Sysctl = DefaultSysctl()
	}
	return spec, nil
}

// DefaultPath is the search path of a container whose image sets none.
const DefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// DefaultSysctl lets every user of the container ping.
func DefaultSysctl() map[string]string {
	return map[string]string{"net.ipv4.ping_group_range": "0 0"}
}

// Namespaces lists the namespaces a container of this profile gets anew.
func Namespaces(p Profile) []specs.LinuxNamespace {
	ns := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	add := func(host bool, t specs.LinuxNamespaceType) {
		if !host {
			ns = append(ns, specs.LinuxNamespace{Type: t})
		}
	}
	add(p.HostPID, specs.PIDNamespace)
	add(p.HostNetwork, specs.NetworkNamespace)
	add(p.HostIPC, specs.IPCNamespace)
	add(p.HostUTS, specs.UTSNamespace)
	add(p.HostCgroup, specs.CgroupNamespace)
	return ns
}

// SetNamespace replaces or adds a namespace; a path joins an existing one.
func SetNamespace(spec *specs.Spec, t specs.LinuxNamespaceType, path string) {
	RemoveNamespace(spec, t)
	spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: t, Path: path})
}

// RemoveNamespace leaves the container in the host's namespace of the kind.
func RemoveNamespace(spec *specs.Spec, t specs.LinuxNamespaceType) {
	spec.Linux.Namespaces = slices.DeleteFunc(spec.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == t })
}

// DefaultMounts are the kernel's file systems a container sees, parents first.
func DefaultMounts(p Profile) []specs.Mount {
	mounts := []specs.Mount{
		mountOf("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
		mountOf("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
		sysMount(p),
		ptsMount(p),
		mqueueMount(p),
		ShmMount(p),
	}
	if m, ok := cgroupMountOf(p); ok {
		mounts = append(mounts, m)
	}
	if p.HostPID && p.confined() {
		mounts[0] = mountOf("/proc", "bind", "/proc", "rbind", "nosuid", "noexec", "nodev")
	}
	return mounts
}

// confined tells whether the container's user namespace is not the one that the
// host's own namespaces belong to.
func (p *Profile) confined() bool { return p.Rootless || p.UserNS }

func mountOf(to, kind, from string, options ...string) specs.Mount {
	return specs.Mount{Destination: to, Type: kind, Source: from, Options: options}
}

// sysMount: a new sysfs belongs to the network namespace, so a user namespace
// that kept the host's can only bind the host's sysfs.
func sysMount(p Profile) specs.Mount {
	access := "ro"
	if p.Privileged {
		access = "rw"
	}
	if p.confined() && p.HostNetwork {
		return mountOf("/sys", "bind", "/sys", "rprivate", "nosuid", "noexec", "nodev", access, "rbind")
	}
	return mountOf("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", access)
}

// ptsMount gives terminals to group tty, where the user namespace has it.
func ptsMount(p Profile) specs.Mount {
	m := mountOf("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")
	if !p.NoTTYGroup && (!p.Rootless || groupMapped(TTYGroup)) {
		m.Options = append(m.Options, "gid="+strconv.Itoa(TTYGroup))
	}
	return m
}

func mqueueMount(p Profile) specs.Mount {
	if p.confined() && p.HostIPC {
		return mountOf("/dev/mqueue", "bind", "/dev/mqueue", "bind", "nosuid", "noexec", "nodev")
	}
	return mountOf("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev")
}

// ShmMount is /dev/shm: the host's with its IPC namespace, else its own.
func ShmMount(p Profile) specs.Mount {
	if p.HostIPC {
		return mountOf("/dev/shm", "bind", "/dev/shm", "rbind", "nosuid", "noexec", "nodev")
	}
	size := p.ShmSize
	if size == 0 {
		size = DefaultShmSize
	}
	return mountOf("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", fmt.Sprintf("size=%d", size))
}

// cgroupMountOf shows the container its control groups. Without privileges
// there is nothing of its own to show on cgroup v1.
func cgroupMountOf(p Profile) (specs.Mount, bool) {
	if p.Rootless && (!cgroups.IsCgroup2UnifiedMode() || p.HostCgroup) {
		return specs.Mount{}, false
	}
	access := "ro"
	if p.Privileged {
		access = "rw"
	}
	return mountOf("/sys/fs/cgroup", "cgroup", "cgroup", "rprivate", "nosuid", "noexec", "nodev", "relatime", access), true
}

// MaskedPaths are hidden from a container.
func MaskedPaths() []string {
	return []string{
		"/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
		"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
		"/sys/firmware", "/sys/fs/selinux",
	}
}

// ReadonlyPaths are shown to a container and not writable.
func ReadonlyPaths() []string {
	return []string{"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}
