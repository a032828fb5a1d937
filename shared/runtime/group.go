package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// podInfix is what names of pods' slices have between the slice above and the ID.
const podInfix = "-libpod_pod_"

// GroupParent is the control group below which the containers of the pod have
// theirs: "parent/ID", or a slice where systemd makes control groups.
func GroupParent(opts Options, id string) string {
	if !opts.SystemdCgroup {
		return filepath.Join("/", parentOf(opts), id)
	}
	slice := strings.TrimSuffix(parentOf(opts), ".slice")
	return slice + podInfix + id + ".slice"
}

// GroupRoot is the control group that GroupParent's lies in.
func GroupRoot(opts Options) string { return parentOf(opts) }

// SlicePath is where a slice of systemd's lies below the manager's control
// group; what is no slice is its own path.
func SlicePath(group string) string {
	if path := expandSlice(group); path != "" {
		return path
	}
	return group
}

// GroupExists says whether there is the control group.
func GroupExists(path string) bool {
	dirs, err := cgroupDirs(path)
	return err == nil && slices.ContainsFunc(dirs, func(dir string) bool {
		_, err := os.Stat(dir)
		return err == nil
	})
}

// MakeGroup makes a control group that containers will have theirs in, with
// limits on them all together. There is nothing to do where there can be no
// limits.
func MakeGroup(opts Options, path string, limits *specs.LinuxResources) error {
	if !CgroupsUsable(opts) {
		return nil
	}
	m, err := groupManager(opts, path, limits)
	if err != nil {
		return err
	}
	if err := m.Apply(-1); err != nil && !errors.Is(err, cgroups.ErrRootless) {
		return fmt.Errorf("make control group %q: %w", path, err)
	}
	config, err := m.GetCgroups()
	if err == nil {
		err = m.Set(config.Resources)
	}
	if err != nil {
		return fmt.Errorf("limit control group %q: %w", path, err)
	}
	return nil
}

// RemoveGroup removes a control group in which no container is left.
func RemoveGroup(opts Options, path string) error {
	if !CgroupsUsable(opts) {
		return nil
	}
	if !opts.SystemdCgroup {
		return removeCgroups(path, true)
	}
	m, err := groupManager(opts, path, nil)
	if err != nil {
		return err
	}
	return ignoreMissing(m.Destroy())
}

func groupManager(opts Options, path string, limits *specs.LinuxResources) (cgroups.Manager, error) {
	if limits == nil {
		limits = &specs.LinuxResources{}
	}
	spec := &specs.Spec{Root: &specs.Root{Path: "/"}, Linux: &specs.Linux{Resources: limits}}
	if !opts.SystemdCgroup {
		spec.Linux.CgroupsPath = path
	}
	config, err := specconv.CreateCgroupConfig(&specconv.CreateOpts{CgroupName: path, UseSystemdCgroup: opts.SystemdCgroup, Spec: spec,
		RootlessCgroups: unprivileged()}, nil)
	if err != nil {
		return nil, fmt.Errorf("open control group %q: %w", path, err)
	}
	if opts.SystemdCgroup {
		config.Name, config.Parent, config.ScopePrefix = path, parentOf(opts), ""
	}
	config.SkipDevices = true
	m, err := manager.New(config)
	if err != nil {
		return nil, fmt.Errorf("open control group %q: %w", path, err)
	}
	return m, nil
}
