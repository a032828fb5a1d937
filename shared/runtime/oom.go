package runtime

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
)

// OOMKilled tells whether the kernel has killed a process of the control
// group, which is there yet, for want of memory. The path is that of the
// specification: "/parent/name", or "slice:prefix:name" with systemd.
func OOMKilled(cgroupsPath string, systemd bool) bool {
	if cgroupsPath == "" {
		return false
	}
	if parts := strings.Split(cgroupsPath, ":"); systemd && len(parts) == 3 {
		cgroupsPath = filepath.Join(expandSlice(parts[0]), parts[1]+"-"+parts[2]+".scope")
	}
	file := filepath.Join(cgroupMount, "memory", cgroupsPath, "memory.oom_control")
	if cgroups.IsCgroup2UnifiedMode() {
		file = filepath.Join(cgroupMount, cgroupsPath, "memory.events")
	}
	data, err := os.ReadFile(file)
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

// expandSlice is the path of a systemd slice: "a-b.slice" lies in "a.slice".
func expandSlice(slice string) string {
	name, ok := strings.CutSuffix(slice, ".slice")
	if !ok || name == "-" {
		return ""
	}
	path, prefix := "", ""
	for part := range strings.SplitSeq(name, "-") {
		path = filepath.Join(path, prefix+part+".slice")
		prefix += part + "-"
	}
	return path
}
