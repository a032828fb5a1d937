package runtime

import (
	"os"
	"strconv"
	"strings"

	"github.com/moby/sys/userns"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// rlimit is a resource limit as the kernel takes it.
type rlimit struct {
	Type int    `json:"type"`
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// rlimits translates resource limits. What this process may not raise is
// clamped to what it may: the kernel would refuse the whole container.
func rlimits(in []specs.POSIXRlimit) ([]rlimit, error) {
	out := make([]rlimit, 0, len(in))
	for _, r := range in {
		kind, ok := rlimitKind(r.Type)
		if !ok {
			return nil, errdef.Newf(errdef.ErrInvalid, "unknown resource limit %q", r.Type)
		}
		hard := min(r.Hard, allowedHard(kind, r.Hard))
		out = append(out, rlimit{Type: kind, Hard: hard, Soft: min(r.Soft, hard)})
	}
	return out, nil
}

// allowedHard is the highest hard limit up to want that may be set.
func allowedHard(kind int, want uint64) uint64 {
	var own unix.Rlimit
	if err := unix.Getrlimit(kind, &own); err != nil || want <= own.Max {
		return want
	}
	if !mayRaise() {
		return own.Max
	}
	if kind == unix.RLIMIT_NOFILE {
		return max(own.Max, min(want, maxOpenFiles(want)))
	}
	return want
}

// mayRaise tells whether the kernel lets this process raise hard limits, which
// it allows only with the capability in the initial user namespace.
func mayRaise() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0 && !userns.RunningInUserNS()
}

// maxOpenFiles is the kernel's own bound for RLIMIT_NOFILE.
func maxOpenFiles(otherwise uint64) uint64 {
	data, err := os.ReadFile("/proc/sys/fs/nr_open")
	if err != nil {
		return otherwise
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

// oomScore clamps the adjustment to the lowest this process may set.
func oomScore(want *int) *int {
	if want == nil {
		return nil
	}
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return want
	}
	own, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || *want >= own || mayRaise() {
		return want
	}
	return &own
}

func rlimitKind(name string) (int, bool) {
	switch name {
	case "RLIMIT_CPU":
		return unix.RLIMIT_CPU, true
	case "RLIMIT_FSIZE":
		return unix.RLIMIT_FSIZE, true
	case "RLIMIT_DATA":
		return unix.RLIMIT_DATA, true
	case "RLIMIT_STACK":
		return unix.RLIMIT_STACK, true
	case "RLIMIT_CORE":
		return unix.RLIMIT_CORE, true
	case "RLIMIT_RSS":
		return unix.RLIMIT_RSS, true
	case "RLIMIT_NPROC":
		return unix.RLIMIT_NPROC, true
	case "RLIMIT_NOFILE":
		return unix.RLIMIT_NOFILE, true
	case "RLIMIT_MEMLOCK":
		return unix.RLIMIT_MEMLOCK, true
	case "RLIMIT_AS":
		return unix.RLIMIT_AS, true
	case "RLIMIT_LOCKS":
		return unix.RLIMIT_LOCKS, true
	case "RLIMIT_SIGPENDING":
		return unix.RLIMIT_SIGPENDING, true
	case "RLIMIT_MSGQUEUE":
		return unix.RLIMIT_MSGQUEUE, true
	case "RLIMIT_NICE":
		return unix.RLIMIT_NICE, true
	case "RLIMIT_RTPRIO":
		return unix.RLIMIT_RTPRIO, true
	case "RLIMIT_RTTIME":
		return unix.RLIMIT_RTTIME, true
	}
	return 0, false
}
