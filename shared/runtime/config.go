package runtime

import (
	"errors"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// cgroupConfig translates a specification's limits for the cgroup library.
func (b *builtin) cgroupConfig(id string, spec *specs.Spec) (*cgroups.Cgroup, error) {
	s, l := *spec, *spec.Linux
	s.Linux = &l
	if !CgroupsUsable(b.opts) {
		// Without control groups there is nothing to put limits on.
		l.CgroupsPath, l.Resources = "", nil
	} else if l.CgroupsPath == "" {
		l.CgroupsPath = CgroupsPath(b.opts, id)
	}
	if b.opts.NoCgroups {
		return nil, nil
	}
	config, err := specconv.CreateCgroupConfig(&specconv.CreateOpts{
		CgroupName: id, UseSystemdCgroup: b.opts.SystemdCgroup, Spec: &s, RootlessCgroups: unprivileged(),
	}, nil)
	if err != nil {
		return nil, err
	}
	config.Resources.Devices = append(config.Resources.Devices, allowedDevices()...)
	return config, nil
}

// allowedDevices are open to every container: the nodes it has, terminals, and
// to make nodes, which opens nothing.
func allowedDevices() []*devices.Rule {
	rules := []*devices.Rule{
		{Type: devices.CharDevice, Major: devices.Wildcard, Minor: devices.Wildcard, Permissions: "m", Allow: true},
		{Type: devices.BlockDevice, Major: devices.Wildcard, Minor: devices.Wildcard, Permissions: "m", Allow: true},
		{Type: devices.CharDevice, Major: 136, Minor: devices.Wildcard, Permissions: "rwm", Allow: true}, // terminals
		{Type: devices.CharDevice, Major: 5, Minor: 2, Permissions: "rwm", Allow: true},                  // ptmx
		{Type: devices.CharDevice, Major: 10, Minor: 200, Permissions: "rwm", Allow: true},               // net/tun
	}
	for _, d := range defaultDevices {
		rules = append(rules, &devices.Rule{Type: devices.CharDevice, Major: int64(d.major), Minor: int64(d.minor), Permissions: "rwm", Allow: true})
	}
	return rules
}

// enterGroup makes the container's control group, its limits set, and moves
// its process there.
func (c *creation) enterGroup(pid int) error {
	if c.config == nil {
		return nil
	}
	err := c.cgroup.Apply(pid)
	if errors.Is(err, cgroups.ErrRootless) {
		return nil // the caller's groups, without limits: there are none in config
	}
	if err != nil {
		return err
	}
	return c.cgroup.Set(c.config.Resources)
}
