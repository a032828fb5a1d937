package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/sys/userns"
	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

const (
	defaultCgroupParent = "/libpod_parent"
	cgroupMount         = "/sys/fs/cgroup"
)

// CgroupsPath is the cgroupsPath of a container that asks for none:
// "parent/libpod-ID", or "slice:libpod:ID" where systemd makes it.
func CgroupsPath(opts Options, id string) string {
	if opts.SystemdCgroup {
		return parentOf(opts) + ":libpod:" + id
	}
	return filepath.Join("/", parentOf(opts), "libpod-"+id)
}

// parentOf is the control group, or the slice, that containers have theirs in.
func parentOf(opts Options) string {
	parent := opts.CgroupParent
	switch {
	case opts.SystemdCgroup && (parent == "" || parent == defaultCgroupParent):
		if unprivileged() {
			return "user.slice"
		}
		return "machine.slice"
	case parent == "" || parent == defaultCgroupParent:
		if unprivileged() && cgroups.IsCgroup2UnifiedMode() {
			return ownParent()
		}
		return defaultCgroupParent
	}
	return parent
}

// ownParent is the control group that this process's lies in: what a user
// without privileges may divide further, if anything.
func ownParent() string { return filepath.Dir(GroupOf(os.Getpid())) }

// PrivateCgroups says whether a container can have a cgroup namespace of its
// own.
func PrivateCgroups() bool { return cgroups.IsCgroup2UnifiedMode() }

// unprivileged tells that this process lacks the rights of the real root.
func unprivileged() bool {
	return os.Geteuid() != 0 || userns.RunningInUserNS()
}

// CgroupsUsable tells whether containers of this process can have control
// groups, and so limits: always for root; else only on cgroup v2, made by
// systemd or below a directory that was delegated to the user.
func CgroupsUsable(opts Options) bool {
	if opts.NoCgroups {
		return false
	}
	if !unprivileged() {
		return true
	}
	if !cgroups.IsCgroup2UnifiedMode() {
		return false
	}
	if opts.SystemdCgroup {
		return true
	}
	for dir := parentOf(opts); ; dir = filepath.Dir(dir) {
		if err := unix.Access(filepath.Join(cgroupMount, dir), unix.W_OK); err != unix.ENOENT || dir == "/" {
			return err == nil
		}
	}
}

// cgroupDirs lists the directories of one control group: one on cgroup v2, one
// per mounted hierarchy on v1.
func cgroupDirs(path string) ([]string, error) {
	path = groupPath(path)
	if cgroups.IsCgroup2UnifiedMode() {
		return []string{filepath.Join(cgroupMount, path)}, nil
	}
	entries, err := os.ReadDir(cgroupMount)
	if err != nil {
		return nil, fmt.Errorf("list control group hierarchies: %w", err)
	}
	var dirs []string
	for _, e := range entries {
		dirs = append(dirs, filepath.Join(cgroupMount, e.Name(), path))
	}
	return dirs, nil
}

// removeCgroups removes a control group from every hierarchy. Processes in it
// are killed with force, else an error.
func removeCgroups(path string, force bool) error {
	dirs, err := cgroupDirs(path)
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		errs = append(errs, removeCgroup(dir, force))
	}
	return errors.Join(errs...)
}

func removeCgroup(dir string, force bool) error {
	pids, err := cgroups.GetAllPids(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("list processes of %s: %w", dir, err)
	}
	if len(pids) > 0 && !force {
		return errdef.Newf(errdef.ErrBusy, "control group %s still has %d processes", dir, len(pids))
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("kill process %d of %s: %w", pid, dir, err)
		}
	}
	if err := cgroups.RemovePath(dir); err != nil {
		return fmt.Errorf("remove control group: %w", err)
	}
	return nil
}
