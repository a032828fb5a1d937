package network

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// PortTakenError says that a port of the host is somebody else's.
type PortTakenError struct {
	Port PortMapping // one port
	Err  error
}

func (e *PortTakenError) Error() string { return e.Err.Error() }

// Unwrap gives the system's error.
func (e *PortTakenError) Unwrap() error { return e.Err }

// Is makes it an errdef.ErrConflict.
func (e *PortTakenError) Is(target error) bool { return target == errdef.ErrConflict }

// sameHost tells whether one socket on each of the addresses would be too many;
// nil is any address.
func sameHost(a, b net.IP) bool {
	any := func(ip net.IP) bool { return ip == nil || ip.IsUnspecified() }
	return any(a) || any(b) || a.Equal(b)
}

// Holder finds the process that has the port; ok is false where it hides: it is
// another user's, or in another PID namespace.
func (e *PortTakenError) Holder() (pid int, name string, ok bool) {
	inodes := e.sockets()
	if len(inodes) == 0 {
		return 0, "", false
	}
	all, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range all {
		to, err := os.Readlink(fd)
		if err != nil || !inodes[to] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		comm, err := os.ReadFile(dir + "/comm")
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(dir))
		return pid, strings.TrimSpace(string(comm)), true
	}
	return 0, "", false
}

// sockets are the sockets that are bound there, as /proc/PID/fd names them.
func (e *PortTakenError) sockets() map[string]bool {
	inodes := map[string]bool{}
	for _, table := range []string{e.Port.Protocol, e.Port.Protocol + "6"} {
		f, err := os.Open("/proc/net/" + table)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			const local, state, inode, listening = 1, 3, 9, "0A"
			fields := strings.Fields(lines.Text())
			if len(fields) <= inode || strings.HasPrefix(table, "tcp") && fields[state] != listening {
				continue
			}
			ip, port, ok := procAddress(fields[local])
			if ok && port == e.Port.HostPort && sameHost(ip, net.ParseIP(e.Port.HostIP)) {
				inodes["socket:["+fields[inode]+"]"] = true
			}
		}
		f.Close()
	}
	return inodes
}

// procAddress reads ADDRESS:PORT of /proc/net: hexadecimal, the address in words
// of the machine's byte order.
func procAddress(text string) (net.IP, uint16, bool) {
	address, number, ok := strings.Cut(text, ":")
	b, err := hex.DecodeString(address)
	port, err2 := strconv.ParseUint(number, 16, 16)
	if !ok || errors.Join(err, err2) != nil || len(b)%4 != 0 {
		return nil, 0, false
	}
	ip := make(net.IP, len(b))
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(ip[i:], binary.BigEndian.Uint32(b[i:]))
	}
	return ip, uint16(port), true
}

// privileged explains why an ordinary user can't have the port.
func privileged(port int, err error) error {
	first := "1024"
	if text, readErr := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); readErr == nil {
		first = strings.TrimSpace(string(text))
	}
	return errdef.Newf(errdef.ErrDenied, "cannot expose privileged port %d, you can add 'net.ipv4.ip_unprivileged_port_start=%d' to /etc/sysctl.conf (currently %s), or choose a larger port number (>= %s): %w",
		port, port, first, first, err)
}
