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
)

// spec describes the container that RUN is.
func (r *runStep) spec(ctx context.Context, bundle string) (*specs.Spec, error) {
	s := r.s
	caps, err := s.b.capabilities()
	if err != nil {
		return nil, err
	}
	spec, err := runtime.DefaultSpec(runtime.Profile{
		Rootless: s.b.cfg.Rootless, HostNetwork: r.network == networkHost, Capabilities: caps,
	})
	if err != nil {
		return nil, err
	}
	user, err := s.user(s.doc.Config.User)
	if err != nil {
		return nil, err
	}
	spec.Root.Path = s.root
	spec.Hostname = s.container[:12]
	spec.Process.Args = r.args
	spec.Process.Cwd = s.doc.Config.WorkingDir
	if spec.Process.Cwd == "" {
		spec.Process.Cwd = "/"
	}
	spec.Process.User = specs.User{UID: uint32(user.UID), GID: uint32(user.GID), AdditionalGids: []uint32{uint32(user.GID)}}
	for _, gid := range user.Groups {
		spec.Process.User.AdditionalGids = append(spec.Process.User.AdditionalGids, uint32(gid))
	}
	if caps == nil {
		caps = runtime.DefaultCapabilities()
	}
	spec.Process.Capabilities = runtime.CapabilitySets(caps, uint32(user.UID))
	spec.Process.Env = r.environment(user)
	spec.Linux.CgroupsPath = ""
	if r.network == networkPrivate {
		runtime.SetNamespace(spec, specs.NetworkNamespace, nsPath(s.b.st, s.container))
	}
	if err := r.hostFiles(spec, bundle); err != nil {
		return nil, err
	}
	if r.script != "" {
		if err := r.bindFile(spec, bundle, "script", r.script, scriptTarget, 0o755); err != nil {
			return nil, err
		}
	}
	return spec, r.mounts(ctx, spec, bundle)
}

// capabilities is the configured list; nil for the built-in one.
func (b *builder) capabilities() ([]string, error) {
	if len(b.cfg.Containers.DefaultCapabilities) == 0 {
		return nil, nil
	}
	return runtime.MergeCapabilities(nil, b.cfg.Containers.DefaultCapabilities, nil)
}

// environment is the image's, then what the process should know anyway.
func (r *runStep) environment(user rootfs.User) []string {
	s := r.s
	env := slices.Clone(s.doc.Config.Env)
	has := func(name string) bool {
		return slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	}
	for _, kv := range s.argList() {
		env = append(env, kv)
	}
	for name, value := range s.b.req.Args {
		if predefinedArg(name) && !has(name) {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy"} {
		if value, ok := os.LookupEnv(name); ok && s.b.cfg.Containers.HTTPProxy && !has(name) {
			env = append(env, name+"="+value)
		}
	}
	if !has("HOSTNAME") {
		env = append(env, "HOSTNAME="+s.container[:12])
	}
	if !has("HOME") && user.Home != "" {
		env = append(env, "HOME="+user.Home)
	}
	return env
}

// hostFiles mounts the files of /etc that depend on host and network.
func (r *runStep) hostFiles(spec *specs.Spec, bundle string) error {
	resolv := ""
	if r.network != networkNone {
		var err error
		if resolv, err = resolvConf(r.network == networkPrivate); err != nil {
			return err
		}
	}
	own := "127.0.1.1"
	if r.addr != nil {
		own = r.addr.String()
	}
	hosts := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" + own + "\t" + spec.Hostname + "\n"
	for _, f := range []struct{ name, content, target string }{
		{"resolv.conf", resolv, "/etc/resolv.conf"},
		{"hosts", hosts, "/etc/hosts"},
		{"hostname", spec.Hostname + "\n", "/etc/hostname"},
		{"containerenv", "", "/run/.containerenv"},
	} {
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
