package runtime

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	"golang.org/x/sys/unix"
)

// Usage is what the processes of a container have used and hold.
type Usage struct {
	CPU, CPUSystem          uint64   // nanoseconds of all processors, and of them in the kernel
	PerCPU                  []uint64 // nanoseconds; nil where the kernel doesn't tell
	Memory, MemoryLimit     uint64   // bytes, the file cache left out
	BlockInput, BlockOutput uint64   // bytes
	Pids                    uint64
	Network                 map[string]Traffic // by interface, but the loopback
}

// Traffic is what went over a network interface.
type Traffic struct {
	RxBytes, RxDropped, RxErrors, RxPackets uint64
	TxBytes, TxDropped, TxErrors, TxPackets uint64
}

// ReadUsage measures the container whose first process it is.
func ReadUsage(pid int) (*Usage, error) {
	paths, err := cgroupPaths(pid)
	if err != nil {
		return nil, err
	}
	m, err := manager.NewWithPaths(&cgroups.Cgroup{Resources: &cgroups.Resources{}}, paths)
	if err != nil {
		return nil, fmt.Errorf("read statistics: %w", err)
	}
	stats, err := m.GetStats()
	if err != nil {
		return nil, fmt.Errorf("read statistics: %w", err)
	}
	cpu, memory := stats.CpuStats.CpuUsage, stats.MemoryStats
	u := &Usage{CPU: cpu.TotalUsage, CPUSystem: cpu.UsageInKernelmode, PerCPU: cpu.PercpuUsage, Pids: stats.PidsStats.Current,
		Memory: memory.Usage.Usage, MemoryLimit: memory.Usage.Limit}
	for _, name := range []string{"total_inactive_file", "inactive_file"} {
		if cache, ok := memory.Stats[name]; ok {
			u.Memory -= min(cache, u.Memory)
			break
		}
	}
	if total := hostMemory(); u.MemoryLimit == 0 || u.MemoryLimit > total {
		u.MemoryLimit = total
	}
	for _, entry := range stats.BlkioStats.IoServiceBytesRecursive {
		switch strings.ToLower(entry.Op) {
		case "read":
			u.BlockInput += entry.Value
		case "write":
			u.BlockOutput += entry.Value
		}
	}
	u.Network, err = traffic(pid)
	return u, err
}

// cgroupPaths are the directories of the control groups that the process is
// in, by controller.
func cgroupPaths(pid int) (map[string]string, error) {
	own, err := cgroups.ParseCgroupFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, fmt.Errorf("read control groups of process %d: %w", pid, err)
	}
	if cgroups.IsCgroup2UnifiedMode() {
		return map[string]string{"": filepath.Join(cgroupMount, own[""])}, nil
	}
	paths := map[string]string{}
	for controller, path := range own {
		if dir := filepath.Join(cgroupMount, controller, path); controller != "" {
			if _, err := os.Stat(dir); err == nil {
				paths[controller] = dir
			}
		}
	}
	return paths, nil
}

func hostMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return info.Totalram * uint64(info.Unit)
}

// traffic reads the counters of the process's network namespace.
func traffic(pid int) (map[string]Traffic, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/net/dev")
	if err != nil {
		return nil, fmt.Errorf("read network statistics: %w", err)
	}
	all := map[string]Traffic{}
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		name, counters, ok := strings.Cut(s.Text(), ":")
		fields := strings.Fields(counters)
		if name = strings.TrimSpace(name); !ok || name == "lo" || len(fields) < 12 {
			continue
		}
		n := func(i int) uint64 { v, _ := strconv.ParseUint(fields[i], 10, 64); return v }
		all[name] = Traffic{n(0), n(3), n(2), n(1), n(8), n(11), n(10), n(9)}
	}
	return all, nil
}
