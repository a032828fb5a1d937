package engine

import (
	"strconv"
	"strings"

	"github.com/docker/go-units"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

// setResources turns the limits into the specification's form.
// A limit that nothing could enforce is refused.
func (e *Engine) setResources(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	r := &specs.LinuxResources{}
	memory := &specs.LinuxMemory{}
	for _, m := range []struct {
		flag, value string
		to          **int64
	}{{"memory", req.Memory, &memory.Limit}, {"memory-reservation", req.MemoryReservation, &memory.Reservation}, {"memory-swap", req.MemorySwap, &memory.Swap}} {
		if m.value == "" {
			continue
		}
		n, err := parseBytes(m.value)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid value for %s: %w", m.flag, err)
		}
		*m.to = &n
		r.Memory = memory
	}
	if memory.Limit != nil && memory.Swap == nil {
		swap := 2 * *memory.Limit
		memory.Swap = &swap
	}
	cpu := &specs.LinuxCPU{Cpus: req.CPUSetCPUs}
	if req.CPUs != 0 {
		if req.CPUPeriod != 0 || req.CPUQuota != 0 {
			return errdef.Newf(errdef.ErrInvalid, "cannot set --cpus and --cpu-quota or --cpu-period together")
		}
		period := uint64(100000)
		quota := int64(req.CPUs * float64(period))
		cpu.Period, cpu.Quota = &period, &quota
	}
	if req.CPUPeriod != 0 {
		cpu.Period = &req.CPUPeriod
	}
	if req.CPUQuota != 0 {
		cpu.Quota = &req.CPUQuota
	}
	if req.CPUShares != 0 {
		cpu.Shares = &req.CPUShares
	}
	if cpu.Cpus != "" || cpu.Period != nil || cpu.Quota != nil || cpu.Shares != nil {
		r.CPU = cpu
	}
	if limit := req.PidsLimit; req.PidsLimitSet {
		if limit == 0 {
			limit = -1
		}
		r.Pids = &specs.LinuxPids{Limit: &limit}
	}
	if (r.Memory != nil || r.CPU != nil || r.Pids != nil) && !runtime.CgroupsUsable(runtime.Options{SystemdCgroup: e.systemdCgroups()}) {
		return errdef.Newf(errdef.ErrUnsupported, "resource limits need control groups, which this user has none of: they take cgroup v2 with delegation")
	}
	c.Resources = r
	for _, s := range req.Ulimits {
		limit, err := parseUlimit(s)
		if err != nil {
			return err
		}
		c.Rlimits = append(c.Rlimits, limit)
	}
	return nil
}

// parseBytes reads an amount of memory: a number with b, k, m or g (powers of
// 1024) behind it, or -1 for no limit.
func parseBytes(s string) (int64, error) {
	if s == "-1" {
		return -1, nil
	}
	return units.RAMInBytes(s)
}

// parseUlimit reads NAME=SOFT[:HARD]; -1 is no limit.
func parseUlimit(s string) (specs.POSIXRlimit, error) {
	name, value, ok := strings.Cut(s, "=")
	soft, hard, both := strings.Cut(value, ":")
	if !both {
		hard = soft
	}
	l := specs.POSIXRlimit{Type: "RLIMIT_" + strings.ToUpper(strings.TrimPrefix(strings.ToLower(name), "rlimit_"))}
	var err1, err2 error
	l.Soft, err1 = parseLimit(soft)
	l.Hard, err2 = parseLimit(hard)
	if !ok || err1 != nil || err2 != nil {
		return l, errdef.Newf(errdef.ErrInvalid, "ulimit option %q requires name=SOFT:HARD, failed to be parsed: invalid ulimit argument: %s", s, s)
	}
	if l.Soft > l.Hard {
		return l, errdef.Newf(errdef.ErrInvalid, "ulimit option %q requires name=SOFT:HARD, failed to be parsed: ulimit soft limit must be less than or equal to hard limit: %d > %d", s, l.Soft, l.Hard)
	}
	return l, nil
}

func parseLimit(s string) (uint64, error) {
	if s == "-1" || s == "unlimited" {
		return ^uint64(0), nil
	}
	return strconv.ParseUint(s, 10, 64)
}
