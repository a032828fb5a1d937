package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
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

// hosts makes /etc/hosts: --add-host first, then localhost, the host by the
// names of its gateway, and the container itself on each of its addresses. A
// name that the user gave is not given again.
func hosts(c *container.Config, status map[string]network.Status) string {
	var b strings.Builder
	gateway, own := addresses(c, status)
	host := gatewayAddress(gateway)
	given := map[string]bool{}
	line := func(address string, names ...string) {
		if names = slices.DeleteFunc(names, func(n string) bool { return given[n] }); len(names) > 0 && address != "" {
			fmt.Fprintf(&b, "%s\t%s\n", address, strings.Join(names, " "))
		}
	}
	var mine []string
	for _, h := range c.Network.AddHosts {
		names, address, _ := strings.Cut(h, ":")
		if address == "host-gateway" {
			address = first(host, "127.0.0.1")
		}
		line(address, strings.Split(names, ";")...)
		mine = append(mine, strings.Split(names, ";")...)
	}
	for _, name := range mine {
		given[name] = true
	}
	line("127.0.0.1", "localhost")
	line("::1", "localhost", "ip6-localhost", "ip6-loopback")
	line("ff02::1", "ip6-allnodes")
	line("ff02::2", "ip6-allrouters")
	line(host, "host.containers.internal", "host.docker.internal")
	if len(own) == 0 && c.Network.Mode != "host" {
		own = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	for _, ip := range own {
		line(ip.String(), first(c.Hostname, c.ID[:12]), c.Name)
	}
	return b.String()
}

// gatewayAddress is where the host is reached: the gateway, or where there is
// none the host's own address.
func gatewayAddress(gateway []net.IP) string {
	for _, ip := range gateway {
		if ip.To4() != nil {
			return ip.String()
		}
	}
	if len(gateway) > 0 {
		return gateway[0].String()
	}
	links, _ := net.InterfaceAddrs()
	for _, a := range links {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

// addresses lists the gateways and the container's own addresses in the order
// of its networks.
func addresses(c *container.Config, status map[string]network.Status) (gateways, own []net.IP) {
	for _, s := range inOrder(c, status) {
		for _, name := range slices.Sorted(maps.Keys(s.Interfaces)) {
			for _, subnet := range s.Interfaces[name].Subnets {
				own = append(own, subnet.IPNet.IP)
				if subnet.Gateway != nil {
					gateways = append(gateways, subnet.Gateway)
				}
			}
		}
	}
	return gateways, own
}

// inOrder lists what the networks gave: pasta, or the container's networks in
// the order of their links.
func inOrder(c *container.Config, status map[string]network.Status) []network.Status {
	ep := network.Endpoint{Networks: c.Network.Networks}
	names := ep.Order()
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(status))
	}
	var all []network.Status
	for _, name := range names {
		all = append(all, status[name])
	}
	return all
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
	for _, s := range inOrder(c, status) {
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
