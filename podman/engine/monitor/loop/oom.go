package loop

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// outOfMemory says whether the kernel has killed a process of the container for
// want of memory: " oom" in the exit record, or " oom?" where that can't be
// told, because systemd has taken the control group away with its last process.
func (m *monitor) outOfMemory() string {
	if m.spec.OOM < 0 {
		return ""
	}
	var buf [512]byte
	n, err := unix.Pread(m.spec.OOM, buf[:], 0)
	if err != nil {
		return " oom?"
	}
	for line := range bytes.Lines(buf[:n]) {
		if count, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok && count[0] != '0' {
			return " oom"
		}
	}
	return ""
}
