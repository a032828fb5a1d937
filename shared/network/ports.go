package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/userns"
)

// ParsePorts reads port mappings as --publish takes them,
// [[hostIP:]hostPort:]containerPort[/protocol], each port a number or a range.
func ParsePorts(specs []string) ([]PortMapping, error) {
	var ports []PortMapping
	for _, spec := range specs {
		p, err := parsePort(spec)
		if err != nil {
			return nil, errdef.As(errdef.ErrInvalid, err)
		}
		ports = append(ports, p)
	}
	return ports, nil
}

func parsePort(spec string) (PortMapping, error) {
	const usage = "invalid port format - format is [[hostIP:]hostPort:]containerPort"
	p := PortMapping{Protocol: "tcp"}
	spec, proto, ok := strings.Cut(spec, "/")
	if ok {
		switch proto = strings.ToLower(proto); proto {
		case "tcp", "udp", "sctp":
			p.Protocol = proto
		case "":
			return p, fmt.Errorf("must provide a non-empty protocol to publish")
		default:
			if strings.Contains(proto, "/") {
				return p, fmt.Errorf("invalid port format - protocol can only be specified once")
			}
			return p, fmt.Errorf("unrecognized protocol %q in port mapping", proto)
		}
	}
	if rest, ok := strings.CutPrefix(spec, "["); ok {
		ip, rest, ok := strings.Cut(rest, "]")
		if !ok {
			return p, fmt.Errorf("invalid IPv6 format - missing closing ]")
		}
		if p.HostIP = ip; !strings.HasPrefix(rest, ":") {
			return p, fmt.Errorf(usage)
		}
		spec = "x" + rest
	}
	parts := strings.Split(spec, ":")
	if p.HostIP != "" && len(parts) == 2 {
		return p, fmt.Errorf("invalid port format - must provide host and destination port if specifying an IP")
	}
	host, container := "", parts[len(parts)-1]
	switch len(parts) {
	case 1:
	case 2:
		host = parts[0]
	case 3:
		if host = parts[1]; p.HostIP == "" {
			p.HostIP = parts[0]
		}
	default:
		return p, fmt.Errorf(usage)
	}
	return p, p.setPorts(host, container)
}

func (p *PortMapping) setPorts(host, container string) error {
	if p.HostIP != "" {
		ip := net.ParseIP(p.HostIP)
		if ip == nil {
			return fmt.Errorf("cannot parse %q as an IP address", p.HostIP)
		}
		if p.HostIP = ip.String(); ip.IsUnspecified() && ip.To4() != nil {
			p.HostIP = "0.0.0.0"
		}
	}
	if container == "" {
		return fmt.Errorf("must provide a non-empty container port to publish")
	}
	start, n, err := parseRange(container)
	if err != nil {
		return fmt.Errorf("parsing container port: %w", err)
	}
	p.ContainerPort, p.Range = start, n
	if host == "" {
		return nil
	}
	first, count, err := parseRange(host)
	if err != nil {
		return fmt.Errorf("parsing host port: %w", err)
	}
	if count != n {
		return fmt.Errorf("host and container port ranges have different lengths: %d vs %d", count, n)
	}
	p.HostPort = first
	return nil
}

func parseRange(s string) (start, n uint16, err error) {
	if strings.HasPrefix(s, "-") {
		return 0, 0, fmt.Errorf("port numbers cannot be negative")
	}
	parts := strings.Split(s, "-")
	if len(parts) > 2 {
		return 0, 0, fmt.Errorf("invalid port format - port ranges are formatted as startPort-stopPort")
	}
	if start, err = parsePortNumber(parts[0]); err != nil || len(parts) == 1 {
		return start, 1, err
	}
	if parts[1] == "" {
		return 0, 0, fmt.Errorf("must provide ending number for port range")
	}
	end, err := parsePortNumber(parts[1])
	if err != nil {
		return 0, 0, err
	}
	if end <= start {
		return 0, 0, fmt.Errorf("the end port of a range must be higher than the start port - %d is not higher than %d", end, start)
	}
	return start, end - start + 1, nil
}

func parsePortNumber(s string) (uint16, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("invalid port number: %w", err)
	}
	if n < 1 || n > 65535 {
		return 0, fmt.Errorf("port numbers must be between 1 and 65535 (inclusive), got %d", n)
	}
	return uint16(n), nil
}

// count is how many ports the mapping has.
func (p PortMapping) count() int { return max(int(p.Range), 1) }

// Collides says whether both mappings want the same port of the host's.
func (p PortMapping) Collides(q PortMapping) bool {
	return p.Protocol == q.Protocol && sameHost(net.ParseIP(p.HostIP), net.ParseIP(q.HostIP)) &&
		int(p.HostPort) < int(q.HostPort)+q.count() && int(q.HostPort) < int(p.HostPort)+p.count()
}

// Covers says whether q is a mapping that p names; what p leaves open, the
// host's port and address, may be any.
func (p PortMapping) Covers(q PortMapping) bool {
	return p.Protocol == q.Protocol && p.ContainerPort == q.ContainerPort && p.count() == q.count() &&
		(p.HostPort == 0 || p.HostPort == q.HostPort) && (p.HostIP == "" || p.HostIP == q.HostIP)
}

// ChooseHostPorts returns the mappings with a free host port wherever none was
// asked for. Nothing holds it until HoldPorts does.
func ChooseHostPorts(ports []PortMapping) ([]PortMapping, error) {
	chosen := make([]PortMapping, 0, len(ports))
	for _, p := range ports {
		p.Range = uint16(p.count())
		if p.HostPort == 0 {
			port, err := freePorts(p)
			if err != nil {
				return nil, err
			}
			p.HostPort = port
		}
		chosen = append(chosen, p)
	}
	return chosen, nil
}

// freePorts finds a host port from which on all of the mapping's ports are
// free. The kernel chooses the first.
func freePorts(p PortMapping) (uint16, error) {
	var last error
	for range 64 {
		p.HostPort = 0
		fd, err := listen(p, 0)
		if err != nil {
			return 0, err
		}
		port, err := boundPort(fd)
		unix.Close(fd)
		if err != nil {
			return 0, err
		}
		if int(port)+p.count()-1 > 65535 {
			continue
		}
		p.HostPort = port
		if p.count() == 1 {
			return port, nil
		}
		held, err := bindPorts([]PortMapping{p})
		if err == nil {
			closeAll(held)
			return port, nil
		}
		last = err
	}
	return 0, errdef.Newf(errdef.ErrUnavailable, "find %d free host ports in a row: %w", p.count(), last)
}

func boundPort(fd int) (uint16, error) {
	sa, err := unix.Getsockname(fd)
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return uint16(sa.Port), nil
	case *unix.SockaddrInet6:
		return uint16(sa.Port), nil
	}
	return 0, fmt.Errorf("read the chosen port: %w", err)
}

// HoldPorts reserves the host ports of the mappings: as long as one of the
// returned sockets is open anywhere, nobody else can listen there. Nothing
// reaches them, because packets are redirected before. A taken port is an
// ErrConflict error. The files are closed on exec.
//
// For an ordinary user there are none: what forwards their ports, pasta, holds
// them itself. It is only made sure that they are free.
func HoldPorts(ports []PortMapping) ([]*os.File, error) {
	held, err := bindPorts(ports)
	if err == nil && userns.Rootless() {
		closeAll(held)
		return nil, nil
	}
	return held, err
}

// bindPorts binds all the host ports of the mappings, or none.
func bindPorts(ports []PortMapping) ([]*os.File, error) {
	var held []*os.File
	for _, p := range ports {
		for i := range p.count() {
			fd, err := listen(p, i)
			if err != nil {
				closeAll(held)
				return nil, err
			}
			held = append(held, os.NewFile(uintptr(fd), fmt.Sprintf("port %d/%s", int(p.HostPort)+i, p.Protocol)))
		}
	}
	return held, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// listen binds the i-th port of the mapping and, but for UDP, listens.
func listen(p PortMapping, i int) (int, error) {
	port := int(p.HostPort) + i
	if port > 65535 {
		return -1, errdef.Newf(errdef.ErrInvalid, "port numbers must be between 1 and 65535 (inclusive), got %d", port)
	}
	kind, proto, what := unix.SOCK_STREAM, 0, "listen tcp"
	switch p.Protocol {
	case "udp":
		kind, what = unix.SOCK_DGRAM, "listen udp"
	case "sctp":
		proto, what = unix.IPPROTO_SCTP, "listen sctp"
	}
	family, host := unix.AF_INET, p.HostIP
	var sa unix.Sockaddr
	if ip := net.ParseIP(p.HostIP); ip != nil && ip.To4() == nil {
		family, host, what = unix.AF_INET6, "["+p.HostIP+"]", what+"6"
		sa = &unix.SockaddrInet6{Port: port, Addr: [16]byte(ip.To16())}
	} else {
		v4 := &unix.SockaddrInet4{Port: port}
		what += "4"
		if ip != nil {
			v4.Addr = [4]byte(ip.To4())
		}
		sa = v4
	}
	fail := func(call string, err error) (int, error) {
		err = fmt.Errorf("cannot listen on the %s port: %s %s:%d: %s: %w", strings.ToUpper(p.Protocol), what, host, port, call, err)
		switch {
		case errors.Is(err, unix.EADDRINUSE):
			p.HostPort, p.Range = uint16(port), 1
			return -1, &PortTakenError{Port: p, Err: err}
		case errors.Is(err, unix.EACCES):
			return -1, privileged(port, err)
		}
		return -1, errdef.As(errdef.ErrConflict, err)
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, proto)
	if p.Protocol == "sctp" && (err == unix.EPROTONOSUPPORT || err == unix.ESOCKTNOSUPPORT) {
		// Without SCTP in the kernel no program of the host can take the port.
		fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return fd, err
	}
	if err != nil {
		return fail("socket", err)
	}
	if family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil && kind == unix.SOCK_STREAM {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err != nil {
		unix.Close(fd)
		return fail("bind", err)
	}
	if kind == unix.SOCK_STREAM {
		if err := unix.Listen(fd, 1); err != nil {
			unix.Close(fd)
			return fail("listen", err)
		}
	}
	return fd, nil
}
