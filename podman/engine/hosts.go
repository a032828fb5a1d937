package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/network"
)

// writeNetworkFiles writes the container's hosts, resolv.conf and hostname.
func (e *Engine) writeNetworkFiles(c *container.Config, status map[string]network.Status) error {
	dir := e.Store.ContainerRunDir(c.ID)
	resolv, err := resolvConf(c, status)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"hosts":        hosts(c, status),
		"resolv.conf":  resolv,
		"hostname":     e.hostname(c) + "\n",
		"containerenv": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

func (e *Engine) hostname(c *container.Config) string {
	if c.Hostname != "" {
		return c.Hostname
	}
	if c.UTSMode == "host" || c.Network.Mode == "host" {
		name, _ := os.Hostname()
		return name
	}
	return c.ID[:12]
}

// hosts makes /etc/hosts: --add-host first, then the host's own names, the
// gateway, and the container itself on each of its addresses.
func hosts(c *container.Config, status map[string]network.Status) string {
	var b strings.Builder
	gateway, own := addresses(status)
	for _, h := range c.Network.AddHosts {
		name, address, _ := strings.Cut(h, ":")
		if address == "host-gateway" {
			if address = "127.0.0.1"; len(gateway) > 0 {
				address = gateway[0].String()
			}
		}
		fmt.Fprintf(&b, "%s\t%s\n", address, name)
	}
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost\n")
	for _, ip := range gateway {
		fmt.Fprintf(&b, "%s\thost.containers.internal host.docker.internal\n", ip)
	}
	if len(own) == 0 {
		own = []net.IP{net.IPv4(127, 0, 1, 1)}
	}
	for _, ip := range own {
		fmt.Fprintf(&b, "%s\t%s %s\n", ip, first(c.Hostname, c.ID[:12]), c.Name)
	}
	return b.String()
}

func addresses(status map[string]network.Status) (gateways, own []net.IP) {
	for _, s := range status {
		for _, link := range s.Interfaces {
			for _, subnet := range link.Subnets {
				own = append(own, subnet.IPNet.IP)
				if subnet.Gateway != nil {
					gateways = append(gateways, subnet.Gateway)
				}
			}
		}
	}
	return gateways, own
}

// resolvConf makes /etc/resolv.conf: the user's servers, the network's or the
// host's. A server on the host's loopback can't be reached from a network of
// its own.
func resolvConf(c *container.Config, status map[string]network.Status) (string, error) {
	var search, servers, options []string
	// systemd-resolved's stub lists a loopback server; its real ones lie here.
	for _, path := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		data, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			return "", fmt.Errorf("read resolver configuration: %w", err)
		}
		search, servers, options = parseResolvConf(data, c.Network.Mode == "host")
		if len(servers) > 0 {
			break
		}
	}
	var own []string
	for _, s := range status {
		for _, ip := range s.DNSServerIPs {
			own = append(own, ip.String())
		}
	}
	if len(own) > 0 {
		servers = own
	}
	if len(c.Network.DNS) > 0 {
		servers = c.Network.DNS
	}
	if len(c.Network.DNSSearch) > 0 {
		search = c.Network.DNSSearch
	}
	options = append(options, c.Network.DNSOptions...)
	var b strings.Builder
	if len(search) > 0 && search[0] != "." {
		fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
	}
	for _, s := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(options, " "))
	}
	return b.String(), nil
}

func parseResolvConf(data []byte, loopback bool) (search, servers, options []string) {
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "search", "domain":
			search = fields[1:]
		case "options":
			options = append(options, fields[1:]...)
		case "nameserver":
			ip := net.ParseIP(strings.SplitN(fields[1], "%", 2)[0])
			if ip != nil && (loopback || !ip.IsLoopback()) {
				servers = append(servers, fields[1])
			}
		}
	}
	return search, servers, options
}
