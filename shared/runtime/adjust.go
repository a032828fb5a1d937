package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/userns"
)

// writeIDMaps gives a new user namespace its IDs.
func writeIDMaps(pid int, l *specs.Linux) error {
	return userns.WriteMaps(pid, userns.Maps{UIDs: idMaps(l.UIDMappings), GIDs: idMaps(l.GIDMappings)})
}

// ownStreams gives the pipes that are a process's standard streams to its user,
// who may open them anew by /dev/stdout. In a user namespace of its own it has no
// right to do so itself.
func ownStreams(pid int, user *specs.User, streams ...*os.File) error {
	maps, err := userns.MapsOf(pid)
	if err != nil || maps.Empty() {
		return err
	}
	uid, _, err := maps.Host(int(user.UID), int(user.GID))
	if err != nil {
		return err
	}
	for _, f := range streams {
		if f == nil {
			continue
		}
		if st, err := f.Stat(); err == nil && st.Mode()&fs.ModeNamedPipe != 0 {
			_ = f.Chown(uid, -1) // where it is not ours, it stays as it is
		}
	}
	return nil
}

// setOOMScore tells the kernel how willingly to kill a process.
func setOOMScore(pid int, p *specs.Process) error {
	score := oomScore(p.OOMScoreAdj)
	if score == nil {
		return nil
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(*score)), 0); err != nil {
		return fmt.Errorf("set oom_score_adj: %w", err)
	}
	return nil
}

// adjust sets what a process could not set without rights that it has not, or
// what would be in its own way.
func adjust(pid int, p *specs.Process, limits []rlimit) error {
	for _, l := range limits {
		if err := unix.Prlimit(pid, l.Type, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil); err != nil {
			return fmt.Errorf("set resource limit %d: %w", l.Type, err)
		}
	}
	return errors.Join(setScheduler(pid, p.Scheduler), setIOPriority(pid, p.IOPriority))
}

func setScheduler(pid int, s *specs.Scheduler) error {
	if s == nil {
		return nil
	}
	policies := map[specs.LinuxSchedulerPolicy]uint32{specs.SchedOther: 0, specs.SchedFIFO: 1, specs.SchedRR: 2, specs.SchedBatch: 3,
		specs.SchedISO: 4, specs.SchedIdle: 5, specs.SchedDeadline: 6}
	flags := map[specs.LinuxSchedulerFlag]uint64{specs.SchedFlagResetOnFork: 1, specs.SchedFlagReclaim: 2, specs.SchedFlagDLOverrun: 4,
		specs.SchedFlagKeepPolicy: 8, specs.SchedFlagKeepParams: 16, specs.SchedFlagUtilClampMin: 32, specs.SchedFlagUtilClampMax: 64}
	policy, ok := policies[s.Policy]
	if !ok {
		return fmt.Errorf("unknown scheduler policy %q", s.Policy)
	}
	a := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy, Nice: s.Nice, Priority: uint32(s.Priority), Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period}
	for _, f := range s.Flags {
		a.Flags |= flags[f]
	}
	if err := unix.SchedSetAttr(pid, &a, 0); err != nil {
		return fmt.Errorf("set scheduler: %w", err)
	}
	return nil
}

func setIOPriority(pid int, p *specs.LinuxIOPriority) error {
	if p == nil {
		return nil
	}
	classes := map[specs.IOPriorityClass]uintptr{specs.IOPRIO_CLASS_RT: 1, specs.IOPRIO_CLASS_BE: 2, specs.IOPRIO_CLASS_IDLE: 3}
	class, ok := classes[p.Class]
	if !ok {
		return fmt.Errorf("unknown I/O priority class %q", p.Class)
	}
	const process, classShift = 1, 13
	if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, process, uintptr(pid), class<<classShift|uintptr(p.Priority)); errno != 0 {
		return fmt.Errorf("set I/O priority: %w", errno)
	}
	return nil
}

// mayChangeGroups: a user namespace made without rights has its groups fixed.
func mayChangeGroups() bool {
	data, err := os.ReadFile("/proc/self/setgroups")
	return err != nil || strings.TrimSpace(string(data)) != "deny"
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
