package runtime_test

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

// TestSeccompFileAndData: the shipped profile file and the data made from it
// say the same.
func TestSeccompFileAndData(t *testing.T) {
	data, err := os.ReadFile("../../conf/seccomp.json")
	must(t, err)
	for _, caps := range [][]string{nil, runtime.DefaultCapabilities(), {"CAP_SYS_ADMIN"}, {"CAP_BPF", "CAP_AUDIT_WRITE", "CAP_PERFMON"}} {
		parsed, err := runtime.ParseSeccomp(data, caps)
		must(t, err)
		if got := runtime.Seccomp(caps); !reflect.DeepEqual(got, parsed) {
			t.Errorf("with %v they differ: run go generate", caps)
		}
	}
}

func TestParseSeccompRefuses(t *testing.T) {
	for _, bad := range []string{"", "{", "{}", `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["x"],"archMap":[{}]}`} {
		if _, err := runtime.ParseSeccomp([]byte(bad), nil); !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestMergeCapabilities(t *testing.T) {
	base := []string{"CAP_CHOWN", "kill"} // containers.conf writes them without CAP_
	for _, c := range []struct{ add, drop, want []string }{
		{nil, nil, []string{"CAP_CHOWN", "CAP_KILL"}},
		{[]string{"net_admin"}, []string{"KILL"}, []string{"CAP_CHOWN", "CAP_NET_ADMIN"}},
		{[]string{"cap_setuid"}, []string{"all"}, []string{"CAP_SETUID"}},
		{nil, []string{"ALL"}, nil},
	} {
		got, err := runtime.MergeCapabilities(base, c.add, c.drop)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("add %v drop %v: %v, %v", c.add, c.drop, got, err)
		}
	}
	for _, c := range [][2]string{{"nosuch", "kill"}, {"kill", "kill"}, {"all", "all"}} {
		if _, err := runtime.MergeCapabilities(base, c[:1], c[1:]); !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%v: %v", c, err)
		}
	}
	all, err := runtime.MergeCapabilities(base, []string{"ALL"}, []string{"CHOWN"})
	if err != nil || slices.Contains(all, "CAP_CHOWN") || !slices.Contains(all, "CAP_KILL") {
		t.Errorf("all but one: %v, %v", all, err)
	}
}
