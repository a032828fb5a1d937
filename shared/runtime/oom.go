package runtime

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// OOMKilled tells whether the kernel has killed a process of the control
// group, by the path of the specification, for want of memory. On version 2
// the monitor knows, from OOMEvents, or SystemdSawOOM: systemd takes a group
// away with its last process.
func OOMKilled(group string) bool {
	if parts := strings.Split(group, ":"); len(parts) == 3 {
		group = filepath.Join(groupPath(parts[0]), parts[1]+"-"+parts[2]+".scope")
	}
	if group == "" || cgroups.IsCgroup2UnifiedMode() {
		return false
	}
	data, err := os.ReadFile(filepath.Join(cgroupMount, "memory", group, "memory.oom_control"))
	if err != nil {
		return false
	}
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		if n, ok := strings.CutPrefix(s.Text(), "oom_kill "); ok {
			return n != "0"
		}
	}
	return false
}

// OOMEvents opens the file of a control group that counts what became of its
// processes for want of memory; -1 where there is none. It can be read as long
// as the group is there.
func OOMEvents(group string) (fd int) {
	if group == "" || !cgroups.IsCgroup2UnifiedMode() {
		return -1
	}
	fd, err := unix.Open(filepath.Join(cgroupMount, group, "memory.events"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}

// SystemdSawOOM asks systemd whether the scope that it made for the container
// ended for want of memory. It knows that of a scope whose control group it
// has removed.
func SystemdSawOOM(ctx context.Context, id string) bool {
	args := []string{"show", "--property=Result", "--value", "libpod-" + id + ".scope"}
	if unprivileged() {
		args = append([]string{"--user"}, args...)
	}
	result, err := exec.CommandContext(ctx, "systemctl", args...).Output()
	return err == nil && strings.TrimSpace(string(result)) == "oom-kill"
}
