package loop

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// counts makes a file of counts as the kernel's.
func counts(t *testing.T, killed int) *os.File {
	f, err := os.Create(filepath.Join(t.TempDir(), "memory.events"))
	if err == nil {
		_, err = f.WriteString("low 0\nhigh 0\nmax 9\noom 9\noom_kill " + strconv.Itoa(killed) + "\noom_group_kill 0\n")
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAGroupThatIsThereKnows(t *testing.T) {
	for killed, want := range []bool{false, true} {
		above := counts(t, 7)
		m := newMemory(int(counts(t, killed).Fd()), int(above.Fd()), 7)
		m.end(unix.SIGKILL)
		if m.killed != want {
			t.Errorf("%d were killed: %v", killed, m.killed)
		}
	}
}

func TestTheGroupAboveKnowsOfOneThatIsGone(t *testing.T) {
	for _, test := range []struct {
		signal unix.Signal
		above  int
		seen   bool // at its limit, when the group above had counted two
		want   bool
	}{{unix.SIGKILL, 2, false, true}, {unix.SIGKILL, 1, false, false}, {unix.SIGTERM, 2, false, false}, {unix.SIGKILL, 2, true, false}} {
		m := newMemory(int(counts(t, 0).Fd()), int(counts(t, test.above).Fd()), 1)
		if test.seen {
			m.look()
		}
		m.group = -1
		m.end(test.signal)
		if m.killed != test.want {
			t.Errorf("%+v: %v", test, m.killed)
		}
	}
}
