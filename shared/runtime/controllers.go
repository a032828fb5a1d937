package runtime

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
)

// CgroupsVersion is "v2" where control groups have the unified hierarchy
// alone, else "v1".
func CgroupsVersion() string {
	if cgroups.IsCgroup2UnifiedMode() {
		return "v2"
	}
	return "v1"
}

// CgroupControllers lists the controllers that limit containers of this
// process, by systemd or by itself.
func CgroupControllers(systemd bool) []string {
	if !cgroups.IsCgroup2UnifiedMode() {
		return mountedControllers()
	}
	group := ""
	if unprivileged() {
		if group = ownParent(); systemd {
			group = userManagerGroup()
		}
	}
	data, err := os.ReadFile(filepath.Join(cgroupMount, group, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(data))
}

// mountedControllers are those with a hierarchy of their own.
func mountedControllers() []string {
	f, err := os.Open("/proc/cgroups")
	if err != nil {
		return nil
	}
	defer f.Close()
	var list []string
	for s := bufio.NewScanner(f); s.Scan(); {
		name, _, _ := strings.Cut(s.Text(), "\t")
		if _, err := os.Stat(filepath.Join(cgroupMount, name)); err == nil && !strings.HasPrefix(name, "#") {
			list = append(list, name)
		}
	}
	return list
}
