package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime/internal/filter"
)

// config translates a specification for libcontainer. It leaves spec as it is.
// A seccomp profile whose filter is stored is not translated.
func (b *builtin) config(id, bundle string, spec *specs.Spec, stored bool) (*configs.Config, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	adapted, err := b.adapt(id, bundle, spec)
	if err != nil {
		return nil, err
	}
	if stored {
		adapted.Linux.Seccomp = nil
	}
	opts := &specconv.CreateOpts{
		CgroupName:       id,
		UseSystemdCgroup: b.opts.SystemdCgroup,
		NoPivotRoot:      b.opts.NoPivotRoot,
		NoNewKeyring:     b.opts.NoKeyring,
		Spec:             adapted,
		RootlessEUID:     os.Geteuid() != 0,
		RootlessCgroups:  unprivileged(),
	}
	config, err := convert(opts)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "read specification of container %q: %w", id, err)
	}
	if stored {
		config.Seccomp = filter.Marker()
	}
	config.OomScoreAdj = oomScore(config.OomScoreAdj)
	// For further processes that bring no limits of their own.
	if config.Rlimits, err = rlimits(spec.Process.Rlimits); err != nil {
		return nil, err
	}
	setBundle(config, bundle)
	return config, nil
}

// convert calls the library, which asks for the working directory though it
// needs it for relative paths only; ours may have been removed.
func convert(opts *specconv.CreateOpts) (*configs.Config, error) {
	config, err := specconv.CreateLibcontainerConfig(opts)
	if err == nil {
		return config, nil
	}
	if _, gone := os.Stat("."); gone == nil {
		return nil, err
	}
	if err := os.Chdir("/"); err != nil {
		return nil, fmt.Errorf("leave a removed working directory: %w", err)
	}
	return specconv.CreateLibcontainerConfig(opts)
}

// adapt makes paths absolute (the bundle is where they start) and gives the
// container its control group. It copies what it changes.
func (b *builtin) adapt(id, bundle string, spec *specs.Spec) (*specs.Spec, error) {
	if spec.Root == nil || spec.Root.Path == "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "the specification of container %q has no root", id)
	}
	s, root, lin := *spec, *spec.Root, specs.Linux{}
	if spec.Linux != nil {
		lin = *spec.Linux
	}
	if !filepath.IsAbs(root.Path) {
		root.Path = filepath.Join(bundle, root.Path)
	}
	// The library compares mount points with the path as the kernel has it.
	real, err := filepath.EvalSymlinks(root.Path)
	if err != nil {
		return nil, fmt.Errorf("open root of container %q: %w", id, err)
	}
	root.Path = real
	s.Root, s.Linux = &root, &lin
	s.Mounts = absoluteSources(bundle, spec.Mounts)
	if cgroupsReadonly(spec.Mounts) {
		lin.ReadonlyPaths = append(slices.Clone(lin.ReadonlyPaths), cgroupMount)
	}
	if !CgroupsUsable(b.opts) {
		// Without control groups there is nothing to put limits on.
		lin.CgroupsPath, lin.Resources = "", nil
	} else if lin.CgroupsPath == "" {
		lin.CgroupsPath = CgroupsPath(b.opts, id)
	}
	return &s, nil
}

// cgroupsReadonly tells whether the container sees its control groups on a
// tmpfs that is meant to be read-only: on cgroup v1 the library makes only the
// hierarchies in it so.
func cgroupsReadonly(mounts []specs.Mount) bool {
	return !cgroups.IsCgroup2UnifiedMode() && slices.ContainsFunc(mounts, func(m specs.Mount) bool {
		return m.Type == "cgroup" && filepath.Clean(m.Destination) == cgroupMount && slices.Contains(m.Options, "ro")
	})
}

func absoluteSources(bundle string, mounts []specs.Mount) []specs.Mount {
	out := slices.Clone(mounts)
	for i, m := range out {
		bind := m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
		if bind && !filepath.IsAbs(m.Source) {
			out[i].Source = filepath.Join(bundle, m.Source)
		}
		if m.Type == "bind" && !slices.Contains(m.Options, "bind") && !slices.Contains(m.Options, "rbind") {
			out[i].Options = append(slices.Clone(m.Options), "bind")
		}
	}
	return out
}

// setBundle records the bundle, which the library took for the working
// directory.
func setBundle(config *configs.Config, bundle string) {
	config.Labels = slices.DeleteFunc(config.Labels, func(l string) bool { return strings.HasPrefix(l, "bundle=") })
	config.Labels = append(config.Labels, "bundle="+bundle)
}
