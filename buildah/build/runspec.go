package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/runtime/hookdir"
)

// spec describes the container that RUN is.
func (r *runStep) spec(ctx context.Context, bundle string) (*specs.Spec, error) {
	s := r.s
	caps, err := r.capabilities()
	if err != nil {
		return nil, err
	}
	profile, err := r.profile(caps)
	if err != nil {
		return nil, err
	}
	spec, err := runtime.DefaultSpec(profile)
	if err != nil {
		return nil, err
	}
	user, err := s.user(s.doc.Config.User)
	if err != nil {
		return nil, err
	}
	spec.Root.Path = s.root
	if !profile.HostUTS {
		spec.Hostname = r.hostname()
	}
	spec.Process.Args = r.args
	spec.Process.Cwd = s.doc.Config.WorkingDir
	if spec.Process.Cwd == "" {
		spec.Process.Cwd = "/"
	}
	spec.Process.User = specs.User{UID: uint32(user.UID), GID: uint32(user.GID), AdditionalGids: []uint32{uint32(user.GID)}}
	for _, gid := range user.Groups {
		spec.Process.User.AdditionalGids = append(spec.Process.User.AdditionalGids, uint32(gid))
	}
	groups, err := r.groups()
	if err != nil {
		return nil, err
	}
	spec.Process.User.AdditionalGids = append(spec.Process.User.AdditionalGids, groups...)
	if caps == nil {
		caps = runtime.DefaultCapabilities()
	}
	spec.Process.Capabilities = runtime.CapabilitySets(caps, uint32(user.UID))
	spec.Process.Env = r.environment(user)
	spec.Linux.CgroupsPath = ""
	if file := r.networkNamespace(); file != "" {
		runtime.SetNamespace(spec, specs.NetworkNamespace, file)
	}
	if err := r.restrict(spec, caps); err != nil {
		return nil, err
	}
	if err := r.hostFiles(spec, bundle); err != nil {
		return nil, err
	}
	if err := r.volumes(spec, bundle); err != nil {
		return nil, err
	}
	if r.script != "" {
		if err := r.bindFile(spec, bundle, "script", r.script, scriptTarget, 0o755); err != nil {
			return nil, err
		}
	}
	spec.Mounts = append(spec.Mounts, r.binds...)
	if err := r.mounts(ctx, spec, bundle); err != nil {
		return nil, err
	}
	return spec, hookdir.Add(ctx, spec, r.hookDirs(), len(s.b.req.Run.Volumes) > 0)
}

// hookDirs are the directories of hooks that were asked for; root has
// configured ones otherwise.
func (r *runStep) hookDirs() []string {
	b := r.s.b
	if dirs := b.req.Run.OCIHooksDir; len(dirs) > 0 || b.cfg.Rootless {
		return dirs
	}
	return b.cfg.Engine.HooksDir
}

// capabilities are those of the process; nil are the built-in ones.
func (r *runStep) capabilities() ([]string, error) {
	if r.inst.Insecure {
		return runtime.AllCapabilities()
	}
	return r.s.b.req.Run.capabilities(r.s.b.cfg.Containers.DefaultCapabilities)
}

// hostname is the name that the process sees.
func (r *runStep) hostname() string {
	if r.host != "" {
		return r.host
	}
	return r.s.container[:12]
}

// environment is the image's, then what the process should know anyway.
func (r *runStep) environment(user rootfs.User) []string {
	s := r.s
	env := slices.Clone(s.doc.Config.Env)
	has := func(name string) bool {
		return slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	}
	for _, kv := range s.argList() {
		env = setEnv(env, kv)
	}
	for name, value := range s.b.req.Args {
		if predefinedArg(name) && !has(name) {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy"} {
		if value, ok := os.LookupEnv(name); ok && s.b.req.Run.HTTPProxy && s.b.cfg.Containers.HTTPProxy && !has(name) {
			env = append(env, name+"="+value)
		}
	}
	if !has("HOSTNAME") {
		env = append(env, "HOSTNAME="+r.hostname())
	}
	if !has("HOME") && user.Home != "" {
		env = append(env, "HOME="+user.Home)
	}
	return env
}

// hostFiles mounts the files of /etc that depend on host and network.
func (r *runStep) hostFiles(spec *specs.Spec, bundle string) error {
	o := &r.s.b.req.Run
	resolv, err := r.resolvConf()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		skip                  bool
		name, content, target string
	}{
		{slices.Contains(o.DNSServers, "none"), "resolv.conf", resolv, "/etc/resolv.conf"},
		{o.NoHosts, "hosts", r.hosts(), "/etc/hosts"},
		{o.NoHostname, "hostname", r.hostname() + "\n", "/etc/hostname"},
		{false, "containerenv", "", "/run/.containerenv"},
	} {
		if f.skip {
			continue
		}
		if err := r.bindFile(spec, bundle, f.name, f.content, f.target, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// bindFile writes a file into the bundle and mounts it.
func (r *runStep) bindFile(spec *specs.Spec, bundle, name, content, target string, mode os.FileMode) error {
	file := filepath.Join(bundle, name)
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Chmod(file, mode); err != nil { // whatever the umask is
		return err
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: target, Type: "bind", Source: file, Options: []string{"bind", "rprivate"},
	})
	return nil
}
