package loop

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// memory follows whether the kernel has killed a process of the container for
// want of memory. Its control group knows, but systemd takes that away with
// its last process, often before it can be read. Then the group above, which
// counts for all below it, decides: it has counted more than when the container
// was started, or last seen at its limit. That can be another's, so it means
// something only for a container that nobody is known to have killed.
type memory struct {
	group, above int // descriptors of memory.events, -1 for none
	watched      int // the group's while it is worth polling
	before       int // what the group above had counted then
	killed       bool
}

func newMemory(group, above, before int) memory {
	m := memory{group: group, above: above, watched: group, before: before}
	Killed(group) // what is polled is what changes from here on
	return m
}

// look is for when the group's counts have changed.
func (m *memory) look() {
	above, _ := Killed(m.above)
	n, ok := Killed(m.group)
	if !ok {
		m.watched = -1
		return
	}
	m.before, m.killed = above, n > 0
}

// end is the last look, at a container that has ended by the signal.
func (m *memory) end(signal unix.Signal) {
	if n, ok := Killed(m.group); ok {
		m.killed = n > 0
	} else if n, ok := Killed(m.above); ok && signal == unix.SIGKILL {
		m.killed = m.killed || n > m.before
	}
}

// Killed reads how many processes have been killed from a file memory.events.
func Killed(fd int) (n int, ok bool) {
	var buf [512]byte
	size, err := unix.Pread(fd, buf[:], 0)
	if fd < 0 || err != nil {
		return 0, false
	}
	for line := range bytes.Lines(buf[:size]) {
		if count, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
			n, _ = strconv.Atoi(string(bytes.TrimSpace(count)))
		}
	}
	return n, true
}
