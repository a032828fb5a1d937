package runtime

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/userns"
)

// mountOptions are the options of a mount by what they act on.
type mountOptions struct {
	bind, recursive bool
	set, clear      uint64 // MOUNT_ATTR_*
	all             bool   // set and clear are for the mounts below, too
	propagation     uint64 // MS_*
	copyUp          bool
	idmap           bool     // owners are those of the container's user namespace
	data            []string // for the file system
}

// propagations by option.
func propagation(option string) (uint64, bool) {
	name, recursive := strings.CutPrefix(option, "r")
	var flag uint64
	switch name {
	case "private":
		flag = unix.MS_PRIVATE
	case "slave":
		flag = unix.MS_SLAVE
	case "shared":
		flag = unix.MS_SHARED
	case "unbindable":
		flag = unix.MS_UNBINDABLE
	default:
		return 0, false
	}
	if recursive {
		flag |= unix.MS_REC
	}
	return flag, true
}

// attribute gives the flag that an option sets or clears.
func attribute(option string) (flag uint64, clears, ok bool) {
	switch option {
	case "ro":
		return unix.MOUNT_ATTR_RDONLY, false, true
	case "rw":
		return unix.MOUNT_ATTR_RDONLY, true, true
	case "nosuid":
		return unix.MOUNT_ATTR_NOSUID, false, true
	case "suid":
		return unix.MOUNT_ATTR_NOSUID, true, true
	case "nodev":
		return unix.MOUNT_ATTR_NODEV, false, true
	case "dev":
		return unix.MOUNT_ATTR_NODEV, true, true
	case "noexec":
		return unix.MOUNT_ATTR_NOEXEC, false, true
	case "exec":
		return unix.MOUNT_ATTR_NOEXEC, true, true
	case "noatime":
		return unix.MOUNT_ATTR_NOATIME, false, true
	case "strictatime":
		return unix.MOUNT_ATTR_STRICTATIME, false, true
	case "nodiratime":
		return unix.MOUNT_ATTR_NODIRATIME, false, true
	case "diratime":
		return unix.MOUNT_ATTR_NODIRATIME, true, true
	case "nosymfollow":
		return unix.MOUNT_ATTR_NOSYMFOLLOW, false, true
	case "symfollow":
		return unix.MOUNT_ATTR_NOSYMFOLLOW, true, true
	case "relatime", "norelatime", "atime", "nostrictatime", "defaults", "silent", "loud", "async", "noiversion", "nolazytime", "nomand":
		return 0, false, true // the kernel's defaults
	}
	return 0, false, false
}

// readMountOptions sorts a mount's options.
func readMountOptions(m *specs.Mount) (mountOptions, error) {
	o := mountOptions{bind: m.Type == "bind"}
	for _, option := range m.Options {
		flag, clears, known := attribute(option)
		if !known {
			if flag, clears, known = attribute(strings.TrimPrefix(option, "r")); known && strings.HasPrefix(option, "r") {
				o.all = true
			} else {
				known = false
			}
		}
		if p, ok := propagation(option); ok {
			o.propagation = p
			continue
		}
		switch {
		case known && clears:
			o.clear, o.set = o.clear|flag, o.set&^flag
		case known:
			o.set, o.clear = o.set|flag, o.clear&^flag
		case option == "bind":
			o.bind = true
		case option == "rbind":
			o.bind, o.recursive = true, true
		case option == "tmpcopyup":
			o.copyUp = true
		case option == "idmap" || option == "ridmap":
			o.idmap = true
		case option == "remount":
			return o, errdef.Newf(errdef.ErrUnsupported, "mount at %q: option %q is not supported by the built-in runtime", m.Destination, option)
		default:
			o.data = append(o.data, option)
		}
	}
	o.idmap = o.idmap || len(m.UIDMappings)+len(m.GIDMappings) > 0
	if o.idmap && !o.bind {
		return o, errdef.Newf(errdef.ErrInvalid, "mount at %q: ID maps are for what is bound from the host", m.Destination)
	}
	return o, nil
}

// mounts writes down the container's mounts, in their order.
func (c *creation) mounts() error {
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		if !path.IsAbs(m.Destination) {
			return errdef.Newf(errdef.ErrInvalid, "mount destination %q is not an absolute path", m.Destination)
		}
		o, err := readMountOptions(m)
		if err != nil {
			return err
		}
		if m.Type == "tmpfs" && path.Clean(m.Destination) == "/dev" && o.set&unix.MOUNT_ATTR_RDONLY != 0 {
			o.set, c.readonlyDev = o.set&^unix.MOUNT_ATTR_RDONLY, true
		}
		switch {
		case o.bind:
			if err := c.bindMount(m, &o); err != nil {
				return err
			}
		case m.Type == "cgroup" || m.Type == "cgroup2":
			if err := c.cgroupMount(m, &o); err != nil {
				return err
			}
		case m.Type == "tmpfs" && o.copyUp:
			if err := c.copiedTmpfs(m, &o); err != nil {
				return err
			}
		default:
			c.newMount(m, &o)
		}
	}
	return nil
}

func (c *creation) bindMount(m *specs.Mount, o *mountOptions) error {
	source := m.Source
	if !filepath.IsAbs(source) {
		source = filepath.Join(c.bundle, source)
	}
	p := c.program
	x := op{code: opBind, fd: -1, s2: p.str(m.Destination), a: o.set, b: o.clear, c: o.propagation}
	if o.recursive {
		x.n |= bindRecursive
	}
	if o.all {
		x.n |= bindAll
	}
	if o.idmap && (c.newUser || len(m.UIDMappings) > 0) {
		tree, err := c.mappedTree(m, source, o.recursive)
		if err != nil {
			return fmt.Errorf("mount %q at %q with ID maps: %w", source, m.Destination, err)
		}
		x.fd = p.file(tree)
	} else if tree := c.openTree(source, o.recursive); tree != nil {
		x.fd = p.file(tree)
	} else {
		x.s1 = p.str(source)
	}
	p.add(fmt.Sprintf("mount %q at %q", source, m.Destination), x)
	return nil
}

// mappedTree opens a tree whose owners are seen through ID maps: the mount's
// own, or those of the container's user namespace.
func (c *creation) mappedTree(m *specs.Mount, source string, recursive bool) (*os.File, error) {
	user, err := c.mapsOf(m)
	if err != nil {
		return nil, err
	}
	defer user.Close()
	flags, all := uint(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC), uint(0)
	if recursive {
		flags, all = flags|unix.AT_RECURSIVE, unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, flags)
	if err != nil {
		return nil, err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(user.Fd())}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|all, &attr); err != nil {
		unix.Close(fd)
		if err == unix.EINVAL || err == unix.EPERM {
			err = errdef.Newf(errdef.ErrUnsupported, "%w: the kernel or the file system doesn't have it, or this user may not", err)
		}
		return nil, err
	}
	return os.NewFile(uintptr(fd), source), nil
}

// mapsOf opens a user namespace with the maps of a mount.
func (c *creation) mapsOf(m *specs.Mount) (*os.File, error) {
	path := ""
	for _, ns := range c.spec.Linux.Namespaces {
		if ns.Type == specs.UserNamespace {
			path = ns.Path
		}
	}
	if len(m.UIDMappings)+len(m.GIDMappings) == 0 && path != "" {
		return os.Open(path)
	}
	maps := userns.Maps{UIDs: idMaps(m.UIDMappings), GIDs: idMaps(m.GIDMappings)}
	if maps.Empty() {
		maps = userns.Maps{UIDs: idMaps(c.spec.Linux.UIDMappings), GIDs: idMaps(c.spec.Linux.GIDMappings)}
	}
	return userns.Open(maps)
}

// idMaps are the maps of a specification.
func idMaps(in []specs.LinuxIDMapping) []userns.IDMap {
	out := make([]userns.IDMap, len(in))
	for i, m := range in {
		out[i] = userns.IDMap{ContainerID: int(m.ContainerID), HostID: int(m.HostID), Size: int(m.Size)}
	}
	return out
}

// openTree opens what a container in a user namespace of its own could not
// reach by its path; else, or where that fails, nil.
func (c *creation) openTree(source string, recursive bool) *os.File {
	if !c.newUser {
		return nil
	}
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, flags)
	if err != nil {
		return nil // init says why
	}
	return os.NewFile(uintptr(fd), source)
}

func (c *creation) newMount(m *specs.Mount, o *mountOptions) {
	data := o.data
	if m.Source != "" {
		data = append([]string{"source=" + m.Source}, data...)
	}
	if label := c.spec.Linux.MountLabel; label != "" && m.Type != "proc" && m.Type != "sysfs" && m.Type != "mqueue" {
		data = append(data, "context="+label)
	}
	c.fileSystem(m.Type, m.Destination, data, o)
}

func (c *creation) fileSystem(kind, destination string, data []string, o *mountOptions) {
	p := c.program
	x := op{code: opMount, s1: p.str(kind), s2: p.str(destination), s3: p.list(data), n: uint32(len(data)), a: o.set, c: o.propagation}
	if kind == "proc" || kind == "sysfs" {
		x.b = mountReal
	}
	p.add(fmt.Sprintf("mount %s at %q", kind, destination), x)
}

// copiedTmpfs mounts a tmpfs that begins with what the root has at its place.
// It is made and filled here, where there is more than C to do it with.
func (c *creation) copiedTmpfs(m *specs.Mount, o *mountOptions) error {
	fail := func(err error) error { return fmt.Errorf("mount tmpfs at %q: %w", m.Destination, err) }
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fail(err)
	}
	defer unix.Close(fs)
	data, err := c.hostOwner(o.data)
	if err != nil {
		return fail(err)
	}
	for _, option := range append([]string{"source=tmpfs"}, data...) {
		if key, value, ok := strings.Cut(option, "="); ok {
			err = unix.FsconfigSetString(fs, key, value)
		} else {
			err = unix.FsconfigSetFlag(fs, key)
		}
		if err != nil {
			return fail(fmt.Errorf("option %q: %w", option, err))
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return fail(err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, int(o.set&^unix.MOUNT_ATTR_RDONLY))
	if err != nil {
		return fail(err)
	}
	tree := os.NewFile(uintptr(fd), m.Destination)
	err = rootfs.CopyOut(c.root, m.Destination, fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil && !os.IsNotExist(err) {
		tree.Close()
		return fail(err)
	}
	p := c.program
	p.add(fmt.Sprintf("mount tmpfs at %q", m.Destination), op{code: opBind, fd: p.file(tree), s2: p.str(m.Destination), a: o.set & unix.MOUNT_ATTR_RDONLY, c: o.propagation})
	return nil
}

// hostOwner gives a tmpfs that is made outside of the container's user namespace
// the owner that the options name inside, root if none.
func (c *creation) hostOwner(options []string) ([]string, error) {
	if len(c.spec.Linux.UIDMappings) == 0 {
		return options, nil
	}
	owner := map[string]int{"uid": 0, "gid": 0}
	var kept []string
	for _, option := range options {
		key, value, _ := strings.Cut(option, "=")
		if _, is := owner[key]; !is {
			kept = append(kept, option)
			continue
		}
		id, err := strconv.Atoi(value)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "option %q: not a number", option)
		}
		owner[key] = id
	}
	maps := userns.Maps{UIDs: idMaps(c.spec.Linux.UIDMappings), GIDs: idMaps(c.spec.Linux.GIDMappings)}
	uid, gid, err := maps.Host(owner["uid"], owner["gid"])
	return append(kept, fmt.Sprintf("uid=%d", uid), fmt.Sprintf("gid=%d", gid)), err
}

// cgroupMount shows the container its control groups.
func (c *creation) cgroupMount(m *specs.Mount, o *mountOptions) error {
	c.joinCgroups()
	p := c.program
	if cgroups.IsCgroup2UnifiedMode() {
		own := cgroupMount
		if path := c.cgroup.Path(""); path != "" {
			own = path
		}
		p.add(fmt.Sprintf("mount control groups at %q", m.Destination), op{code: opCgroup2, s1: p.str(own), s2: p.str(m.Destination), a: o.set})
		return nil
	}
	return c.cgroupMountV1(m, o)
}

// cgroupMountV1 makes a tmpfs with a mount for each hierarchy.
func (c *creation) cgroupMountV1(m *specs.Mount, o *mountOptions) error {
	mounts, err := cgroups.GetCgroupMounts(true)
	if err != nil {
		return fmt.Errorf("find control group hierarchies: %w", err)
	}
	own := c.cgroup.GetPaths()
	locked := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC)
	c.fileSystem("tmpfs", m.Destination, []string{"source=tmpfs", "mode=755"}, &mountOptions{set: locked, propagation: o.propagation})
	p := c.program
	for i := range mounts {
		h := &mounts[i]
		name := filepath.Base(h.Mountpoint)
		subsystem := strings.TrimPrefix(h.Subsystems[0], "name=")
		target := path.Join(m.Destination, name)
		if dir := ownHierarchy(own, h, subsystem); dir != "" {
			p.add(fmt.Sprintf("mount control group %q", dir), op{code: opBind, fd: -1, s1: p.str(dir), s2: p.str(target), a: o.set | locked, c: unix.MS_PRIVATE | unix.MS_REC, n: bindRecursive})
		}
		if strings.Contains(name, ",") {
			for alias := range strings.SplitSeq(name, ",") {
				p.add(fmt.Sprintf("link %q", alias), op{code: opSymlink, s1: p.str(name), s2: p.str(path.Join(m.Destination, alias))})
			}
		}
	}
	return nil
}

// ownHierarchy is the container's directory in a hierarchy of cgroup v1, or
// this process's, where the container has none.
func ownHierarchy(own map[string]string, h *cgroups.Mount, subsystem string) string {
	for _, s := range h.Subsystems {
		if dir := own[s]; dir != "" {
			return dir
		}
	}
	if dir := own["name="+subsystem]; dir != "" {
		return dir
	}
	dir, err := h.GetOwnCgroup(ownGroups())
	if err != nil {
		return ""
	}
	return filepath.Join(h.Mountpoint, dir)
}

func ownGroups() map[string]string {
	groups, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	return groups
}

// devices writes down the nodes and links of /dev, unless that is the host's.
func (c *creation) devices() error {
	if slices.ContainsFunc(c.spec.Mounts, func(m specs.Mount) bool {
		return path.Clean(m.Destination) == "/dev" && (m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind"))
	}) {
		return nil
	}
	done := map[string]bool{}
	for i := range c.spec.Linux.Devices {
		d := &c.spec.Linux.Devices[i]
		done[d.Path] = true
		if d.Path == "/dev/ptmx" {
			continue // it is the container's own
		}
		if err := c.device(d); err != nil {
			return err
		}
	}
	for i := range defaultDevices {
		if d := &defaultDevices[i]; !done[d.path] {
			c.node(d.path, d.path, unix.S_IFCHR|0o666, unix.Mkdev(d.major, d.minor), 0, 0)
		}
	}
	p := c.program
	links := [][2]string{{"pts/ptmx", "/dev/ptmx"}, {"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"}}
	if _, err := os.Stat("/proc/kcore"); err == nil {
		links = append(links, [2]string{"/proc/kcore", "/dev/core"})
	}
	for _, l := range links {
		p.add(fmt.Sprintf("link %q", l[1]), op{code: opSymlink, s1: p.str(l[0]), s2: p.str(l[1])})
	}
	return nil
}

// defaultDevices are in every container.
var defaultDevices = [...]struct {
	path         string
	major, minor uint32
}{
	{"/dev/null", 1, 3}, {"/dev/random", 1, 8}, {"/dev/full", 1, 7}, {"/dev/tty", 5, 0}, {"/dev/zero", 1, 5}, {"/dev/urandom", 1, 9},
}

func (c *creation) device(d *specs.LinuxDevice) error {
	if !path.IsAbs(d.Path) {
		return errdef.Newf(errdef.ErrInvalid, "device path %q is not absolute", d.Path)
	}
	mode, owner, group := uint32(0o666), uint32(0), uint32(0)
	if d.FileMode != nil {
		mode = uint32(d.FileMode.Perm())
	}
	if d.UID != nil {
		owner = *d.UID
	}
	if d.GID != nil {
		group = *d.GID
	}
	switch d.Type {
	case "c", "u":
		mode |= unix.S_IFCHR
	case "b":
		mode |= unix.S_IFBLK
	case "p":
		mode |= unix.S_IFIFO
	default:
		return errdef.Newf(errdef.ErrInvalid, "device %q has the unknown type %q", d.Path, d.Type)
	}
	c.node(d.Path, d.Path, mode, unix.Mkdev(uint32(d.Major), uint32(d.Minor)), owner, group)
	return nil
}

// node writes down a device node; a user namespace may have the host's only.
func (c *creation) node(name, host string, mode uint32, number uint64, owner, group uint32) {
	p := c.program
	x := op{code: opDevice, s1: p.str(name), s2: p.str(host), a: uint64(mode), b: number, c: uint64(owner)<<32 | uint64(group)}
	if c.newUser || unprivileged() {
		x.n = deviceBind
	}
	p.add(fmt.Sprintf("make device %q", name), x)
}
