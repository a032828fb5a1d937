package container

import (
	"strconv"

	"github.com/podsuite/podsuite/podman/engine"
	"github.com/spf13/cobra"
)

// bindResources declares the limits on what a container uses, for create, run,
// update and clone.
func bindResources(cmd *cobra.Command, r *engine.ResourceRequest) {
	fl := cmd.Flags()
	fl.StringVarP(&r.Memory, "memory", "m", "", "Memory limit (format: <number>[<unit>])")
	fl.StringVar(&r.MemoryReservation, "memory-reservation", "", "Memory soft limit (format: <number>[<unit>])")
	fl.StringVar(&r.MemorySwap, "memory-swap", "", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap")
	fl.Var(&optionalInt{&r.MemorySwappiness, "-1"}, "memory-swappiness", "Tune container memory swappiness (0 to 100, or -1 for system default)")
	fl.Float64Var(&r.CPUs, "cpus", 0, "Number of CPUs. The default is 0.000 which means no limit")
	fl.Uint64VarP(&r.CPUShares, "cpu-shares", "c", 0, "CPU shares (relative weight)")
	fl.Int64Var(&r.CPUQuota, "cpu-quota", 0, "Limit the CPU CFS (Completely Fair Scheduler) quota")
	fl.Uint64Var(&r.CPUPeriod, "cpu-period", 0, "Limit the CPU CFS (Completely Fair Scheduler) period")
	fl.Uint64Var(&r.CPURTPeriod, "cpu-rt-period", 0, "Limit the CPU real-time period in microseconds")
	fl.Int64Var(&r.CPURTRuntime, "cpu-rt-runtime", 0, "Limit the CPU real-time runtime in microseconds")
	fl.StringVar(&r.CPUSetCPUs, "cpuset-cpus", "", "CPUs in which to allow execution (0-3, 0,1)")
	fl.StringVar(&r.CPUSetMems, "cpuset-mems", "", "Memory nodes (MEMs) in which to allow execution (0-3, 0,1). Only effective on NUMA systems")
	fl.StringVar(&r.BlkioWeight, "blkio-weight", "", "Block IO weight (relative weight) accepts a weight value between 10 and 1000.")
	fl.StringArrayVar(&r.BlkioWeightDevices, "blkio-weight-device", nil, "Block IO weight (relative device weight, format: `DEVICE_NAME:WEIGHT`)")
	fl.StringArrayVar(&r.ReadBps, "device-read-bps", nil, "Limit read rate (bytes per second) from a device (e.g. --device-read-bps=/dev/sda:1mb)")
	fl.StringArrayVar(&r.WriteBps, "device-write-bps", nil, "Limit write rate (bytes per second) to a device (e.g. --device-write-bps=/dev/sda:1mb)")
	if cmd.Name() == "clone" {
		return
	}
	fl.StringArrayVar(&r.ReadIOps, "device-read-iops", nil, "Limit read rate (IO per second) from a device (e.g. --device-read-iops=/dev/sda:1000)")
	fl.StringArrayVar(&r.WriteIOps, "device-write-iops", nil, "Limit write rate (IO per second) to a device (e.g. --device-write-iops=/dev/sda:1000)")
	fl.Int64Var(&r.PidsLimit, "pids-limit", 2048, "Tune container pids limit (set -1 for unlimited)")
}

// optionalInt is a number that may not be given; shown stands for that in the
// help.
type optionalInt struct {
	to    **int64
	shown string
}

func (o *optionalInt) String() string {
	if o.to == nil || *o.to == nil {
		return o.shown
	}
	return strconv.FormatInt(**o.to, 10)
}

func (o *optionalInt) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	*o.to = &n
	return err
}

func (o *optionalInt) Type() string { return "int" }
