package engine

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

// systemdStop is SIGRTMIN+3, at which systemd shuts down in good order.
const systemdStop = 37

// setSystemd decides whether the container is one for systemd to run in.
func setSystemd(c *container.Config, req *CreateRequest, image *v1.Config) error {
	switch strings.ToLower(first(req.Systemd, "true")) {
	case "always":
		c.SystemdMode = true
	case "true":
		c.SystemdMode = runsInit(c.Args())
	case "false":
	default:
		return errdef.Newf(errdef.ErrInvalid, `invalid config provided: --systemd values must be one of "true, false, always": invalid configuration`)
	}
	if req.ShmSizeSystemd != "" {
		n, err := runtime.ParseBytes(req.ShmSizeSystemd)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "unable to translate --shm-size-systemd: %w", err)
		}
		c.SystemdShm = n
	}
	if c.SystemdMode && req.StopSignal == "" && image.StopSignal == "" {
		c.StopSignal = systemdStop
	}
	return nil
}

// runsInit says whether the command is an init system's.
func runsInit(args []string) bool {
	return len(args) > 0 && (path.Base(args[0]) == "systemd" || slices.Contains([]string{"/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init"}, args[0]))
}

// forSystemd makes the specification one that systemd can run in: file systems
// of its own where it writes, its control group writable, no consoles of the
// host's, and a name for the machine.
func forSystemd(c *container.Config, spec *specs.Spec, taken map[string]bool) {
	for _, m := range []struct{ at, mode string }{{"/run", "mode=755"}, {"/run/lock", ""}, {"/tmp", ""}, {"/var/log/journal", ""}} {
		if taken[m.at] {
			continue
		}
		options := []string{"rw", "rprivate", "nosuid", "nodev", "tmpcopyup"}
		if m.mode != "" {
			options = append(options, m.mode)
		}
		if c.SystemdShm > 0 {
			options = append(options, fmt.Sprintf("size=%d", c.SystemdShm))
		}
		spec.Mounts = append(spec.Mounts, specs.Mount{Destination: m.at, Type: "tmpfs", Source: "tmpfs", Options: options})
		taken[m.at] = true
	}
	// On version 1 there is no part of the hierarchies that would be the
	// container's alone.
	for i := range spec.Mounts {
		if m := &spec.Mounts[i]; m.Type == "cgroup" && runtime.PrivateCgroups() {
			m.Options = append(slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "ro" }), "rw")
		}
	}
	console := regexp.MustCompile(`^/dev/tty[0-9]+$`)
	spec.Linux.Devices = slices.DeleteFunc(spec.Linux.Devices, func(d specs.LinuxDevice) bool { return console.MatchString(d.Path) })
	if getEnv(spec.Process.Env, "container_uuid") == "" {
		spec.Process.Env = append(spec.Process.Env, "container_uuid="+c.ID[:32])
	}
}
