package engine

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/runtime/cdi"
	"golang.org/x/sys/unix"
)

// setRun keeps how the container's process runs: its time, its devices, its
// place in the order of those that go when memory is short.
func (e *Engine) setRun(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	conf := &e.Config.Containers
	c.Timeout, c.PidFile, c.MonitorPidFile = req.Timeout, req.PidFile, req.MonitorPidFile
	c.NoReadOnlyTmpfs, c.RemoveImage = req.NoReadOnlyTmpfs, req.RemoveImage
	c.OOMScoreAdj = req.OOMScoreAdj
	if c.OOMScoreAdj == nil && conf.OOMScoreAdj != 0 {
		c.OOMScoreAdj = &conf.OOMScoreAdj
	}
	c.Timezone = first(req.Timezone, conf.TZ)
	if _, err := zoneFile(c.Timezone); err != nil {
		return err
	}
	switch mode := first(req.CgroupNS, conf.CgroupNS); {
	case mode == "", mode == "private", mode == "host", strings.HasPrefix(mode, "container:"), strings.HasPrefix(mode, "ns:"):
		if req.CgroupNS == "" && !runtime.PrivateCgroups() {
			mode = "" // version 1 has namespaces only where they are asked for
		}
		c.CgroupNSMode = first(c.CgroupNSMode, mode) // a pod's comes first
	default:
		return errdef.Newf(errdef.ErrInvalid, "unrecognized namespace mode %s passed: choose host, private, container:NAME or ns:PATH for --cgroupns", mode)
	}
	c.ChrootDirs, c.Attach = nil, req.Attach
	for _, dirs := range req.ChrootDirs {
		for dir := range strings.SplitSeq(dirs, ",") {
			if !path.IsAbs(dir) {
				return errdef.Newf(errdef.ErrInvalid, "invalid --chrootdirs %q: must be an absolute path in the container", dir)
			}
			c.ChrootDirs = append(c.ChrootDirs, path.Clean(dir))
		}
	}
	switch c.Personality = strings.ToUpper(req.Personality); c.Personality {
	case "", string(specs.PerLinux), string(specs.PerLinux32):
	default:
		return errdef.Newf(errdef.ErrInvalid, "unknown persona specified `%s`: choose LINUX or LINUX32", req.Personality)
	}
	if c.RdtClass = req.RdtClass; c.RdtClass != "" {
		if err := runtime.CheckClass(c.RdtClass); err != nil {
			return err
		}
	}
	devices := slices.Concat(conf.Devices, req.Devices)
	for _, gpu := range req.GPUs {
		devices = append(devices, "nvidia.com/gpu="+gpu)
	}
	return setDevices(c, devices, req.DeviceRules)
}

// setDevices reads HOST[:CONTAINER][:ACCESS] and the rules on devices that
// may appear later, "TYPE MAJOR:MINOR ACCESS".
func setDevices(c *container.Config, devices, rules []string) error {
	for _, text := range devices {
		if cdi.IsName(text) {
			c.CDIDevices = append(c.CDIDevices, text)
			continue
		}
		d, err := parseDevice(text)
		if err != nil {
			return err
		}
		c.Devices = append(c.Devices, d)
	}
	for _, text := range rules {
		rule, err := parseDeviceRule(text)
		if err != nil {
			return err
		}
		c.DeviceRules = append(c.DeviceRules, rule)
	}
	return nil
}

func parseDevice(text string) (d container.Device, err error) {
	parts := strings.Split(text, ":")
	d = container.Device{Host: parts[0], Path: parts[0], Access: "rwm"}
	switch {
	case len(parts) > 3 || parts[0] == "":
		return d, errdef.Newf(errdef.ErrInvalid, "invalid device specification: %s", text)
	}
	for i, part := range parts[1:] {
		switch {
		case path.IsAbs(part) && i == 0:
			d.Path = path.Clean(part)
		case i == len(parts)-2 && part != "" && strings.Trim(part, "rwm") == "":
			d.Access = part
		default:
			return d, errdef.Newf(errdef.ErrInvalid, "invalid device mode %q in device %q", part, text)
		}
	}
	info, err := os.Stat(d.Host)
	if err != nil {
		return d, errdef.Newf(errdef.ErrNotFound, "stat %s: no such file or directory", d.Host)
	}
	if !info.IsDir() {
		_, err = runtime.HostDevice(d.Host)
	}
	return d, err
}

func parseDeviceRule(text string) (r specs.LinuxDeviceCgroup, err error) {
	bad := errdef.Newf(errdef.ErrInvalid, "invalid device cgroup rule requires type, major:Minor, and access rules: %q", text)
	words := strings.Fields(text)
	if len(words) != 3 || !slices.Contains([]string{"a", "b", "c"}, words[0]) || strings.Trim(words[2], "rwm") != "" {
		return r, bad
	}
	r = specs.LinuxDeviceCgroup{Allow: true, Type: words[0], Access: words[2]}
	major, minor, ok := strings.Cut(words[1], ":")
	if !ok {
		return r, bad
	}
	for _, n := range []struct {
		text string
		to   **int64
	}{{major, &r.Major}, {minor, &r.Minor}} {
		if n.text == "*" {
			continue
		}
		number, err := strconv.ParseUint(n.text, 10, 31)
		if err != nil {
			return r, bad
		}
		value := int64(number)
		*n.to = &value
	}
	return r, nil
}

// addDevices puts the container's devices into the specification. A directory
// stands for the devices in it.
func (e *Engine) addDevices(c *container.Config, spec *specs.Spec) error {
	for _, d := range c.Devices {
		err := filepath.WalkDir(d.Host, func(host string, entry fs.DirEntry, err error) error {
			if err != nil {
				return fmt.Errorf("look for devices: %w", err)
			}
			if entry.IsDir() || host != d.Host && entry.Type()&os.ModeDevice == 0 {
				return nil
			}
			node, err := runtime.HostDevice(host)
			if err != nil {
				return err
			}
			node.Path = d.Path + strings.TrimPrefix(host, d.Host)
			spec.Linux.Devices = slices.DeleteFunc(spec.Linux.Devices, func(have specs.LinuxDevice) bool { return have.Path == node.Path })
			spec.Linux.Devices = append(spec.Linux.Devices, node)
			spec.Linux.Resources.Devices = append(spec.Linux.Resources.Devices,
				specs.LinuxDeviceCgroup{Allow: true, Type: node.Type, Major: &node.Major, Minor: &node.Minor, Access: d.Access})
			return nil
		})
		if err != nil {
			return err
		}
	}
	spec.Linux.Resources.Devices = append(spec.Linux.Resources.Devices, c.DeviceRules...)
	if err := cdi.Add(spec, e.Config.Engine.CDISpecDirs, c.CDIDevices); err != nil {
		return &errdef.Exit{Code: 126, Err: err}
	}
	if c.RdtClass != "" {
		spec.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: c.RdtClass}
	}
	return nil
}

// zoneDir is where the host keeps its time zones.
const zoneDir = "/usr/share/zoneinfo"

// zoneFile finds the file of a time zone; "" is none, "local" the host's.
func zoneFile(name string) (file string, err error) {
	switch {
	case name == "":
		return "", nil
	case name == "local":
		file, err = filepath.EvalSymlinks("/etc/localtime")
	case filepath.IsLocal(name):
		file, err = filepath.EvalSymlinks(filepath.Join(zoneDir, name))
	default:
		err = fs.ErrInvalid
	}
	info, serr := os.Stat(file)
	if err != nil || serr != nil || !info.Mode().IsRegular() {
		return "", errdef.Newf(errdef.ErrInvalid, "running container create option: finding timezone: unknown time zone %s", name)
	}
	return file, nil
}

// addTimezone has the container see its time zone where programs look for it.
func (e *Engine) addTimezone(c *container.Config, spec *specs.Spec, root string) error {
	file, err := zoneFile(c.Timezone)
	if err != nil || file == "" {
		return err
	}
	if err := e.mkdirAs(c, root, "/etc", 0, 0); err != nil {
		return err
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{Destination: "/etc/localtime", Type: "bind", Source: file, Options: []string{"bind", "rprivate", "ro", "nosuid", "nodev", "noexec"}})
	return nil
}

// pidFile and monitorPidFile are where the process's and the monitor's pids
// are written.
func (e *Engine) pidFile(c *container.Config) string {
	return first(c.PidFile, filepath.Join(e.Store.ContainerRunDir(c.ID), "pidfile"))
}

func (e *Engine) monitorPidFile(c *container.Config) string {
	return first(c.MonitorPidFile, filepath.Join(e.Store.ContainerRunDir(c.ID), "conmon.pid"))
}

// writePidFiles writes the files by which service managers know the processes.
func (e *Engine) writePidFiles(c *container.Config) error {
	run, ok := monitor.ReadState(filepath.Join(e.Store.ContainerRunDir(c.ID), stateFile))
	if !ok {
		return nil // it has ended already
	}
	for _, f := range []struct {
		path string
		pid  int
	}{{e.pidFile(c), run.Pid}, {e.monitorPidFile(c), run.Monitor}} {
		if err := os.WriteFile(f.path, []byte(strconv.Itoa(f.pid)), 0o644); err != nil {
			return fmt.Errorf("write pid file: %w", err)
		}
	}
	return nil
}

// checkPidFiles refuses pid files that can't be written, with the status that
// scripts know, before anything runs of which nobody would learn the pid.
func checkPidFiles(c *container.Config) error {
	for _, f := range []struct {
		path   string
		status int
	}{{c.PidFile, 127}, {c.MonitorPidFile, 126}} {
		if f.path == "" {
			continue
		}
		if err := unix.Access(filepath.Dir(f.path), unix.W_OK); err != nil {
			return &errdef.Exit{Code: f.status, Err: fmt.Errorf("write pid file %q: %w", f.path, err)}
		}
		if info, err := os.Stat(f.path); err == nil && info.IsDir() {
			return &errdef.Exit{Code: f.status, Err: fmt.Errorf("write pid file %q: %w", f.path, unix.EISDIR)}
		}
	}
	return nil
}

// volumesFrom lists what other containers, NAME[:OPTIONS], mount.
func (e *Engine) volumesFrom(names []string) (all []container.Mount, err error) {
	for _, text := range names {
		name, options, _ := strings.Cut(text, ":")
		var extra []string
		for _, o := range strings.Split(options, ",") {
			switch o {
			case "":
			case "ro", "rw", "z":
				extra = append(extra, o)
			default:
				return nil, errdef.Newf(errdef.ErrInvalid, "invalid option %q specified - volumes from another container can only use z,ro,rw options", o)
			}
		}
		other, err := e.Lookup(name)
		if err != nil {
			return nil, fmt.Errorf("looking up container %q for volumes-from: %w", name, err)
		}
		c, err := e.configuration(other.ID)
		if err != nil {
			return nil, err
		}
		for _, m := range c.Mounts {
			if m.Type != "volume" && m.Type != "bind" && m.Type != "image" {
				continue
			}
			m.Anonymous = false // it stays the other container's
			if len(extra) > 0 {
				m.Options = slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "ro" || o == "rw" })
				m.Options = append(m.Options, extra...)
			}
			all = append(all, m)
		}
	}
	return all, nil
}
