package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The points at which the init program waits for its parent.
const (
	syncUser  = 1 + iota // a new user namespace needs its ID maps
	syncGroup            // the process must be in its control group
	syncHooks            // the root is made, and not yet /
	syncReady            // all is done but the start
)

// creation writes the program of a new container's init.
type creation struct {
	id, bundle, root     string
	noKeyring            bool
	spec                 *specs.Spec
	cgroup               cgroups.Manager
	config               *cgroups.Cgroup
	program              *program
	filter               []byte // compiled seccomp program
	filterFile           string
	newUser, newCgroupNS bool
	joined               bool // the program has waited for syncGroup
	readonlyDev          bool // /dev, once it has its nodes
}

// plan writes the program. Its order is the one in which a container comes to
// be: namespaces, mounts, /dev, terminal, root, kernel settings, privileges,
// command.
func (c *creation) plan(fifo *os.File) error {
	if err := c.refuse(); err != nil {
		return err
	}
	if err := c.namespaces(); err != nil {
		return err
	}
	p := c.program
	if len(c.spec.Linux.Sysctl) > 0 || labelled(c.spec.Process) {
		p.add("", op{code: opProc})
	}
	if err := c.rootfs(); err != nil {
		return err
	}
	if err := c.settings(); err != nil {
		return err
	}
	c.process(c.spec.Process, fifo)
	return nil
}

// refuse says what this runtime can't do; nothing is left out in silence.
func (c *creation) refuse() error {
	l := c.spec.Linux
	for _, r := range []struct {
		asked bool
		what  string
	}{
		{l.IntelRdt != nil && (l.IntelRdt.L3CacheSchema+l.IntelRdt.MemBwSchema != "" || len(l.IntelRdt.Schemata) > 0), "schemata of Intel RDT"}, {len(l.TimeOffsets) > 0, "time offsets"}, {l.MemoryPolicy != nil, "memory policies"},
		{slices.ContainsFunc(l.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.TimeNamespace }), "time namespaces"},
		{len(l.NetDevices) > 0, "network devices"}, {c.spec.Process.ExecCPUAffinity != nil, "CPU affinity"},
	} {
		if r.asked {
			return errdef.Newf(errdef.ErrUnsupported, "%s are not supported by the built-in runtime: choose another with --runtime", r.what)
		}
	}
	if h := c.spec.Hooks; h != nil && len(h.CreateContainer) > 0 && slices.ContainsFunc(l.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace }) {
		return errdef.Newf(errdef.ErrUnsupported, "createContainer hooks in a user namespace are not supported by the built-in runtime: choose another with --runtime")
	}
	if !slices.ContainsFunc(l.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.MountNamespace && n.Path == "" }) {
		return errdef.Newf(errdef.ErrUnsupported, "the built-in runtime needs a mount namespace for each container")
	}
	return nil
}

func cloneFlag(t specs.LinuxNamespaceType) uint64 {
	switch t {
	case specs.PIDNamespace:
		return unix.CLONE_NEWPID
	case specs.NetworkNamespace:
		return unix.CLONE_NEWNET
	case specs.MountNamespace:
		return unix.CLONE_NEWNS
	case specs.IPCNamespace:
		return unix.CLONE_NEWIPC
	case specs.UTSNamespace:
		return unix.CLONE_NEWUTS
	case specs.UserNamespace:
		return unix.CLONE_NEWUSER
	case specs.CgroupNamespace:
		return unix.CLONE_NEWCGROUP
	}
	return 0
}

// namespaces joins and makes namespaces. One that belongs to the user
// namespace the container gets is joined after that, another before: each
// takes rights where it belongs.
func (c *creation) namespaces() error {
	p := c.program
	var before, after []specs.LinuxNamespace
	var made, userFlag uint64
	var user *specs.LinuxNamespace
	for i := range c.spec.Linux.Namespaces {
		ns := &c.spec.Linux.Namespaces[i]
		flag := cloneFlag(ns.Type)
		switch {
		case flag == 0:
			return errdef.Newf(errdef.ErrInvalid, "unknown namespace %q", ns.Type)
		case flag == unix.CLONE_NEWUSER:
			user, userFlag = ns, flag
		case ns.Path == "" && flag == unix.CLONE_NEWCGROUP:
			c.newCgroupNS = true
		case ns.Path == "":
			made |= flag
		default:
			before = append(before, *ns)
		}
	}
	if user != nil && user.Path != "" {
		target, err := os.Stat(user.Path)
		if err != nil {
			return fmt.Errorf("open user namespace: %w", err)
		}
		before = slices.DeleteFunc(before, func(ns specs.LinuxNamespace) bool {
			if ownedBy(ns.Path, target) {
				after = append(after, ns)
				return true
			}
			return false
		})
	}
	if err := c.join(before); err != nil {
		return err
	}
	if user != nil {
		c.newUser = true
		if user.Path != "" {
			if err := c.join([]specs.LinuxNamespace{*user}); err != nil {
				return err
			}
		} else {
			p.add("make user namespace", op{code: opUnshare, a: userFlag})
			p.add("", op{code: opSync, a: syncUser})
		}
		p.add("", op{code: opBecomeRoot})
	}
	if err := c.join(after); err != nil {
		return err
	}
	p.add("make namespaces", op{code: opUnshare, a: made})
	if slices.ContainsFunc(c.spec.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == specs.PIDNamespace }) {
		p.add("enter pid namespace", op{code: opFork})
	}
	if made&unix.CLONE_NEWNET != 0 {
		p.add("", op{code: opLoopback})
	}
	return nil
}

func (c *creation) join(namespaces []specs.LinuxNamespace) error {
	for _, ns := range namespaces {
		f, err := os.Open(ns.Path)
		if err != nil {
			return fmt.Errorf("open %s namespace: %w", ns.Type, err)
		}
		c.program.add(fmt.Sprintf("join %s namespace %q", ns.Type, ns.Path), op{code: opSetns, fd: c.program.file(f), a: cloneFlag(ns.Type)})
	}
	return nil
}

// ownedBy tells whether the namespace at path belongs to a user namespace.
func ownedBy(path string, user os.FileInfo) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	owner, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return false
	}
	o := os.NewFile(uintptr(owner), "owner")
	defer o.Close()
	info, err := o.Stat()
	return err == nil && os.SameFile(info, user)
}

// rootfs makes the container's file system and enters it.
func (c *creation) rootfs() error {
	p, l := c.program, c.spec.Linux
	host, shared := uint64(unix.MS_SLAVE|unix.MS_REC), uint64(0)
	if l.RootfsPropagation != "" {
		flag, ok := propagation(l.RootfsPropagation)
		if !ok {
			return errdef.Newf(errdef.ErrInvalid, "unknown root file system propagation %q", l.RootfsPropagation)
		}
		if flag&(unix.MS_SHARED|unix.MS_UNBINDABLE) != 0 {
			shared = flag
		}
		if flag&unix.MS_PRIVATE != 0 {
			host = unix.MS_PRIVATE | unix.MS_REC
		}
	}
	if c.newUser {
		shared = 0 // the kernel shares no mount with a namespace that has less rights
	}
	if shared != 0 {
		// What the container mounts below shared volumes shows on the host, so
		// the tree stays shared with it, all but where the root is mounted.
		at, err := mountPoint(c.root)
		if err != nil {
			return err
		}
		p.add("", op{code: opPropagation, s1: p.str(at), a: unix.MS_PRIVATE})
	} else {
		p.add("", op{code: opPropagation, s1: p.str("/"), a: host})
	}
	if err := c.openRoot(); err != nil {
		return err
	}
	if err := c.mounts(); err != nil {
		return err
	}
	if err := c.devices(); err != nil {
		return err
	}
	if c.spec.Process.Terminal {
		c.console()
	} else {
		p.add("", op{code: opSetsid})
	}
	p.add("make working directory", op{code: opMkdir, s1: p.str(c.spec.Process.Cwd), a: 0o755})
	if c.readonlyDev {
		p.add("make /dev read-only", op{code: opReadonly, s1: p.str("/dev"), n: readonlyMount})
	}
	for _, path := range l.ReadonlyPaths {
		p.add(fmt.Sprintf("make %q read-only", path), op{code: opReadonly, s1: p.str(path)})
	}
	if c.cgroupsReadonly() {
		p.add("make control groups read-only", op{code: opReadonly, s1: p.str(cgroupMount), n: readonlyMount})
	}
	for _, path := range l.MaskedPaths {
		p.add(fmt.Sprintf("mask %q", path), op{code: opMask, s1: p.str(path)})
	}
	if c.spec.Root.Readonly {
		p.add("", op{code: opRootFlags, a: unix.MOUNT_ATTR_RDONLY})
	}
	if c.spec.Hooks != nil {
		c.joinCgroups()
		p.add("", op{code: opSync, a: syncHooks})
	}
	p.add("enter root", op{code: opPivot})
	if shared != 0 {
		p.add("", op{code: opPropagation, s1: p.str("/"), a: shared})
	}
	if !c.spec.Process.Terminal {
		p.add("", op{code: opNull})
	}
	return nil
}

// openRoot opens the root file system, for a user namespace here: the way to it
// is closed to others.
func (c *creation) openRoot() error {
	p := c.program
	x := op{code: opRoot, fd: -1}
	if c.newUser {
		tree, err := unix.OpenTree(unix.AT_FDCWD, c.root, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err == nil {
			err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Propagation: unix.MS_SLAVE})
			x.fd = p.file(os.NewFile(uintptr(tree), c.root))
		}
		if err != nil {
			return fmt.Errorf("open root %q: %w", c.root, err)
		}
	} else {
		x.s1 = p.str(c.root)
	}
	p.add(fmt.Sprintf("open root %q", c.root), x)
	return nil
}

// mountPoint is where the file system that path lies in is mounted.
func mountPoint(path string) (string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("find mount of %q: %w", path, err)
	}
	best := "/"
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 5 || len(f[4]) < len(best) {
			continue
		}
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(f[4])
		if at == path || strings.HasPrefix(path, strings.TrimSuffix(at, "/")+"/") {
			best = at
		}
	}
	return best, nil
}

func (c *creation) console() {
	var rows, columns uint64
	if size := c.spec.Process.ConsoleSize; size != nil {
		rows, columns = uint64(size.Height), uint64(size.Width)
	}
	c.program.add("make terminal", op{code: opConsole, a: uint64(c.spec.Process.User.UID), b: rows, c: columns, n: consoleBind})
}

// cgroupsReadonly: cgroup v1 has a tmpfs around its hierarchies, which is to be
// as read-only as they are.
func (c *creation) cgroupsReadonly() bool {
	return !cgroups.IsCgroup2UnifiedMode() && slices.ContainsFunc(c.spec.Mounts, func(m specs.Mount) bool {
		return m.Type == "cgroup" && filepath.Clean(m.Destination) == cgroupMount && slices.Contains(m.Options, "ro")
	})
}

// joinCgroups makes the program wait until its process is in its control
// group, once.
func (c *creation) joinCgroups() {
	if c.joined {
		return
	}
	c.joined = true
	c.program.add("", op{code: opSync, a: syncGroup})
	if c.newCgroupNS {
		c.program.add("make cgroup namespace", op{code: opUnshare, a: unix.CLONE_NEWCGROUP})
	}
}

// settings are the kernel's, of the container's namespaces.
func (c *creation) settings() error {
	c.joinCgroups()
	p := c.program
	if c.spec.Hostname != "" {
		p.add("set hostname", op{code: opHostname, s1: p.str(c.spec.Hostname)})
	}
	if c.spec.Domainname != "" {
		p.add("set domain name", op{code: opDomainname, s1: p.str(c.spec.Domainname)})
	}
	names := make([]string, 0, len(c.spec.Linux.Sysctl))
	for name := range c.spec.Linux.Sysctl {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		path, err := c.sysctl(name)
		if err != nil {
			return err
		}
		p.add(fmt.Sprintf("set %s=%s", name, c.spec.Linux.Sysctl[name]), op{code: opSysctl, s1: p.str(path), s2: p.str(c.spec.Linux.Sysctl[name])})
	}
	return nil
}

// sysctl gives the file of a kernel parameter below /proc, if it is one that a
// namespace of the container has to itself.
func (c *creation) sysctl(name string) (string, error) {
	path, kind, err := sysctlOf(name)
	if err != nil {
		return "", err
	}
	if !slices.ContainsFunc(c.spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind }) {
		return "", errdef.Newf(errdef.ErrInvalid, "sysctl %q is not allowed in the host's %s namespace", name, kind)
	}
	return "sys/" + path, nil
}

// CheckSysctl refuses a kernel parameter that no namespace has to itself.
func CheckSysctl(name string) error {
	_, _, err := sysctlOf(name)
	return err
}

// sysctlOf gives a parameter's path below /proc/sys and the namespace that it
// belongs to.
func sysctlOf(name string) (string, specs.LinuxNamespaceType, error) {
	// In either notation, and interfaces may have dots in their names.
	path := name
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '.' {
		path = strings.NewReplacer(".", "/", "/", ".").Replace(name)
	}
	var kind specs.LinuxNamespaceType
	switch {
	case strings.HasPrefix(path, "net/"):
		kind = specs.NetworkNamespace
	case strings.HasPrefix(path, "fs/mqueue/"), strings.HasPrefix(path, "kernel/msg"), strings.HasPrefix(path, "kernel/shm"), path == "kernel/sem":
		kind = specs.IPCNamespace
	case path == "kernel/domainname":
		kind = specs.UTSNamespace
	case path == "kernel/hostname":
		return "", "", errdef.Newf(errdef.ErrInvalid, "sysctl %q is not allowed: set the container's hostname instead", name)
	default:
		return "", "", errdef.Newf(errdef.ErrInvalid, "sysctl %q is not allowed: it is not in a separate kernel namespace", name)
	}
	if strings.Contains("/"+path+"/", "/../") || strings.Contains("/"+path+"/", "/./") {
		return "", "", errdef.Newf(errdef.ErrInvalid, "sysctl %q is malformed", name)
	}
	return path, kind, nil
}

// process writes what makes the init program the container's command.
func (c *creation) process(proc *specs.Process, fifo *os.File) {
	p := c.program
	if !c.noKeyring {
		p.add("", op{code: opKeyring, s1: p.str("_ses." + c.id)})
	}
	if d := c.spec.Linux.Personality; d != nil {
		domain := uint64(0) // PER_LINUX
		if d.Domain == specs.PerLinux32 {
			domain = 8
		}
		p.add("", op{code: opPersonality, a: domain})
	}
	planProcess(p, proc, c.filter, seccompFlags(c.spec.Linux.Seccomp))
	p.add("", op{code: opSync, a: syncReady})
	if fifo != nil {
		p.add("", op{code: opStart, fd: p.file(fifo)})
	}
	planCommand(p, proc)
}
