package loop

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// check is when the container's health is looked at next, and the podman that
// does so now. It says itself when it wants to be run again, so the monitor
// knows nothing of intervals and start periods.
type check struct {
	at    time.Time // zero is never
	pid   int
	pidfd int  // -1 where none runs
	asked bool // the one that runs has said when it is to be run again
}

// afterCrash is how long the monitor waits after a check that said nothing:
// somebody killed it, or the container was paused or going.
const afterCrash = 5 * time.Second

// scheduleCheck has the check run in so many milliseconds; never where
// negative.
func (m *monitor) scheduleCheck(ms int) {
	m.check.asked = true
	m.check.at = time.Time{}
	if ms >= 0 {
		m.check.at = time.Now().Add(time.Duration(ms) * time.Millisecond)
	}
}

// beforeCheck starts the check when it is due, and returns how many
// milliseconds may pass until then; negative for any number.
func (m *monitor) beforeCheck() int {
	c := &m.check
	if c.pidfd >= 0 || c.at.IsZero() {
		return -1
	}
	if left := time.Until(c.at); left > 0 {
		return int(left.Milliseconds()) + 1
	}
	c.asked = false
	c.at = time.Now().Add(afterCrash)
	if c.pid = m.podman("healthcheck", "run", m.spec.ID); c.pid == 0 {
		return int(afterCrash.Milliseconds())
	}
	fd, err := unix.PidfdOpen(c.pid, 0)
	if err != nil {
		// Without it the end can't be waited for beside the rest.
		syscall.Wait4(c.pid, nil, 0, nil)
		return int(afterCrash.Milliseconds())
	}
	c.pidfd = fd
	return -1
}

// checked collects a check that has ended.
func (m *monitor) checked() {
	c := &m.check
	syscall.Wait4(c.pid, nil, 0, nil)
	unix.Close(c.pidfd)
	c.pidfd = -1
	if !c.asked {
		c.at = time.Now().Add(afterCrash)
	}
}
