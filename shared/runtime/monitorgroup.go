package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	"golang.org/x/sys/unix"
)

// The control groups of containers that share one with the processes that
// look after them: below the group of who starts them.
const (
	supervisorGroup = "supervisor"
	payloadPrefix   = "libpod-payload-"
)

// LeaveGroup moves this process, which is going to watch the container, out
// of the control group of whoever started it: systemd ends what is in a
// service's or a session's when that ends. Without systemd only cgroup v2 is
// worth it; on v1 every controller would be a move of its own.
func LeaveGroup(systemd bool, id string) error {
	switch {
	case systemd:
		return toScope("libpod", "conmon-"+id, os.Getpid())
	case cgroups.IsCgroup2UnifiedMode() && !unprivileged():
		return moveTo(filepath.Join(defaultCgroupParent, "conmon"), os.Getpid())
	}
	return nil
}

// FreePause moves the process that keeps a user's namespaces out of the control
// group of whoever started it, for the same reason: the containers of later
// commands need it.
func FreePause(pid int) { free("pause", pid) }

// FreeNetwork does so with a process that serves the networks of all containers.
func FreeNetwork(pid int) { free("network", pid) }

// free has systemd make a scope for the process, if there is a systemd, the
// user's own if need be. Else it goes where containers' groups are, which for a
// user is beside this process's group, if they may divide cgroup v2. Where
// neither is so, it stays.
func free(kind string, pid int) {
	if SystemdUsable() == nil && toScope("podman", kind+"-"+strconv.Itoa(pid), pid) == nil {
		return
	}
	if cgroups.IsCgroup2UnifiedMode() {
		_ = moveTo(filepath.Join(parentOf(Options{}), "podman-"+kind), pid)
	}
}

// toScope moves a process into the scope PREFIX-NAME.scope of systemd's; one
// that is there yet, of the container's last run, gets it too.
func toScope(prefix, name string, pid int) error {
	config := &cgroups.Cgroup{Systemd: true, Rootless: unprivileged(), Name: name, ScopePrefix: prefix,
		Parent: parentOf(Options{SystemdCgroup: true}), Resources: &cgroups.Resources{SkipDevices: true}}
	m, err := manager.New(config)
	if err != nil {
		return fmt.Errorf("open scope %s-%s: %w", prefix, name, err)
	}
	// What is there yet may go while it is asked, so both are tried twice.
	for range 2 {
		if err = m.Apply(pid); err == nil || m.AddPid("", pid) == nil {
			return nil
		}
	}
	return fmt.Errorf("make scope %s-%s: %w", prefix, name, err)
}

// moveTo moves processes into a group of cgroup v2, which is made. One that
// has ended meanwhile is no matter.
func moveTo(path string, pids ...int) error {
	dir := filepath.Join(cgroupMount, path)
	err := os.MkdirAll(dir, 0o755)
	for _, pid := range pids {
		if err == nil {
			err = cgroups.WriteCgroupProc(dir, pid)
		}
		if errors.Is(err, unix.ESRCH) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("enter control group %q: %w", path, err)
	}
	return nil
}

// SplitGroup makes room for a container in this process's own control group:
// all processes there, such as one that the network has been given to, go into
// a group below it, and the container's, of which the path is returned, gets its
// place beside that. Only cgroup v2 has processes at the leaves alone and needs
// it.
func SplitGroup(id string) (path string, err error) {
	own := GroupOf(os.Getpid())
	if filepath.Base(own) == supervisorGroup {
		own = filepath.Dir(own)
	}
	for range 10 { // a process that is moved may have begun another
		pids, err := cgroups.GetPids(filepath.Join(cgroupMount, own))
		if err == nil && len(pids) > 0 {
			err = moveTo(filepath.Join(own, supervisorGroup), pids...)
		}
		if err != nil {
			return "", fmt.Errorf("split the control group (it must be this user's, as in a unit with Delegate=yes): %w", err)
		}
		if len(pids) == 0 {
			break
		}
	}
	return filepath.Join(own, payloadPrefix+id), nil
}
