package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/lock"
	"github.com/podsuite/podsuite/podman/engine/pod"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"golang.org/x/sys/unix"
)

// joinNamespaces puts the container into the namespaces that it shares with
// others, its network apart.
func (e *Engine) joinNamespaces(c *container.Config, spec *specs.Spec) error {
	for _, ns := range []struct {
		mode, file string
		kind       specs.LinuxNamespaceType
	}{{c.PIDMode, "pid", specs.PIDNamespace}, {c.IPCMode, "ipc", specs.IPCNamespace}, {c.UTSMode, "uts", specs.UTSNamespace},
		{c.CgroupNSMode, "cgroup", specs.CgroupNamespace}} {
		how, of, _ := strings.Cut(ns.mode, ":")
		switch how {
		case "container":
			path, err := e.namespaceOf(of, ns.file)
			if err != nil {
				return err
			}
			runtime.SetNamespace(spec, ns.kind, path)
		case "ns":
			runtime.SetNamespace(spec, ns.kind, of)
		}
	}
	return nil
}

// namespaceOf is the path of a namespace of a running container.
func (e *Engine) namespaceOf(nameOrID, file string) (string, error) {
	other, err := e.Lookup(nameOrID)
	if err != nil {
		return "", err
	}
	s := e.status(other.ID)
	if !s.Running() {
		return "", errdef.Newf(errdef.ErrConflict, "cannot join the %s namespace of container %s: it is not running", file, nameOrID)
	}
	return fmt.Sprintf("/proc/%d/ns/%s", s.Pid, file), nil
}

// shmDir is where the /dev/shm of a container whose IPC others may join is
// mounted on the host: a mount inside of it could not be given to another.
func (e *Engine) shmDir(id string) string { return filepath.Join(e.Store.ContainerRunDir(id), "shm") }

// shareShm gives the container the /dev/shm that goes with its IPC namespace,
// where that is another's or open to others; with --ipc none there is none.
func (e *Engine) shareShm(c *container.Config, spec *specs.Spec) error {
	ours := func(m specs.Mount) bool { return m.Destination == "/dev/shm" && m.Type == "tmpfs" && m.Source == "shm" } // not the user's
	if c.IPCMode == "none" {
		spec.Mounts = slices.DeleteFunc(spec.Mounts, ours)
		return nil
	}
	dir := e.shmDir(c.ID)
	if name, ok := strings.CutPrefix(c.IPCMode, "container:"); ok {
		other, err := e.Lookup(name)
		if err != nil {
			return err
		}
		if dir = e.shmDir(other.ID); !exists(dir) {
			return errdef.Newf(errdef.ErrConflict, "cannot join the IPC namespace of container %s: it was not made with --ipc shareable", name)
		}
	} else if c.IPCMode != "shareable" {
		return nil
	} else if err := errors.Join(e.freeShm(c.ID), e.mountShm(c, dir)); err != nil { // one may be left of a start that was killed
		return err
	}
	if i := slices.IndexFunc(spec.Mounts, ours); i >= 0 {
		spec.Mounts[i] = specs.Mount{Destination: "/dev/shm", Type: "bind", Source: dir, Options: []string{"bind", "rprivate", "nosuid", "noexec", "nodev"}}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (e *Engine) mountShm(c *container.Config, dir string) error {
	size := c.ShmSize
	if size == 0 {
		size = runtime.DefaultShmSize
	}
	uid, gid, err := e.hostRoot(c)
	if err == nil {
		err = mkdirPrivate(dir)
	}
	if err == nil {
		err = unix.Mount("shm", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_NODEV, fmt.Sprintf("mode=1777,size=%d,uid=%d,gid=%d", size, uid, gid))
	}
	if err != nil {
		return fmt.Errorf("mount shared memory: %w", err)
	}
	return nil
}

// freeShm takes the shared memory away.
func (e *Engine) freeShm(id string) error {
	dir := e.shmDir(id)
	if !exists(dir) {
		return nil
	}
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount shared memory: %w", err)
	}
	return os.Remove(dir)
}

// networkOwner is the container whose hosts and resolv.conf this one has: the
// one whose network it shares.
func (e *Engine) networkOwner(c *container.Config) (*container.Config, error) {
	name, ok := strings.CutPrefix(c.Network.Mode, "container:")
	if !ok {
		return c, nil
	}
	other, err := e.Lookup(name)
	if err != nil {
		return nil, err
	}
	target, err := e.configuration(other.ID)
	if err != nil {
		return nil, err
	}
	return e.networkOwner(target)
}

// hostsLock names the lock of the hosts file that a pod's containers share.
func hostsLock(infra string) string { return "hosts-" + infra }

// nameInPod puts the container's name into the hosts file that it shares with
// its pod, or takes it out. The file stays the same one, because it is mounted.
func (e *Engine) nameInPod(c *container.Config, there bool) error {
	infra, shares := strings.CutPrefix(c.Network.Mode, "container:")
	if c.Pod == "" || !shares {
		return nil
	}
	held, err := lock.Acquire(e.runDir("locks"), hostsLock(infra))
	if err != nil {
		return err
	}
	defer held.Release()
	path := filepath.Join(e.Store.ContainerRunDir(infra), "hosts")
	old, err := os.ReadFile(path)
	if err != nil {
		return nil // the infra container has stopped
	}
	line := "127.0.0.1\t" + c.Name + "\n"
	text := strings.ReplaceAll(string(old), line, "")
	if there {
		text += line
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil
	}
	_, err = f.WriteAt([]byte(text), 0)
	if err == nil {
		err = f.Truncate(int64(len(text)))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write hosts: %w", err)
	}
	return nil
}

// pauseProgram is what an infra container without an image runs.
const pauseProgram = "/pause"

// addPause gives an infra container its program.
func (e *Engine) addPause(spec *specs.Spec) error {
	path, err := runtime.InstallPause(e.programDir())
	if err != nil {
		return err
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{Destination: pauseProgram, Type: "bind", Source: path, Options: []string{"bind", "rprivate", "ro", "nosuid", "nodev"}})
	return nil
}

// makePodGroup makes the control group with the pod's limits, unless it is
// there.
func (e *Engine) makePodGroup(c *container.Config) error {
	if c.Pod == "" || c.CgroupParent == "" || runtime.GroupExists(c.CgroupParent) {
		return nil
	}
	p, err := e.Pods().Get(c.PodName)
	if isNotFound(err) {
		return nil // it is being removed
	}
	if err != nil || p.Resources == nil {
		return err
	}
	return runtime.MakeGroup(runtime.Options{SystemdCgroup: e.systemdCgroups(), CgroupParent: p.CgroupParent}, c.CgroupParent, p.Resources)
}

// idle lists which of the containers don't run.
func (e *Engine) idle(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		other, err := e.Lookup(name)
		if err != nil {
			return false // starting it says so
		}
		s := e.status(other.ID)
		return s.Running()
	})
}

// startAll starts the containers, and first what they depend on.
func (e *Engine) startAll(ctx context.Context, names []string) error {
	for _, name := range names {
		other, err := e.Lookup(name)
		if err == nil {
			_, err = e.Start(ctx, other.ID, StartRequest{})
		}
		if err != nil {
			return fmt.Errorf("start %s, which the container depends on: %w", name, err)
		}
	}
	return nil
}

// startDepends starts what the container depends on, before its lock is taken.
func (e *Engine) startDepends(ctx context.Context, nameOrID string) error {
	found, err := e.Lookup(nameOrID)
	if err != nil {
		return err
	}
	c, err := e.configuration(found.ID)
	if err != nil {
		return noContainer(nameOrID, err)
	}
	return e.startAll(ctx, e.idle(c.Depends()))
}

// removePodGroup removes the pod's control group.
func (e *Engine) removePodGroup(p *pod.Pod) error {
	if p.CgroupPath == "" {
		return nil
	}
	return runtime.RemoveGroup(runtime.Options{SystemdCgroup: e.systemdCgroups(), CgroupParent: p.CgroupParent}, p.CgroupPath)
}
