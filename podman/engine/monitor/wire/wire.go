// Package wire is what a container's monitor and its clients say to each
// other: one SOCK_SEQPACKET message is one byte of kind and a body. It is
// linked into the monitor, so it imports next to nothing.
package wire

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Kinds of message. The launch kinds pass once, over the socket pair that the
// starting command shares with the launcher; the others go over that pair and
// over every connection to the container's attach socket.
const (
	Launch  = 'L' // to the launcher: a launch request as JSON
	Started = 'S' // from the launcher: the container's pid in decimal
	Failed  = 'E' // from the launcher: the exit status in decimal, a space, the error

	Stdout   = 'o' // from the monitor: bytes of the container's output
	Stderr   = 'e'
	Exited   = 'x' // from the monitor: the exit status in decimal; nothing follows
	Attach   = 'a' // to the monitor: send me the output from here on
	Stdin    = 'i' // to the monitor: bytes for the container's input
	StdinEOF = 'c' // to the monitor: the input ends
	Resize   = 'w' // to the monitor: "ROWS COLS"
	Cleaned  = 'd' // to the monitor: the sender has cleaned up after the exit
	Health   = 'h' // to the monitor: run the health check in so many milliseconds; never where negative
)

// MaxData is the most bytes of data a message carries.
const MaxData = 32 << 10

// Send writes one message, kind before body. buf is scratch and may be nil.
func Send(fd int, kind byte, body []byte, flags int) error {
	iov := [][]byte{{kind}, body}
	if len(body) == 0 {
		iov = iov[:1]
	}
	for {
		_, err := unix.SendmsgBuffers(fd, iov, nil, nil, flags|unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

// Receive reads one message into buf. The kind is 0 when the peer is gone.
func Receive(fd int, buf []byte, flags int) (kind byte, body []byte, err error) {
	for {
		n, _, err := unix.Recvfrom(fd, buf, flags)
		switch {
		case err == unix.EINTR:
			continue
		case n < 1 && (err == nil || err == unix.ECONNRESET): // reset where it left a message unread
			return 0, nil, nil
		case err != nil:
			return 0, nil, err
		}
		return buf[0], buf[1:n], nil
	}
}

// Spec tells the monitor image what it watches. It travels as arguments
// ("key=value"), which `ps` shows to whoever looks for a monitor.
type Spec struct {
	ID      string
	Pid     int    // the container's init, a child of the monitor
	Control int    // descriptor of the pair shared with the starting command
	Listen  int    // descriptor of the listening attach socket
	Out     int    // descriptor of the output pipe, or of the terminal
	Err     int    // descriptor of the error pipe, -1 with a terminal
	In      int    // descriptor of the input pipe, or of the terminal; -1 without input
	Log     int    // descriptor of the log file, -1 for none
	OOM     int    // descriptor of the memory.events of its control group; -1 for none
	Notify  int    // descriptor of the socket for the container's notices to the service manager; -1 for none
	Name    string // of the container, where Log is a socket of systemd's journal
	Tag     string // of its entries there
	// OOMAbove is the descriptor of that of the control group above, which
	// counts for both.
	OOMAbove int
	// OOMBefore is how many processes that had counted as killed.
	OOMBefore int
	Started   int      // when the container was started, Unix nanoseconds
	Hold      int      // first of the descriptors that reserve published ports
	Held      int      // how many they are
	Attach    bool     // the starting command is attached from the start
	TTY       bool     // Out and In are a terminal
	Exit      []string // files that get the exit record, the volatile one first
	LogMax    int      // bytes of the log after which it begins anew; 0 for none
	Limit     int      // when the container is killed, Unix nanoseconds; 0 for never
	Stop      int      // the signal that the container gets when the monitor is to end
	Check     int      // milliseconds until the first health check; -1 for none
	Self      []string // podman with its global options: it cleans up when no client does
}

// Args encodes the specification.
func (s *Spec) Args() []string {
	a := []string{"podman-monitor", "id=" + s.ID}
	for _, f := range s.ints() {
		a = append(a, f.key+"="+strconv.Itoa(*f.p))
	}
	if s.Name != "" {
		a = append(a, "name="+s.Name)
	}
	if s.Tag != "" {
		a = append(a, "tag="+s.Tag)
	}
	if s.TTY {
		a = append(a, "tty=1")
	}
	if s.Attach {
		a = append(a, "attach=1")
	}
	for _, e := range s.Exit {
		a = append(a, "exit="+e)
	}
	for _, c := range s.Self {
		a = append(a, "self="+c)
	}
	return a
}

// ParseSpec decodes what Args made; ok is false where an argument is odd.
func ParseSpec(args []string) (s Spec, ok bool) {
	for _, arg := range args {
		key, value := cut(arg)
		switch key {
		case "id":
			s.ID = value
		case "name":
			s.Name = value
		case "tag":
			s.Tag = value
		case "tty":
			s.TTY = true
		case "attach":
			s.Attach = true
		case "exit":
			s.Exit = append(s.Exit, value)
		case "self":
			s.Self = append(s.Self, value)
		default:
			if !s.setInt(key, value) {
				return s, false
			}
		}
	}
	return s, s.ID != "" && s.Pid > 0
}

type intField struct {
	key string
	p   *int
}

func (s *Spec) ints() []intField {
	return []intField{{"pid", &s.Pid}, {"control", &s.Control}, {"listen", &s.Listen},
		{"out", &s.Out}, {"err", &s.Err}, {"in", &s.In}, {"log", &s.Log}, {"oom", &s.OOM}, {"oomabove", &s.OOMAbove}, {"oombefore", &s.OOMBefore},
		{"notify", &s.Notify},
		{"hold", &s.Hold}, {"held", &s.Held}, {"started", &s.Started}, {"check", &s.Check},
		{"logmax", &s.LogMax}, {"limit", &s.Limit}, {"stop", &s.Stop}}
}

func (s *Spec) setInt(key, value string) bool {
	for _, f := range s.ints() {
		if f.key == key {
			n, err := strconv.Atoi(value)
			*f.p = n
			return err == nil
		}
	}
	return false
}

func cut(s string) (key, value string) {
	for i := range len(s) {
		if s[i] == '=' {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
