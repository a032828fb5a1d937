package loop

import (
	"strconv"

	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"golang.org/x/sys/unix"
)

// maxQueue is how many bytes of output an attached client may lag behind
// before it is dropped. The command that started the container is never
// dropped: its pipeline must see every byte, so the container waits for it.
const maxQueue = 1 << 20

type client struct {
	fd       int
	primary  bool
	attached bool
	gone     bool
	queue    []message
	queued   int
}

type message struct {
	kind byte
	body []byte
}

func (c *client) events(readable bool) int16 {
	var events int16
	if readable {
		events |= unix.POLLIN
	}
	if len(c.queue) > 0 {
		events |= unix.POLLOUT
	}
	return events
}

// send passes a message on at once, or queues it behind those that wait.
func (c *client) send(kind byte, body []byte) {
	if c.gone {
		return
	}
	if len(c.queue) == 0 {
		err := wire.Send(c.fd, kind, body, unix.MSG_DONTWAIT)
		if err == nil {
			return
		}
		if err != unix.EAGAIN {
			c.gone = true
			return
		}
	}
	c.queue = append(c.queue, message{kind, append([]byte(nil), body...)})
	c.queued += len(body)
	if !c.primary && c.queued > maxQueue {
		c.gone = true
	}
}

func (c *client) flush() {
	for len(c.queue) > 0 {
		err := wire.Send(c.fd, c.queue[0].kind, c.queue[0].body, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return
		}
		if err != nil {
			c.gone = true
			return
		}
		c.queued -= len(c.queue[0].body)
		c.queue = c.queue[1:]
	}
	c.queue = nil
}

// congested says whether the container has to wait for its starting command.
func (m *monitor) congested() bool {
	for _, c := range m.clients {
		if c.primary && len(c.queue) > 0 {
			return true
		}
	}
	return false
}

func (m *monitor) accept() bool {
	fd, _, err := unix.Accept4(m.spec.Listen, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err == nil {
		m.clients = append(m.clients, &client{fd: fd})
	}
	return err == nil
}

// reap drops the clients that are gone.
func (m *monitor) reap() {
	kept := m.clients[:0:0]
	for _, c := range m.clients {
		if c.gone {
			unix.Close(c.fd)
			continue
		}
		kept = append(kept, c)
	}
	m.clients = kept
}

func (m *monitor) serve(c *client, revents int16) {
	if revents&unix.POLLOUT != 0 {
		c.flush()
	}
	if revents&(unix.POLLIN|unix.POLLHUP|unix.POLLERR) == 0 || c.gone {
		return
	}
	for !c.gone && len(m.pending) == 0 {
		kind, body, err := wire.Receive(c.fd, m.buf, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return
		}
		if err != nil || kind == 0 {
			c.gone = true
			return
		}
		m.handle(c, kind, body)
	}
}

func (m *monitor) handle(c *client, kind byte, body []byte) {
	switch kind {
	case wire.Attach:
		c.attached = true
	case wire.Health:
		if ms, err := strconv.Atoi(string(body)); err == nil {
			m.scheduleCheck(ms)
		}
	case wire.Cleaned:
		m.cleaned = true
	case wire.Stdin:
		if m.spec.In >= 0 && !m.exited {
			m.pending = append(m.pending[:0:0], body...)
			m.writeInput()
		}
	case wire.StdinEOF:
		m.inEOF = true
		m.writeInput()
	case wire.Resize:
		if rows, cols, ok := parseSize(body); ok && m.spec.TTY && m.spec.Out >= 0 {
			unix.IoctlSetWinsize(m.spec.Out, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
		}
	}
}

// parseSize reads "ROWS COLS".
func parseSize(b []byte) (rows, cols uint16, ok bool) {
	n := [2]int{}
	i := 0
	for _, ch := range b {
		switch {
		case ch == ' ' && i == 0:
			i = 1
		case ch >= '0' && ch <= '9' && n[i] < 1<<15:
			n[i] = n[i]*10 + int(ch-'0')
		default:
			return 0, 0, false
		}
	}
	return uint16(n[0]), uint16(n[1]), i == 1
}
