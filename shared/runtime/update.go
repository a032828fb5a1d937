package runtime

import (
	"context"
	"fmt"
	"maps"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/shared/errdef"
)

func (b *builtin) Update(_ context.Context, id string, res *specs.LinuxResources) error {
	s, err := b.load(id)
	if err != nil {
		return err
	}
	if s.Cgroup == nil || s.Cgroup.Rootless && !CgroupsUsable(b.opts) {
		return errdef.Newf(errdef.ErrUnsupported, "update container %q: there are no control groups to set limits on", id)
	}
	m, err := s.manager()
	if err != nil {
		return err
	}
	r := *s.Cgroup.Resources
	updateMemory(&r, res.Memory)
	updateCPU(&r, res.CPU)
	updateBlockIO(&r, res.BlockIO)
	if res.Pids != nil && res.Pids.Limit != nil {
		r.PidsLimit = res.Pids.Limit
	}
	if len(res.Unified) > 0 {
		unified := maps.Clone(r.Unified)
		if unified == nil {
			unified = map[string]string{}
		}
		maps.Copy(unified, res.Unified)
		r.Unified = unified
	}
	// Device rules stay: writing them anew would drop what others added.
	r.SkipDevices = true
	if err := m.Set(&r); err != nil {
		return fmt.Errorf("update container %q: %w", id, err)
	}
	s.Cgroup.Resources = &r
	return b.save(s)
}

// set copies a value that was given.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func updateMemory(r *cgroups.Resources, m *specs.LinuxMemory) {
	if m == nil {
		return
	}
	set(&r.Memory, m.Limit)
	set(&r.MemoryReservation, m.Reservation)
	set(&r.MemorySwap, m.Swap)
	set(&r.OomKillDisable, m.DisableOOMKiller)
	if m.Swappiness != nil {
		r.MemorySwappiness = m.Swappiness
	}
	if m.Limit != nil && *m.Limit == -1 && m.Swap == nil {
		// Swap can't be limited where memory is not.
		r.MemorySwap = 0
	}
}

func updateCPU(r *cgroups.Resources, c *specs.LinuxCPU) {
	if c == nil {
		return
	}
	set(&r.CpuShares, c.Shares)
	if c.Shares != nil {
		r.CpuWeight = cgroups.ConvertCPUSharesToCgroupV2Value(*c.Shares)
	}
	set(&r.CpuQuota, c.Quota)
	set(&r.CpuPeriod, c.Period)
	set(&r.CpuRtRuntime, c.RealtimeRuntime)
	set(&r.CpuRtPeriod, c.RealtimePeriod)
	if c.Burst != nil {
		r.CpuBurst = c.Burst
	}
	if c.Idle != nil {
		r.CPUIdle = c.Idle
	}
	if c.Cpus != "" {
		r.CpusetCpus = c.Cpus
	}
	if c.Mems != "" {
		r.CpusetMems = c.Mems
	}
}

func updateBlockIO(r *cgroups.Resources, b *specs.LinuxBlockIO) {
	if b == nil {
		return
	}
	set(&r.BlkioWeight, b.Weight)
	set(&r.BlkioLeafWeight, b.LeafWeight)
	for _, d := range b.WeightDevice {
		var weight, leaf uint16
		set(&weight, d.Weight)
		set(&leaf, d.LeafWeight)
		r.BlkioWeightDevice = append(r.BlkioWeightDevice, cgroups.NewWeightDevice(d.Major, d.Minor, weight, leaf))
	}
	throttle := func(to *[]*cgroups.ThrottleDevice, from []specs.LinuxThrottleDevice) {
		for _, d := range from {
			*to = append(*to, cgroups.NewThrottleDevice(d.Major, d.Minor, d.Rate))
		}
	}
	throttle(&r.BlkioThrottleReadBpsDevice, b.ThrottleReadBpsDevice)
	throttle(&r.BlkioThrottleWriteBpsDevice, b.ThrottleWriteBpsDevice)
	throttle(&r.BlkioThrottleReadIOPSDevice, b.ThrottleReadIOPSDevice)
	throttle(&r.BlkioThrottleWriteIOPSDevice, b.ThrottleWriteIOPSDevice)
}
