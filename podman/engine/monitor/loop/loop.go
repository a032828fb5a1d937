package loop

import (
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"golang.org/x/sys/unix"
)

// monitor is the state of the loop; one goroutine owns it.
type monitor struct {
	spec    wire.Spec
	pidfd   int
	clients []*client
	log     logger
	pending []byte // input that the container hasn't taken yet
	inEOF   bool   // the input ends when pending is written
	exited  bool
	status  int
	cleaned bool
	check   check
	late    bool // it has been killed because its time was out
	memory  memory
	buf     []byte
	fds     []unix.PollFd
}

// Run watches the container until it has ended, its exit is recorded and
// somebody has cleaned up or been started to.
func Run(spec wire.Spec) { RunFor(&spec, 0) }

// RunFor is Run, but for grace: when that has passed it returns false at the
// first quiet moment, and spec then says all that another Run needs to go on.
func RunFor(spec *wire.Spec, grace time.Duration) (ended bool) {
	m := newMonitor(*spec)
	deadline := time.Now().Add(grace)
	for !m.exited {
		if grace == 0 {
			m.wait(m.timers())
			continue
		}
		left := time.Until(deadline)
		if left <= 0 {
			if m.quiet() {
				m.handOver(spec)
				return false
			}
			m.timers() // whoever keeps it from being quiet may stay for long
		}
		m.wait(int(max(left, 10*time.Millisecond).Milliseconds()))
	}
	m.finish()
	return true
}

func newMonitor(spec wire.Spec) *monitor {
	m := &monitor{spec: spec, buf: make([]byte, wire.MaxData+1)}
	m.log.open(spec.Log, spec.LogMax)
	if spec.Name != "" {
		j := newJournal(&spec)
		m.log.journal = &j
	}
	m.check.pidfd = -1
	m.memory = newMemory(spec.OOM, spec.OOMAbove, spec.OOMBefore)
	for _, fd := range []int{spec.Control, spec.Listen, spec.Out, spec.Err, spec.In} {
		if fd >= 0 {
			unix.SetNonblock(fd, true)
			unix.CloseOnExec(fd)
		}
	}
	for i := range spec.Held {
		unix.CloseOnExec(spec.Hold + i)
	}
	var err error
	if m.pidfd, err = unix.PidfdOpen(spec.Pid, unix.PIDFD_NONBLOCK); err != nil {
		m.pidfd = -1
	}
	passStop(m.pidfd, unix.Signal(spec.Stop))
	m.scheduleCheck(spec.Check)
	if spec.Control >= 0 {
		m.clients = append(m.clients, &client{fd: spec.Control, primary: true, attached: spec.Attach})
	}
	return m
}

// passStop has whoever asks the monitor to end, as systemd does with a service
// or when the system goes down, end the container: its exit is recorded then.
func passStop(pidfd int, stop unix.Signal) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM)
	go func() {
		for range asked {
			unix.PidfdSendSignal(pidfd, stop, nil, 0)
		}
	}()
}

// timedOut is the exit status of a container that ran too long.
const timedOut = 255

// timers does what is due, and returns how many milliseconds may pass until
// something else is; negative for any number.
func (m *monitor) timers() int {
	next := m.beforeCheck()
	if m.spec.Limit == 0 || m.late {
		return next
	}
	left := time.Until(time.Unix(0, int64(m.spec.Limit)))
	if left <= 0 {
		m.late = true
		unix.PidfdSendSignal(m.pidfd, unix.SIGKILL, nil, 0)
		return next
	}
	if ms := int(left.Milliseconds()) + 1; next < 0 || ms < next {
		next = ms
	}
	return next
}

// quiet says whether nothing is under way that a specification can't tell.
func (m *monitor) quiet() bool {
	if len(m.pending) > 0 || m.check.pidfd >= 0 {
		return false
	}
	for _, c := range m.clients {
		if !c.primary || len(c.queue) > 0 {
			return false
		}
	}
	return true
}

// handOver puts what this monitor knows into the specification.
func (m *monitor) handOver(spec *wire.Spec) {
	*spec = m.spec
	spec.Control, spec.Attach, spec.Check = -1, false, -1
	spec.OOMBefore = m.memory.before
	if at := m.check.at; !at.IsZero() {
		spec.Check = int(max(0, time.Until(at).Milliseconds()))
	}
	for _, c := range m.clients {
		spec.Control, spec.Attach = c.fd, c.attached
	}
	if m.pidfd >= 0 {
		unix.Close(m.pidfd)
	}
}

// wait polls once and serves what is ready: clients before output, so that a
// client's Attach takes effect before the output that follows it. The time-out
// is in milliseconds, negative for none.
func (m *monitor) wait(timeout int) {
	m.fds = m.fds[:0]
	add := func(fd int, events int16) { m.fds = append(m.fds, unix.PollFd{Fd: int32(fd), Events: events}) }
	add(m.pidfd, unix.POLLIN)
	add(m.spec.Listen, unix.POLLIN)
	in := -1
	if len(m.pending) > 0 {
		in = m.spec.In
	}
	add(in, unix.POLLOUT)
	out, errs := m.spec.Out, m.spec.Err
	if m.congested() {
		out, errs = -1, -1
	}
	add(out, unix.POLLIN)
	add(errs, unix.POLLIN)
	add(m.check.pidfd, unix.POLLIN)
	add(m.spec.Notify, unix.POLLIN)
	add(m.memory.watched, unix.POLLPRI)
	const fixed = 8
	polled := m.clients
	for _, c := range polled {
		add(c.fd, c.events(len(m.pending) == 0))
	}
	if !m.poll(timeout) {
		return
	}
	for i, c := range polled {
		m.serve(c, m.fds[fixed+i].Revents)
	}
	m.reap()
	if m.fds[1].Revents != 0 && m.accept() {
		return // the next look finds what the client has sent already
	}
	if m.fds[2].Revents != 0 {
		m.writeInput()
	}
	if m.fds[3].Revents != 0 {
		m.spec.Out = m.copyOutput(m.spec.Out, wire.Stdout)
	}
	if m.fds[4].Revents != 0 {
		m.spec.Err = m.copyOutput(m.spec.Err, wire.Stderr)
	}
	if m.fds[5].Revents != 0 {
		m.checked()
	}
	if m.fds[7].Revents != 0 {
		m.memory.look()
	}
	if m.fds[6].Revents != 0 {
		m.passNotice()
	}
	if m.fds[0].Revents != 0 {
		m.collect()
	}
}

func (m *monitor) poll(timeout int) bool {
	n, err := unix.Poll(m.fds, timeout)
	return err == nil && n > 0
}

// copyOutput moves one chunk; it returns -1 once the descriptor has ended.
func (m *monitor) copyOutput(fd int, kind byte) int {
	n, err := unix.Read(fd, m.buf[:wire.MaxData])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return fd
	case err != nil || n == 0: // EIO: the terminal's last process has gone
		if fd != m.spec.In {
			unix.Close(fd)
		}
		return -1
	}
	m.log.write(kind, m.buf[:n])
	for _, c := range m.clients {
		if c.attached {
			c.send(kind, m.buf[:n])
		}
	}
	return fd
}

// writeInput hands pending input to the container as far as it takes it.
func (m *monitor) writeInput() {
	for len(m.pending) > 0 {
		n, err := unix.Write(m.spec.In, m.pending)
		if err == unix.EAGAIN || err == unix.EINTR {
			return
		}
		if err != nil {
			m.pending, m.inEOF = nil, true
			break
		}
		m.pending = m.pending[n:]
	}
	if len(m.pending) == 0 && m.inEOF && !m.spec.TTY && m.spec.In >= 0 {
		unix.Close(m.spec.In)
		m.spec.In = -1
	}
}

// collect takes the container's exit status and what output it left behind.
func (m *monitor) collect() {
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(m.spec.Pid, &ws, 0, nil)
		if err != syscall.EINTR {
			break
		}
	}
	m.status = ws.ExitStatus()
	if ws.Signaled() {
		m.status = 128 + int(ws.Signal())
	}
	if m.late {
		m.status = timedOut
	}
	m.exited = true
	m.memory.end(ws.Signal())
	for m.spec.Out >= 0 && m.more(m.spec.Out) {
		m.spec.Out = m.copyOutput(m.spec.Out, wire.Stdout)
	}
	for m.spec.Err >= 0 && m.more(m.spec.Err) {
		m.spec.Err = m.copyOutput(m.spec.Err, wire.Stderr)
	}
}

func (m *monitor) more(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// finish records the exit, tells the clients, and waits until the command
// that started the container has cleaned up; where it is gone a new one does.
func (m *monitor) finish() {
	for i := range m.spec.Held {
		unix.Close(m.spec.Hold + i)
	}
	record := strconv.Itoa(m.status) + " " + strconv.FormatInt(time.Now().UnixNano(), 10) +
		" " + strconv.Itoa(m.spec.Started)
	if m.memory.killed {
		record += " oom"
	}
	record += "\n"
	for _, path := range m.spec.Exit {
		writeAtomic(path, record)
	}
	for m.accept() { // who has come since the last look hears of the end, too
	}
	unix.Close(m.spec.Listen)
	code := []byte(strconv.Itoa(m.status))
	for _, c := range m.clients {
		c.send(wire.Exited, code)
	}
	deadline := time.Now().Add(5 * time.Second) // for a slow reader; the starting command may take its time
	for {
		waiting := m.unfinished(time.Now().After(deadline))
		if len(waiting) == 0 {
			break
		}
		m.fds = m.fds[:0]
		for _, c := range waiting {
			m.fds = append(m.fds, unix.PollFd{Fd: int32(c.fd), Events: c.events(true)})
		}
		m.poll(1000)
		for i, c := range waiting {
			m.serve(c, m.fds[i].Revents)
		}
		m.reap()
	}
	if !m.cleaned {
		m.podman("container", "cleanup", m.spec.ID)
	}
}

// podman starts a podman for the container, with no streams and in a session
// of its own. The pid is 0 where it can't be.
func (m *monitor) podman(args ...string) (pid int) {
	if len(m.spec.Self) == 0 {
		return 0
	}
	devnull, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(devnull)
	fd := uintptr(devnull)
	pid, err = syscall.ForkExec(m.spec.Self[0], append(append([]string(nil), m.spec.Self...), args...), &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []uintptr{fd, fd, fd}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return 0
	}
	return pid
}

// unfinished lists the clients that the monitor still waits for.
func (m *monitor) unfinished(late bool) (waiting []*client) {
	for _, c := range m.clients {
		if c.primary && !m.cleaned || len(c.queue) > 0 && !late {
			waiting = append(waiting, c)
		}
	}
	return waiting
}

// writeAtomic replaces the file; an error leaves it as it was, and the next
// command finds the container gone without a record.
func writeAtomic(path, text string) {
	tmp := path + ".tmp"
	fd, err := unix.Open(tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return
	}
	n, err := unix.Write(fd, []byte(text))
	unix.Close(fd)
	if err == nil && n == len(text) {
		unix.Rename(tmp, path)
	}
}
