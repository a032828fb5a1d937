package network

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// pastaDNS is the address at which pasta passes queries on to the host's
// resolver.
const pastaDNS = "169.254.1.1"

// setupPasta gives the namespace a user-space network.
func (m *Manager) setupPasta(ctx context.Context, nsPath string, ep Endpoint) (map[string]Status, error) {
	if err := m.startPasta(ctx, nsPath, ep); err != nil {
		return nil, err
	}
	return pastaStatus(nsPath)
}

// startPasta has pasta connect the namespace and forward the ports. It runs
// until the namespace is gone, and this returns once the container can use it.
func (m *Manager) startPasta(ctx context.Context, nsPath string, ep Endpoint) error {
	path, err := exec.LookPath(cmp.Or(m.o.Pasta, "pasta"))
	if err != nil {
		return errdef.Newf(errdef.ErrUnavailable, "set up rootless networking: pasta isn't installed (package passt): install it, or use --network host or none")
	}
	ns, err := openNS(nsPath)
	if err != nil {
		return err
	}
	ns.Close()
	// pasta binds the ports by itself; asking first tells which one is taken.
	held, err := bindPorts(ep.Ports)
	if err != nil {
		return err
	}
	closeAll(held)
	args, err := m.pastaArgs(nsPath, ep)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/"
	out, err := os.CreateTemp("", ".pasta-*")
	if err != nil {
		return err
	}
	defer out.Close()
	os.Remove(out.Name())
	// A file, not a pipe: pasta stays in the background with what it has open.
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text := make([]byte, 4096)
		n, _ := out.ReadAt(text, 0)
		if fd, tun := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); tun == nil {
			unix.Close(fd)
		} else {
			return errdef.Newf(errdef.ErrUnavailable, "set up rootless networking: open /dev/net/tun: %w: pasta needs it: load the module tun and let users read and write the device, or use --network host or none", tun)
		}
		return errdef.Newf(errdef.ErrUnavailable, "set up rootless networking: pasta: %w: %s", err, oneLine(text[:n]))
	}
	return nil
}

// oneLine is a program's complaint without line ends.
func oneLine(text []byte) string {
	return string(bytes.ReplaceAll(bytes.TrimSpace(text), []byte("\n"), []byte("; ")))
}

// pastaArgs are the arguments that pasta gets. Nothing is forwarded but what is
// published, and the host can't be reached through the gateway's address.
func (m *Manager) pastaArgs(nsPath string, ep Endpoint) ([]string, error) {
	args := []string{"--config-net"}
	given := append(slices.Clone(m.o.PastaOptions), ep.PastaOptions...)
	var forwarded [2]bool
	for _, p := range ep.Ports {
		flag := "-t"
		switch p.Protocol {
		case "tcp", "":
			forwarded[0] = true
		case "udp":
			flag, forwarded[1] = "-u", true
		default:
			return nil, errdef.Newf(errdef.ErrUnsupported, "can't forward protocol %q: pasta knows tcp and udp", p.Protocol)
		}
		args = append(args, flag, pastaPort(p))
	}
	for i, flag := range []string{"-t", "-u"} {
		if !forwarded[i] && !has(given, flag) {
			args = append(args, flag, "none")
		}
	}
	for _, flag := range []string{"-T", "-U"} {
		if !has(given, flag) {
			args = append(args, flag, "none")
		}
	}
	if i := slices.Index(given, "--map-gw"); i >= 0 {
		given = slices.Delete(given, i, i+1)
	} else {
		args = append(args, "--no-map-gw")
	}
	if !has(given, "--dns-forward") {
		args = append(args, "--dns-forward", pastaDNS)
	}
	args = append(args, "--quiet")
	args = append(args, given...)
	return append(args, "--netns", nsPath), nil
}

func has(args []string, flag string) bool { return slices.Contains(args, flag) }

// pastaPort is a mapping in pasta's syntax: [ADDRESS/]HOST[-END]:CONTAINER[-END].
func pastaPort(p PortMapping) string {
	var b strings.Builder
	if p.HostIP != "" && p.HostIP != "0.0.0.0" {
		b.WriteString(p.HostIP + "/")
	}
	b.WriteString(portRange(p.HostPort, p.count()) + ":" + portRange(p.ContainerPort, p.count()))
	return b.String()
}

func portRange(first uint16, n int) string {
	if n == 1 {
		return strconv.Itoa(int(first))
	}
	return fmt.Sprintf("%d-%d", first, int(first)+n-1)
}

// pastaStatus reads which addresses pasta copied from the host.
func pastaStatus(nsPath string) (map[string]Status, error) {
	status := map[string]Status{}
	err := onOwnThread(func() error {
		fd, err := unix.Open(nsPath, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return err
		}
		links, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, link := range links {
			if link.Flags&net.FlagLoopback != 0 {
				continue
			}
			addrs, err := link.Addrs()
			if err != nil {
				return err
			}
			status["pasta"] = Status{DNSServerIPs: []net.IP{net.ParseIP(pastaDNS)}, Interfaces: map[string]Interface{link.Name: {MAC: link.HardwareAddr.String(), Subnets: global(addrs)}}}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what pasta has set up: %w", err)
	}
	return status, nil
}

func global(addrs []net.Addr) []SubnetAddress {
	var out []SubnetAddress
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			if v4 := n.IP.To4(); v4 != nil {
				n.IP = v4
			}
			out = append(out, SubnetAddress{IPNet: IPNet{*n}})
		}
	}
	return out
}
