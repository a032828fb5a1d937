package engine

import (
	"os"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// checkCPUSets refuses processors and memory nodes that the machine hasn't.
func checkCPUSets(cpus, mems string) error {
	for _, s := range []struct{ flag, name, asked, online string }{
		{"--cpuset-cpus", "CPUs", cpus, "/sys/devices/system/cpu/online"},
		{"--cpuset-mems", "memory nodes", mems, "/sys/devices/system/node/online"},
	} {
		if s.asked == "" {
			continue
		}
		asked, ok := parseSet(s.asked)
		if !ok {
			return errdef.Newf(errdef.ErrInvalid, "invalid value %q for %s: want numbers and ranges, as in 0-2,4", s.asked, s.flag)
		}
		text, err := os.ReadFile(s.online)
		if err != nil {
			continue // the kernel will tell
		}
		there := strings.TrimSpace(string(text))
		online, _ := parseSet(there)
		for _, r := range asked {
			if !online.has(r[0]) || !online.has(r[1]) {
				return errdef.Newf(errdef.ErrInvalid, "requested %s are not available - requested %s, available: %s", s.name, s.asked, there)
			}
		}
	}
	return nil
}

// numberSet is a list of ranges, both ends included.
type numberSet [][2]uint64

func (s numberSet) has(n uint64) bool {
	for _, r := range s {
		if r[0] <= n && n <= r[1] {
			return true
		}
	}
	return false
}

// parseSet reads the kernel's notation of sets of numbers, 0-2,4.
func parseSet(text string) (numberSet, bool) {
	var set numberSet
	for _, part := range strings.Split(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err := strconv.ParseUint(low, 10, 32)
		if err != nil {
			return nil, false
		}
		to, err := strconv.ParseUint(high, 10, 32)
		if err != nil || to < from {
			return nil, false
		}
		set = append(set, [2]uint64{from, to})
	}
	return set, true
}
