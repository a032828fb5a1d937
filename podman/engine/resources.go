package engine

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

// setResources turns the limits into the specification's form.
// A limit that nothing could enforce is refused.
func (e *Engine) setResources(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	r, err := e.resources(&req.ResourceRequest)
	if err == nil {
		err = e.checkControllers(e.groupOptions(c), r)
	}
	if err != nil {
		return err
	}
	if req.OOMKillDisable {
		if r.Memory == nil {
			r.Memory = &specs.LinuxMemory{}
		}
		r.Memory.DisableOOMKiller = &req.OOMKillDisable
	}
	c.Resources = r
	for _, s := range req.Ulimits {
		limit, err := runtime.ParseUlimit(s)
		if err != nil {
			return err
		}
		c.Rlimits = append(c.Rlimits, limit)
	}
	return nil
}

func (e *Engine) resources(req *ResourceRequest) (*specs.LinuxResources, error) {
	r := &specs.LinuxResources{}
	for _, set := range []func(*specs.LinuxResources, *ResourceRequest) error{setMemory, setCPU, setBlockIO} {
		if err := set(r, req); err != nil {
			return nil, err
		}
	}
	if limit := req.PidsLimit; req.PidsLimitSet {
		if limit == 0 {
			limit = -1
		}
		r.Pids = &specs.LinuxPids{Limit: &limit}
	}
	return r, nil
}

func setMemory(r *specs.LinuxResources, req *ResourceRequest) error {
	memory := &specs.LinuxMemory{}
	for _, m := range []struct {
		flag, value string
		to          **int64
	}{{"memory", req.Memory, &memory.Limit}, {"memory-reservation", req.MemoryReservation, &memory.Reservation}, {"memory-swap", req.MemorySwap, &memory.Swap}} {
		if m.value == "" {
			continue
		}
		n, err := runtime.ParseBytes(m.value)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid value for %s: %w", m.flag, err)
		}
		*m.to = &n
		r.Memory = memory
	}
	if l, s := memory.Limit, memory.Swap; l != nil && s != nil && *s > 0 && *s < *l {
		return errdef.Newf(errdef.ErrInvalid, "minimum memoryswap limit should be larger than memory limit: --memory-swap %q is memory and swap together", req.MemorySwap)
	}
	if memory.Limit != nil && memory.Swap == nil {
		swap := 2 * *memory.Limit
		memory.Swap = &swap
	}
	if n := req.MemorySwappiness; n != nil && *n != -1 {
		if *n < 0 || *n > 100 {
			return errdef.Newf(errdef.ErrInvalid, "invalid value: %d, valid memory swappiness range is 0-100", *n)
		}
		swappiness := uint64(*n)
		memory.Swappiness, r.Memory = &swappiness, memory
	}
	return nil
}

func setCPU(r *specs.LinuxResources, req *ResourceRequest) error {
	if err := checkCPUSets(req.CPUSetCPUs, req.CPUSetMems); err != nil {
		return err
	}
	cpu := &specs.LinuxCPU{Cpus: req.CPUSetCPUs, Mems: req.CPUSetMems}
	if req.CPUs != 0 {
		if req.CPUPeriod != 0 || req.CPUQuota != 0 {
			return errdef.Newf(errdef.ErrInvalid, "cannot set --cpus and --cpu-quota or --cpu-period together")
		}
		period := uint64(100000)
		quota := int64(req.CPUs * float64(period))
		cpu.Period, cpu.Quota = &period, &quota
	}
	for _, n := range []struct {
		value uint64
		to    **uint64
	}{{req.CPUPeriod, &cpu.Period}, {req.CPUShares, &cpu.Shares}, {req.CPURTPeriod, &cpu.RealtimePeriod}} {
		if n.value != 0 {
			*n.to = &n.value
		}
	}
	if req.CPUQuota != 0 {
		cpu.Quota = &req.CPUQuota
	}
	if req.CPURTRuntime != 0 {
		cpu.RealtimeRuntime = &req.CPURTRuntime
	}
	if *cpu != (specs.LinuxCPU{}) {
		r.CPU = cpu
	}
	return nil
}
