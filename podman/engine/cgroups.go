package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/userns"
)

// The two ways to make control groups.
const (
	managerSystemd  = "systemd"
	managerCgroupfs = "cgroupfs"
)

// chooseManager decides who makes control groups: whom the configuration
// names, else systemd where it can. A user whose systemd can't be reached is
// told, and goes on without it.
func (e *Engine) chooseManager() string {
	asked := e.Config.Engine.CgroupManager
	if asked == managerCgroupfs {
		return asked
	}
	err := runtime.SystemdUsable()
	switch {
	case err == nil:
		return managerSystemd
	case asked == managerSystemd && !userns.Rootless():
		return asked // the runtime says what is wrong, when it is needed
	case asked == managerSystemd:
		cliout.Warn(os.Stderr, "The cgroup manager is set to systemd, but %v. Falling back to --cgroup-manager=cgroupfs", err)
	}
	return managerCgroupfs
}

func (e *Engine) systemdCgroups() bool { return e.cgroupManager() == managerSystemd }

// groupOptions say how the container's control group is made.
func (e *Engine) groupOptions(c *container.Config) runtime.Options {
	return runtime.Options{SystemdCgroup: e.systemdCgroups() && c.Cgroups != container.CgroupsSplit, CgroupParent: c.CgroupParent,
		NoCgroups: c.Cgroups == container.CgroupsDisabled}
}

// setCgroups reads which control groups the container gets, and where.
func (e *Engine) setCgroups(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	conf := &e.Config.Containers
	c.CgroupParent = req.CgroupParent
	switch mode := first(req.Cgroups, conf.Cgroups); mode {
	case "", "enabled":
	case container.CgroupsDisabled, container.CgroupsNoMonitor, container.CgroupsSplit:
		c.Cgroups = mode
	default:
		return errdef.Newf(errdef.ErrInvalid, "running container create option: invalid cgroup mode %q: invalid argument", mode)
	}
	slice := strings.HasSuffix(filepath.Base(c.CgroupParent), ".slice")
	switch {
	case c.CgroupParent == "":
	case c.Cgroups == container.CgroupsDisabled:
		return errdef.Newf(errdef.ErrInvalid, "cannot set cgroup parent if not creating cgroups: invalid argument")
	case c.Cgroups == container.CgroupsSplit:
		return errdef.Newf(errdef.ErrInvalid, "cannot specify --cgroup-mode=split with a cgroup-parent: invalid argument")
	case e.systemdCgroups() && !slice:
		return errdef.Newf(errdef.ErrInvalid, "did not receive systemd slice as cgroup parent when using systemd to manage cgroups: invalid argument")
	case !e.systemdCgroups() && slice:
		return errdef.Newf(errdef.ErrInvalid, "systemd slice received as cgroup parent when using cgroupfs: invalid argument")
	case e.systemdCgroups():
		c.CgroupParent = filepath.Base(c.CgroupParent)
	}
	if c.Cgroups == container.CgroupsSplit && !runtime.PrivateCgroups() {
		return errdef.Newf(errdef.ErrUnsupported, "--cgroups split needs control groups of version 2, which this system doesn't use")
	}
	return e.setCgroupConf(c, slices.Concat(conf.CgroupConf, req.CgroupConf))
}

// setCgroupConf reads FILE=VALUE settings of cgroup v2.
func (e *Engine) setCgroupConf(c *container.Config, settings []string) error {
	for _, text := range settings {
		key, value, ok := strings.Cut(text, "=")
		switch {
		case !ok:
			return errdef.Newf(errdef.ErrInvalid, "--cgroup-conf must be formatted KEY=VALUE")
		case !runtime.PrivateCgroups():
			return errdef.Newf(errdef.ErrUnsupported, "cannot use --cgroup-conf without cgroup v2")
		case strings.Contains(key, "/") || strings.IndexByte(key, '.') <= 0:
			return errdef.Newf(errdef.ErrInvalid, "invalid --cgroup-conf %q: want CONTROLLER.PARAMETER=VALUE, such as memory.high=1G", text)
		}
		if c.CgroupConf == nil {
			c.CgroupConf = map[string]string{}
		}
		c.CgroupConf[key] = value
	}
	return nil
}

// checkControllers refuses limits that nothing could enforce: without control
// groups, or by a controller that isn't given to this user.
func (e *Engine) checkControllers(opts runtime.Options, r *specs.LinuxResources) error {
	needs := controllers(r)
	switch {
	case len(needs) == 0:
		return nil
	case opts.NoCgroups:
		return errdef.Newf(errdef.ErrInvalid, "resource limits need control groups: leave out --cgroups=disabled")
	case !runtime.CgroupsUsable(opts):
		if err := runtime.SystemdUsable(); err != nil && runtime.PrivateCgroups() {
			return errdef.Newf(errdef.ErrUnsupported, "resource limits need control groups, which this user has none of: %w", err)
		}
		hint := "they take cgroup v2 with delegation"
		if runtime.PrivateCgroups() {
			hint = "choose --cgroup-manager=systemd, or start it from a unit with Delegate=yes"
		}
		return errdef.Newf(errdef.ErrUnsupported, "resource limits need control groups, which this user has none of: %s", hint)
	case !userns.Rootless():
		return nil
	}
	given := runtime.CgroupControllers(opts.SystemdCgroup)
	for _, name := range needs {
		if !slices.Contains(given, name) {
			return errdef.Newf(errdef.ErrUnsupported, "the %s controller is not delegated to this user, who has %s: root can add it to Delegate= in a drop-in of user@.service",
				name, first(strings.Join(given, " "), "none"))
		}
	}
	return nil
}

// controllers are those of cgroup v2 that the limits need.
func controllers(r *specs.LinuxResources) (all []string) {
	for _, c := range []struct {
		name  string
		needs bool
	}{{"memory", r.Memory != nil}, {"cpu", r.CPU != nil && (r.CPU.Shares != nil || r.CPU.Quota != nil || r.CPU.Period != nil)},
		{"cpuset", r.CPU != nil && (r.CPU.Cpus != "" || r.CPU.Mems != "")},
		{"pids", r.Pids != nil && *r.Pids.Limit > 0}, {"io", r.BlockIO != nil}} {
		if c.needs {
			all = append(all, c.name)
		}
	}
	return all
}

// limit sets the control group and its limits, where this user has control
// groups at all.
func (e *Engine) limit(c *container.Config, spec *specs.Spec) error {
	opts := e.groupOptions(c)
	r := spec.Linux.Resources
	if c.Resources != nil {
		r.Memory, r.CPU, r.Pids, r.BlockIO = c.Resources.Memory, c.Resources.CPU, c.Resources.Pids, c.Resources.BlockIO
	}
	r.Unified = c.CgroupConf
	if !runtime.CgroupsUsable(opts) {
		return nil
	}
	spec.Linux.CgroupsPath = runtime.CgroupsPath(opts, c.ID)
	if c.Cgroups == container.CgroupsSplit {
		var err error
		if spec.Linux.CgroupsPath, err = runtime.SplitGroup(c.ID); err != nil {
			return err
		}
	}
	if limit := e.Config.Containers.PidsLimit; r.Pids == nil && limit > 0 &&
		(!userns.Rootless() || slices.Contains(runtime.CgroupControllers(opts.SystemdCgroup), "pids")) {
		r.Pids = &specs.LinuxPids{Limit: &limit}
	}
	return nil
}

// unitProperties gives the scope of systemd's as long to stop as the container
// has, and has it stopped in order when the system goes down.
func unitProperties(annotations map[string]string, stop uint) map[string]string {
	all := maps.Clone(annotations)
	if all == nil {
		all = map[string]string{}
	}
	for name, value := range map[string]string{"TimeoutStopUSec": fmt.Sprintf("uint64 %d", uint64(stop)*1e6), "DefaultDependencies": "true"} {
		if key := "org.systemd.property." + name; all[key] == "" {
			all[key] = value
		}
	}
	return all
}

// monitorGroup is where the container's monitor goes.
func (e *Engine) monitorGroup(c *container.Config) monitor.Group {
	switch {
	case c.Cgroups == container.CgroupsSplit:
		return monitor.GroupSplit
	case c.Cgroups != "":
		return monitor.GroupSame
	case e.systemdCgroups():
		return monitor.GroupScope
	}
	return monitor.GroupOwn
}

// cgroupNamespace is the container's namespace of control groups, for inspect.
func cgroupNamespace(c *container.Config) string {
	if c.CgroupNSMode == "" && !runtime.PrivateCgroups() {
		return "host"
	}
	return first(c.CgroupNSMode, "private")
}

// group is the control group of the container's process, as the kernel names
// it; "" where the container has none of its own.
func (e *Engine) group(id string, pid int) string {
	if e.cgroupsPath(id) == "" {
		return ""
	}
	return runtime.GroupOf(pid)
}

// cgroupsPath is the control group of the present run, as its bundle has it;
// "" when there is no run.
func (e *Engine) cgroupsPath(id string) string {
	var bundle struct {
		Linux struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	data, err := os.ReadFile(filepath.Join(e.Store.ContainerRunDir(id), "config.json"))
	if err != nil || json.Unmarshal(data, &bundle) != nil {
		return ""
	}
	return bundle.Linux.CgroupsPath
}
