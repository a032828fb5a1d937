package runtime

import (
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/shared/errdef"
)

// ParseBytes reads an amount of memory: a number with b, k, m or g (powers of
// 1024) behind it, or -1 for no limit.
func ParseBytes(s string) (int64, error) {
	if s == "-1" {
		return -1, nil
	}
	return units.RAMInBytes(s)
}

// ParseUlimit reads NAME=SOFT[:HARD]; -1 is no limit.
func ParseUlimit(s string) (specs.POSIXRlimit, error) {
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
