package engine

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/volume"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
)

// createVolumes makes the volumes that the container names and that aren't
// there.
func (e *Engine) createVolumes(c *container.Config) error {
	for i := range c.Mounts {
		m := &c.Mounts[i]
		if m.Type != "volume" {
			continue
		}
		v, err := e.Volumes().Get(m.Name)
		if isNotFound(err) {
			v, err = e.Volumes().Create(volume.Volume{Name: m.Name, Anonymous: m.Anonymous})
		}
		if err != nil {
			return err
		}
		m.Source = v.Mountpoint
	}
	return nil
}

// addMounts adds the files that tell of the network and what the user mounts;
// a mount of the user's takes the place of one of ours.
func (e *Engine) addMounts(c *container.Config, spec *specs.Spec, root string) error {
	taken := map[string]bool{}
	for _, m := range c.Mounts {
		taken[m.Destination] = true
	}
	kept := spec.Mounts[:0]
	for _, m := range spec.Mounts {
		if !taken[m.Destination] {
			kept = append(kept, m)
		}
	}
	spec.Mounts = kept
	if c.SystemdMode {
		forSystemd(c, spec, taken)
	}
	dir := e.Store.ContainerRunDir(c.ID)
	owner, err := e.networkOwner(c)
	if err != nil {
		return err
	}
	network := e.Store.ContainerRunDir(owner.ID)
	without := map[string]bool{"hosts": c.Network.NoHosts, "hostname": c.NoHostname, "resolv.conf": c.Network.NoResolvConf || owner.Network.NoResolvConf}
	options := []string{"bind", "rprivate", "nosuid", "nodev"}
	if c.Security.ReadOnly {
		options = append(options, "ro", "noexec")
	}
	for _, file := range []struct{ dir, name, to string }{{network, "resolv.conf", "/etc/resolv.conf"}, {network, "hosts", "/etc/hosts"},
		{dir, "hostname", "/etc/hostname"}, {dir, "containerenv", "/run/.containerenv"}} {
		if !taken[file.to] && !without[file.name] {
			for _, at := range append([]string{"/"}, c.ChrootDirs...) {
				spec.Mounts = append(spec.Mounts, specs.Mount{Destination: path.Join(at, file.to), Type: "bind", Source: filepath.Join(file.dir, file.name),
					Options: options})
			}
		}
	}
	if c.Security.ReadOnly {
		readOnlyMounts(c, spec, taken)
	}
	if c.Infra {
		// Its own volumes are for the other containers of the pod.
		if c.ImageID != "" {
			return nil
		}
		return e.addPause(spec)
	}
	for i := range c.Mounts {
		if err := e.addMount(c, &c.Mounts[i], spec, root); err != nil {
			return err
		}
	}
	// What lies in another mount comes after it, whoever asked for which.
	slices.SortStableFunc(spec.Mounts, func(a, b specs.Mount) int {
		return strings.Count(path.Clean(a.Destination), "/") - strings.Count(path.Clean(b.Destination), "/")
	})
	return nil
}

// readOnlyMounts gives a container that can't write to its root the directories
// that programs need to, or keeps it from writing anywhere.
func readOnlyMounts(c *container.Config, spec *specs.Spec, taken map[string]bool) {
	if c.NoReadOnlyTmpfs {
		for i := range spec.Mounts {
			if m := &spec.Mounts[i]; m.Destination == "/dev" || m.Destination == "/dev/shm" {
				m.Options = append(slices.Clone(m.Options), "ro")
			}
		}
		return
	}
	for _, dst := range []string{"/tmp", "/var/tmp", "/run"} {
		if !taken[dst] {
			spec.Mounts = append(spec.Mounts, specs.Mount{Destination: dst, Type: "tmpfs", Source: "tmpfs",
				Options: withRunMode(dst, []string{"rw", "nosuid", "nodev", "tmpcopyup"})})
		}
	}
}

// withRunMode keeps others from writing to /run, unless the user says otherwise.
func withRunMode(dst string, options []string) []string {
	if dst != "/run" || slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "mode=") }) {
		return options
	}
	return append(options, "mode=755")
}

func (e *Engine) addMount(c *container.Config, m *container.Mount, spec *specs.Spec, root string) error {
	uid, gid := int(spec.Process.User.UID), int(spec.Process.User.GID)
	switch m.Type {
	case "bind":
		if _, err := os.Stat(m.Source); err != nil {
			return &errdef.Exit{Code: 125, Err: errdef.Newf(errdef.ErrNotFound, "statfs %s: no such file or directory", m.Source)}
		}
	case "volume":
		if err := e.fillVolume(c, m, root, uid, gid); err != nil {
			return err
		}
	case "image":
		return e.addImageMount(c.ID, m, spec)
	}
	out := specs.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Kernel()}
	if m.Type == "volume" {
		out.Type = "bind"
	}
	if m.SubPath != "" {
		at, err := e.pin(c.ID, m.Source, m.SubPath)
		if err != nil {
			return err
		}
		out.Source = at
	}
	if m.Has("U") {
		if m.Type == "tmpfs" {
			out.Options = append(out.Options, fmt.Sprintf("uid=%d", uid), fmt.Sprintf("gid=%d", gid))
		} else if err := e.chownTree(c, out.Source, uid, gid); err != nil {
			return err
		}
	}
	if m.Type == "tmpfs" {
		out.Options = withRunMode(m.Destination, out.Options)
	}
	if m.Has("O") {
		return e.addOverlay(c.ID, &out, m.Value("upperdir"), m.Value("workdir"), spec)
	}
	spec.Mounts = append(spec.Mounts, out)
	return nil
}

// fillVolume gives a volume that was never used the files that the image has
// at its place, with the owner and mode of the directory there; where the image
// has nothing, it is the process's own.
func (e *Engine) fillVolume(c *container.Config, m *container.Mount, root string, uid, gid int) error {
	v, err := e.Volumes().Get(m.Name)
	if err != nil {
		return err
	}
	m.Source = v.Mountpoint
	if v.NeedsMount() {
		if err := e.withVolume(m.Name, func(v *volume.Volume) error { return e.holdVolume(v, c.ID) }); err != nil {
			return err
		}
	}
	if !v.NeedsCopyUp || v.NeedsMount() && v.Options["type"] != "tmpfs" {
		return nil // what is mounted there has files and an owner of its own
	}
	if m.CopyUp {
		err := rootfs.CopyOut(root, m.Destination, v.Mountpoint)
		if isNotFound(err) {
			err = nil
			if v.UID == 0 && v.GID == 0 { // it was not made for somebody
				err = e.chownAs(c, v.Mountpoint, uid, gid)
			}
		}
		if err != nil {
			return fmt.Errorf("copy the image's files into volume %q: %w", m.Name, err)
		}
	}
	v.NeedsCopyUp = false
	return e.Volumes().Save(v)
}

// chownTree gives the mounted directory to the container's user (:U). Links
// are not followed.
func (e *Engine) chownTree(c *container.Config, dir string, uid, gid int) error {
	maps, err := e.idMaps(c)
	if err != nil {
		return err
	}
	if uid, gid, err = maps.Host(uid, gid); err != nil {
		return err
	}
	r, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("change the owner of %q: %w", dir, err)
	}
	defer r.Close()
	return rootfs.ChownTree(r, uid, gid)
}
