package engine

import (
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
)

// withDefaults is the request with what containers.conf says where the user
// said nothing.
func (e *Engine) withDefaults(asked *CreateRequest) *CreateRequest {
	req, conf := *asked, &e.Config.Containers
	req.Annotations = slices.Concat(conf.Annotations, req.Annotations)
	req.Volumes = slices.Concat(conf.Volumes, req.Volumes)
	req.Mounts = slices.Concat(conf.Mounts, req.Mounts)
	req.Ulimits = addMissing(req.Ulimits, conf.DefaultUlimits)
	if len(req.Network) == 0 && conf.NetNS != "" {
		req.Network = []string{conf.NetNS}
	}
	for _, list := range []struct {
		to   *[]string
		from []string
	}{{&req.DNS, conf.DNSServers}, {&req.DNSSearch, conf.DNSSearches}, {&req.DNSOptions, conf.DNSOptions}} {
		if len(*list.to) == 0 {
			*list.to = list.from
		}
	}
	for _, s := range []struct {
		to   *string
		from string
	}{{&req.LogDriver, conf.LogDriver}, {&req.PID, conf.PidNS}, {&req.IPC, conf.IPCNS}, {&req.UTS, conf.UTSNS}, {&req.DetachKeys, e.Config.Engine.DetachKeys}} {
		*s.to = first(*s.to, s.from)
	}
	req.UserNS = req.configured(conf.UserNS)
	req.Sysctl = addMissing(req.Sysctl, allowedSysctls(conf.DefaultSysctls, &req))
	if conf.SeccompProfile != "" && !slices.ContainsFunc(req.SecurityOpt, func(o string) bool { return strings.HasPrefix(o, "seccomp") }) {
		req.SecurityOpt = append(slices.Clone(req.SecurityOpt), "seccomp="+conf.SeccompProfile)
	}
	req.ImageVolume = first(req.ImageVolume, e.Config.Engine.ImageVolumeMode)
	if !req.StopTimeoutSet {
		req.StopTimeout = e.Config.Engine.StopTimeout
	}
	if !req.ReadOnlySet {
		req.ReadOnly = conf.ReadOnly
	}
	if !req.PrivilegedSet {
		req.Privileged = conf.Privileged
	}
	if !req.PidsLimitSet && conf.PidsLimit <= 0 {
		req.PidsLimit, req.PidsLimitSet = -1, true
	}
	req.Pull = first(req.Pull, pullPolicy(e.Config.Engine.PullPolicy))
	return &req
}

// addMissing adds those NAME=VALUE pairs of the defaults whose name the user
// didn't use.
func addMissing(asked, defaults []string) []string {
	out := slices.Clone(asked)
	for _, kv := range defaults {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(asked, func(have string) bool { return strings.HasPrefix(have, name+"=") }) {
			out = append(out, kv)
		}
	}
	return out
}

// allowedSysctls leaves out the default settings of namespaces that the
// container shares with the host: they are the host's own.
func allowedSysctls(defaults []string, req *CreateRequest) []string {
	host := func(mode string) bool { return mode == "host" }
	return slices.DeleteFunc(slices.Clone(defaults), func(kv string) bool {
		switch {
		case strings.HasPrefix(kv, "net."):
			return slices.ContainsFunc(req.Network, host)
		case strings.HasPrefix(kv, "fs.mqueue."), strings.HasPrefix(kv, "kernel.shm"), strings.HasPrefix(kv, "kernel.msg"), strings.HasPrefix(kv, "kernel.sem"):
			return host(req.IPC)
		case strings.HasPrefix(kv, "kernel.hostname"), strings.HasPrefix(kv, "kernel.domainname"):
			return host(req.UTS)
		}
		return false
	})
}

// pullPolicy gives the policies of containers.conf their one name.
func pullPolicy(name string) string {
	switch name = strings.ToLower(name); name {
	case "ifnotpresent":
		return imgcopy.PullMissing
	case "ifnewer":
		return imgcopy.PullNewer
	}
	return name
}

// setUmask keeps the mask for the files that the container's process makes.
func (e *Engine) setUmask(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	text := first(req.Umask, e.Config.Containers.Umask, "0022")
	mask, err := strconv.ParseUint(text, 8, 12)
	if err != nil {
		return errdef.Newf(errdef.ErrInvalid, "running container create option: invalid umask string %s: invalid argument", text)
	}
	c.Umask = uint32(mask)
	return nil
}

// setHostname names the container's host after the container, if the
// configuration wants that and nobody chose another name.
func (e *Engine) setHostname(c *container.Config, _ *CreateRequest, _ *v1.Config) error {
	if !e.Config.Containers.ContainerNameAsHostname || c.Hostname != "" || c.UTSMode != "" || c.Network.Mode == "host" {
		return nil
	}
	const longest = 63
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return -1
	}, c.Name)
	c.Hostname = strings.Trim(name[:min(len(name), longest)], "-.")
	return nil
}
