package runtime

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// OOMKilled tells whether the kernel has killed a process of the control
// group, by the path of the specification, for want of memory. On version 2
// the monitor knows, from OOMEvents.
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

// OOMEvents opens the files of cgroup v2 that count what became of processes
// for want of memory: the group's, and that of the one above it that stays
// when the group, or its pod's, goes. They are -1 where there is none.
func OOMEvents(group string) (own, above int) {
	if group == "" || !cgroups.IsCgroup2UnifiedMode() {
		return -1, -1
	}
	open := func(group string) int {
		fd, err := unix.Open(filepath.Join(cgroupMount, group, "memory.events"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1
		}
		return fd
	}
	parent := filepath.Dir(group)
	if strings.Contains(filepath.Base(parent), podInfix) {
		parent = filepath.Dir(parent)
	}
	return open(group), open(parent)
}
