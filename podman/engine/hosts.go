package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/userns"
)

// setHostsFile decides whether the container gets an /etc/hosts, and what that
// begins with.
func (e *Engine) setHostsFile(n *container.Network, req *CreateRequest) (err error) {
	n.NoHosts = req.NoHosts || !req.NoHostsSet && e.Config.Containers.NoHosts
	switch n.HostsFile = req.HostsFile; {
	case req.NoHosts && len(req.AddHosts) > 0:
		return errdef.Newf(errdef.ErrInvalid, "--no-hosts and --add-host cannot be set together")
	case req.NoHosts && n.HostsFile != "":
		return errdef.Newf(errdef.ErrInvalid, "--no-hosts and --hosts-file cannot be set together")
	case n.HostsFile == "", n.HostsFile == "image", n.HostsFile == "none":
		return nil
	}
	n.NoHosts = false
	if n.HostsFile, err = filepath.Abs(n.HostsFile); err == nil {
		_, err = os.Stat(n.HostsFile)
	}
	if err != nil {
		return errdef.Newf(errdef.ErrNotFound, "failed to create new hosts file: %w", err)
	}
	return nil
}

// writeNetworkFiles writes the container's hosts, resolv.conf and hostname.
func (e *Engine) writeNetworkFiles(c *container.Config, status map[string]network.Status) error {
	dir := e.Store.ContainerRunDir(c.ID)
	resolv, err := resolvConf(c, status)
	if err != nil {
		return err
	}
	hostsFile, err := e.hosts(c, status)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"hosts":        hostsFile,
		"resolv.conf":  resolv,
		"hostname":     e.hostname(c) + "\n",
		"containerenv": containerenv(c),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := e.giveToRoot(c, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// containerenv is the file by which programs know that they are in a container.
// What it is tells only one that may see the host.
func containerenv(c *container.Config) string {
	if !c.Security.Privileged {
		return ""
	}
	rootless := 0
	if userns.Rootless() {
		rootless = 1
	}
	return fmt.Sprintf("engine=\"podman-%s\"\nname=%q\nid=%q\nimage=%q\nimageid=%q\nrootless=%d\n", Version, c.Name, c.ID, c.Image, c.ImageID, rootless)
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
func (e *Engine) hosts(c *container.Config, status map[string]network.Status) (string, error) {
	base, err := e.baseHosts(c)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	gateway, own := addresses(c, status)
	host := e.hostAddress(gateway)
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
	if base == "" {
		line("127.0.0.1", "localhost")
		line("::1", "localhost", "ip6-localhost", "ip6-loopback")
		line("ff02::1", "ip6-allnodes")
		line("ff02::2", "ip6-allrouters")
	}
	b.WriteString(base)
	line(host, "host.containers.internal", "host.docker.internal")
	if len(own) == 0 && c.Network.Mode != "host" {
		own = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	for _, ip := range own {
		line(ip.String(), e.hostname(c), c.Name)
	}
	return b.String(), nil
}

// hostAddress is the host's address as the container sees it: the configured
// one, else the gateway's; "" for none.
func (e *Engine) hostAddress(gateway []net.IP) string {
	switch ip := e.Config.Containers.HostContainersInternalIP; ip {
	case "none":
		return ""
	case "":
		return gatewayAddress(gateway)
	default:
		return ip
	}
}

// baseHosts gives the lines of a file that the container's starts with, if one
// is configured: the image's or one of the host's.
func (e *Engine) baseHosts(c *container.Config) (string, error) {
	var text []byte
	var err error
	switch from := first(c.Network.HostsFile, e.Config.Containers.BaseHostsFile); from {
	case "", "none":
		return "", nil
	case "image":
		text, err = e.imageHosts(c)
	default:
		text, err = os.ReadFile(from)
	}
	if err != nil {
		return "", fmt.Errorf("read base file of /etc/hosts: %w", err)
	}
	return hostsLines(text), nil
}

// imageHosts is /etc/hosts as the image has it, if it does.
func (e *Engine) imageHosts(c *container.Config) ([]byte, error) {
	root, err := e.mountRoot(c)
	if err != nil {
		return nil, err
	}
	defer e.Store.Unmount(c.ID, false)
	f, err := rootfs.Open(root, "/etc/hosts")
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const limit = 1 << 20
	return io.ReadAll(io.LimitReader(f, limit))
}

// hostsLines drops comments and the names of other containers' host, and adds
// localhost where it is missing.
func hostsLines(text []byte) string {
	var b strings.Builder
	localhost := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 || slices.Contains(fields[1:], "host.containers.internal") {
			continue
		}
		if slices.Contains(fields[1:], "localhost") {
			localhost[fields[0]] = true
		}
		fmt.Fprintf(&b, "%s\t%s\n", fields[0], strings.Join(fields[1:], " "))
	}
	for _, ip := range []string{"127.0.0.1", "::1"} {
		if !localhost[ip] {
			fmt.Fprintf(&b, "%s\tlocalhost\n", ip)
		}
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
	var own, domains []string
	for _, s := range inOrder(c, status) {
		for _, ip := range s.DNSServerIPs {
			own = append(own, ip.String())
		}
		for _, domain := range s.DNSSearchDomains {
			if !slices.Contains(domains, domain) {
				domains = append(domains, domain)
			}
		}
	}
	if len(own) > 0 {
		servers = own
	}
	// Where the network has names, its server passes questions on to the user's.
	if len(c.Network.DNS) > 0 && len(domains) == 0 {
		servers = c.Network.DNS
	}
	search = append(domains, search...)
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
