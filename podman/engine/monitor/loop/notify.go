package loop

import (
	"bytes"
	"os"

	"golang.org/x/sys/unix"
)

// passNotice passes on what the container tells the service manager, all but
// what is about processes and descriptors: it knows neither's numbers.
func (m *monitor) passNotice() {
	n, _, err := unix.Recvfrom(m.spec.Notify, m.buf[:4096], unix.MSG_DONTWAIT)
	if err != nil {
		return
	}
	var passed []byte
	for line := range bytes.Lines(m.buf[:n]) {
		key, _, _ := bytes.Cut(line, []byte{'='})
		switch string(key) {
		case "READY", "RELOADING", "STOPPING", "STATUS", "ERRNO", "BUSERROR", "EXIT_STATUS", "WATCHDOG", "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "MONOTONIC_USEC":
			passed = append(passed, line...)
		}
	}
	if len(passed) == 0 {
		return
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	unix.Sendto(fd, passed, unix.MSG_DONTWAIT, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")})
	unix.Close(fd)
}
