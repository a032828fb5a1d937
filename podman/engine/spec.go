package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/runtime/hookdir"
	"github.com/podsuite/podsuite/shared/userns"
)

// prepare mounts the container's root file system and makes the OCI
// specification of its configuration.
func (e *Engine) prepare(ctx context.Context, c *container.Config) (*specs.Spec, error) {
	root, err := e.mountRoot(c)
	if err != nil {
		return nil, err
	}
	spec, err := e.baseSpec(c)
	if err != nil {
		return nil, err
	}
	user, err := e.prepareUser(c, root)
	if err != nil {
		return nil, &errdef.Exit{Code: 126, Err: err}
	}
	if err := e.checkMapped(c, user); err != nil {
		return nil, err
	}
	if err := e.workDir(c, root, user); err != nil {
		return nil, err
	}
	if err := e.linkMtab(c, root); err != nil {
		return nil, err
	}
	spec.Root = &specs.Root{Path: root, Readonly: c.Security.ReadOnly}
	spec.Process.Args, spec.Process.Cwd, spec.Process.Terminal = c.FirstArgs(), c.WorkDir, c.Terminal
	spec.Process.Env = defaultEnv(c.Env, user, e.hostname(c))
	spec.Process.User = user.spec()
	spec.Process.User.Umask = &c.Umask
	spec.Process.Rlimits = c.Rlimits
	spec.Process.OOMScoreAdj = c.OOMScoreAdj
	spec.Process.NoNewPrivileges = c.Security.NoNewPrivileges
	if spec.Process.Capabilities, err = e.capabilities(&c.Security, user.UID); err != nil {
		return nil, err
	}
	spec.Annotations = c.Annotations
	if c.Personality != "" {
		spec.Linux.Personality = &specs.LinuxPersonality{Domain: specs.LinuxPersonalityDomain(c.Personality)}
	}
	if e.groupOptions(c).SystemdCgroup {
		spec.Annotations = unitProperties(c.Annotations, c.StopTimeout)
	}
	if c.UTSMode == "" {
		spec.Hostname = e.hostname(c)
	}
	if err := e.addDevices(c, spec); err != nil {
		return nil, err
	}
	if err := e.addTimezone(c, spec, root); err != nil {
		return nil, err
	}
	if err := e.addMounts(c, spec, root); err != nil {
		return nil, err
	}
	if err := e.addNotify(c, spec); err != nil {
		return nil, err
	}
	if err := e.addSecrets(c, spec); err != nil {
		return nil, err
	}
	if err := e.addInit(c, spec); err != nil {
		return nil, err
	}
	binds := slices.ContainsFunc(c.Mounts, func(m container.Mount) bool { return m.Type == "bind" })
	return spec, hookdir.Add(ctx, spec, e.Config.Engine.HooksDir, binds)
}

// baseSpec is the default specification with the container's namespaces,
// limits and security settings.
func (e *Engine) baseSpec(c *container.Config) (*specs.Spec, error) {
	caps, err := e.capabilityList(&c.Security)
	if err != nil {
		return nil, err
	}
	s := &c.Security
	p := runtime.Profile{UserNS: c.UserNS.Mode != "", NoTTYGroup: e.lacksGroup(c, runtime.TTYGroup), Privileged: s.Privileged, Rootless: userns.Rootless(), Capabilities: caps, ShmSize: c.ShmSize,
		HostNetwork: c.Network.Mode == "host", HostPID: c.PIDMode == "host", HostIPC: c.IPCMode == "host", HostUTS: c.UTSMode == "host",
		HostCgroup: c.CgroupNSMode == "host" || c.CgroupNSMode != "private" && !runtime.PrivateCgroups(), NoSeccomp: s.Seccomp != "" || s.SeccompText != ""}
	spec, err := runtime.DefaultSpec(p)
	if err != nil {
		return nil, err
	}
	if profile, err := seccompProfile(s); err != nil {
		return nil, err
	} else if profile != nil {
		if spec.Linux.Seccomp, err = runtime.ParseSeccomp(profile, caps); err != nil {
			return nil, err
		}
	}
	if ns, err := e.networkNamespace(c); err != nil {
		return nil, err
	} else if ns != "" {
		runtime.SetNamespace(spec, specs.NetworkNamespace, ns)
	}
	if err := e.setUserNamespace(c, spec); err != nil {
		return nil, err
	}
	if err := e.joinNamespaces(c, spec); err != nil {
		return nil, err
	}
	if err := e.shareShm(c, spec); err != nil {
		return nil, err
	}
	if err := e.limit(c, spec); err != nil {
		return nil, err
	}
	for key, value := range c.Sysctl {
		if spec.Linux.Sysctl == nil {
			spec.Linux.Sysctl = map[string]string{}
		}
		spec.Linux.Sysctl[key] = value
	}
	confine(s, spec)
	return spec, nil
}

// networkNamespace is the path of the namespace to join; "" for the host's.
func (e *Engine) networkNamespace(c *container.Config) (string, error) {
	other, ok := strings.CutPrefix(c.Network.Mode, "container:")
	if !ok {
		return e.nsPath(c), nil
	}
	return e.namespaceOf(other, "net")
}

// capabilityList is what the container as a whole may have.
func (e *Engine) capabilityList(s *container.Security) ([]string, error) {
	if s.Privileged {
		return runtime.AllCapabilities()
	}
	base := e.Config.Containers.DefaultCapabilities
	if len(base) == 0 {
		base = runtime.DefaultCapabilities()
	}
	caps, err := runtime.MergeCapabilities(base, s.CapAdd, s.CapDrop)
	return append([]string{}, caps...), err // none is not the default
}

// capabilities are the sets of one process; a user other than root keeps what
// was added by name alone.
func (e *Engine) capabilities(s *container.Security, uid uint32) (*specs.LinuxCapabilities, error) {
	caps, err := e.capabilityList(s)
	if err != nil {
		return nil, err
	}
	var ambient []string
	for _, name := range s.CapAdd {
		if strings.EqualFold(name, "all") {
			ambient = caps
			break
		}
		known, err := runtime.ParseCapability(name)
		if err != nil {
			return nil, err
		}
		ambient = append(ambient, known)
	}
	return runtime.CapabilitySets(caps, uid, ambient...), nil
}

// processUser is whom a process runs as.
type processUser struct {
	Name     string // "" where the container's passwd file has none
	UID, GID uint32
	Groups   []uint32
	Home     string
}

func (u *processUser) spec() specs.User {
	return specs.User{UID: u.UID, GID: u.GID, AdditionalGids: u.Groups}
}

// lookupUser finds the user in the container's own passwd and group files.
func lookupUser(root, user string, groups []string) (*processUser, error) {
	u, err := rootfs.LookupUser(root, user)
	if err != nil {
		return nil, err
	}
	p := &processUser{Name: u.Name, UID: uint32(u.UID), GID: uint32(u.GID), Home: u.Home, Groups: []uint32{uint32(u.GID)}}
	for _, g := range u.Groups {
		if g := uint32(g); g != p.GID {
			p.Groups = append(p.Groups, g)
		}
	}
	for _, name := range groups {
		g, err := rootfs.LookupGroup(root, name)
		if err != nil {
			return nil, err
		}
		p.Groups = append(p.Groups, uint32(g))
	}
	return p, nil
}

// defaultEnv adds what every process has unless the environment says
// otherwise.
func defaultEnv(env []string, u *processUser, hostname string) []string {
	env = slices.Clone(env)
	for _, kv := range []string{"HOSTNAME=" + hostname, "HOME=" + first(u.Home, "/")} {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(env, func(have string) bool { return strings.HasPrefix(have, name+"=") }) {
			env = append(env, kv)
		}
	}
	return env
}

// workDir makes the image's working directory where it is missing; one that
// the user named has to be there.
func (e *Engine) workDir(c *container.Config, root string, u *processUser) error {
	for _, m := range c.Mounts {
		if c.WorkDir == m.Destination || strings.HasPrefix(c.WorkDir, m.Destination+"/") {
			return nil // a mount brings it along, or the runtime says that it doesn't
		}
	}
	if c.WorkDir == "/" {
		return nil
	}
	if info, err := rootfs.Stat(root, c.WorkDir); err == nil {
		if !info.IsDir() {
			return &errdef.Exit{Code: 126, Err: errdef.Newf(errdef.ErrInvalid, "workdir %q is not a directory on container %s", c.WorkDir, c.ID)}
		}
		return nil
	}
	if c.WorkDirAsked {
		return &errdef.Exit{Code: 126, Err: errdef.Newf(errdef.ErrNotFound, "workdir %q does not exist on container %s", c.WorkDir, c.ID)}
	}
	return e.mkdirAs(c, root, c.WorkDir, int(u.UID), int(u.GID))
}

// bundleConfig is the part of the specification that containers use here. The
// encoder prepares itself for every type it may meet, which for all platforms'
// takes longer than the encoding.
type bundleConfig struct {
	Version     string            `json:"ociVersion"`
	Process     *specs.Process    `json:"process"`
	Root        *specs.Root       `json:"root"`
	Hostname    string            `json:"hostname,omitempty"`
	Mounts      []specs.Mount     `json:"mounts"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Hooks       *specs.Hooks      `json:"hooks,omitempty"`
	Linux       *specs.Linux      `json:"linux"`
}

// writeBundle writes the specification where the runtime reads it.
func (e *Engine) writeBundle(c *container.Config, s *specs.Spec) error {
	data, err := json.Marshal(bundleConfig{s.Version, s.Process, s.Root, s.Hostname, s.Mounts, s.Annotations, s.Hooks, s.Linux})
	if err == nil {
		err = os.WriteFile(filepath.Join(e.Store.ContainerRunDir(c.ID), "config.json"), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return nil
}
