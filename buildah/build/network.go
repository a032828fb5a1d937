package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

// Networks of a RUN.
const (
	networkPrivate = "private" // the default network
	networkHost    = "host"
	networkNone    = "none"
)

// networkOf is the network of a RUN, its own choice before the request's. An
// ordinary user without pasta has only the host's to reach anything.
func (b *builder) networkOf(own string) string {
	switch {
	case own == networkHost || own == networkNone:
		return own
	case b.req.Network != "":
		return b.req.Network
	case b.cfg.Rootless && !pastaWorks(b.cfg.Engine.Helper("pasta")):
		return networkHost
	}
	return networkPrivate
}

// pastaWorks tells whether pasta is installed and has what it needs: its
// device, and a way out of the host to copy.
func pastaWorks(path string) bool {
	if _, err := exec.LookPath(cmp.Or(path, "pasta")); err != nil {
		return false
	}
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil && hasDefaultRoute()
}

// hasDefaultRoute looks into the kernel's tables of IPv4 and IPv6 routes.
func hasDefaultRoute() bool {
	for path, isDefault := range map[string]func(fields []string) bool{
		"/proc/net/route":      func(f []string) bool { return f[1] == "00000000" },
		"/proc/net/ipv6_route": func(f []string) bool { return f[1] == "00" && f[len(f)-1] != "lo" },
	} {
		table, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(table)) {
			if fields := strings.Fields(line); len(fields) > 7 && isDefault(fields) {
				return true
			}
		}
	}
	return false
}

// networks opens the networks that containers share with builds.
func networks(st *store.Store, cfg *config.Config) (*network.Manager, error) {
	dir := "/etc/containers/networks"
	switch {
	case cfg.Network.NetworkConfigDir != "":
		dir = cfg.Network.NetworkConfigDir
	case cfg.Rootless:
		dir = filepath.Join(st.GraphRoot(), "networks")
	}
	return network.Open(network.Options{
		ConfigDir: dir, RunDir: filepath.Join(st.RunRoot(), "podman", "networks"), Rootless: cfg.Rootless,
		DefaultNetwork: cfg.Network.DefaultNetwork, DefaultSubnet: cfg.Network.DefaultSubnet,
		Pasta: cfg.Engine.Helper("pasta"), ProgramDir: filepath.Join(st.GraphRoot(), "podman"), DNSPort: cfg.Network.DNSBindPort, Firewall: cfg.Network.FirewallDriver,
		Free: runtime.FreeNetwork,
	})
}

// nsPath is where the network namespace of a working container is bound.
func nsPath(st *store.Store, container string) string {
	return filepath.Join(st.RunRoot(), "build-netns", container)
}

// networkNamespace is the namespace that RUN joins; "" for the host's, or for
// a new one with nothing in it.
func (r *runStep) networkNamespace() string {
	if _, ok := r.networkNames(); ok {
		return nsPath(r.s.b.st, r.s.container)
	}
	if strings.Contains(r.network, "/") {
		return namespaceFile(r.network)
	}
	return ""
}

// networkNames are the networks to connect to, none for the default one; ok is
// false where there is nothing to connect.
func (r *runStep) networkNames() (names []string, ok bool) {
	switch {
	case r.network == networkPrivate:
		return nil, true
	case r.network == networkHost || r.network == networkNone || strings.Contains(r.network, "/"):
		return nil, false
	}
	return strings.Split(r.network, ","), true
}

// namesSuffix ends the name of the file that lists the networks which a
// namespace is on.
const namesSuffix = ".networks"

func endpoint(cfg *config.Config, container string, names []string) network.Endpoint {
	ep := network.Endpoint{ContainerID: container, ContainerName: container[:12]}
	if cfg.Rootless && len(names) == 0 {
		return ep
	}
	if len(names) == 0 {
		names = []string{cmp.Or(cfg.Network.DefaultNetwork, "podman")}
	}
	ep.Networks = map[string]network.PerNetwork{}
	for _, name := range names {
		ep.Networks[name] = network.PerNetwork{}
	}
	return ep
}

// addresses are those of a working container and of what it reaches the host by,
// and what its networks have for names.
type addresses struct {
	own, gateway     net.IP
	servers, domains []string
}

// connect gives the working container a namespace on the networks; it returns
// the container's addresses and what takes all of it back.
func (s *stage) connect(ctx context.Context, names []string) (addrs addresses, disconnect func() error, err error) {
	m, err := networks(s.b.st, s.b.cfg)
	if err != nil {
		return addrs, nil, fmt.Errorf("setup network: %w", err)
	}
	path, ep := nsPath(s.b.st, s.container), endpoint(s.b.cfg, s.container, names)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return addrs, nil, err
	}
	if err := os.WriteFile(path+namesSuffix, []byte(strings.Join(names, ",")), 0o600); err != nil {
		return addrs, nil, err
	}
	if err := network.NewNS(path); err != nil {
		return addrs, nil, fmt.Errorf("setup network: %w", errors.Join(err, os.Remove(path+namesSuffix)))
	}
	status, err := m.Setup(ctx, path, ep)
	if err != nil {
		return addrs, nil, errors.Join(fmt.Errorf("setup network: %w", err), network.RemoveNS(path), os.Remove(path+namesSuffix))
	}
	for _, one := range status {
		for _, ip := range one.DNSServerIPs {
			addrs.servers = append(addrs.servers, ip.String())
		}
		addrs.domains = append(addrs.domains, one.DNSSearchDomains...)
		for _, link := range one.Interfaces {
			for _, subnet := range link.Subnets {
				addrs.own, addrs.gateway = subnet.IPNet.IP, subnet.Gateway
			}
		}
	}
	return addrs, func() error {
		return errors.Join(m.Teardown(context.WithoutCancel(ctx), path, ep, status), network.RemoveNS(path), os.Remove(path+namesSuffix))
	}, nil
}

// healNetwork takes back what a killed build's RUN had of the network.
func healNetwork(ctx context.Context, st *store.Store, cfg *config.Config, container string) error {
	path := nsPath(st, container)
	if _, err := os.Lstat(path); err != nil {
		return nil
	}
	m, err := networks(st, cfg)
	if err != nil {
		return err
	}
	var names []string
	if data, err := os.ReadFile(path + namesSuffix); err == nil && len(data) > 0 {
		names = strings.Split(string(data), ",")
	}
	return errors.Join(m.Teardown(ctx, path, endpoint(cfg, container, names), nil), network.RemoveNS(path), os.RemoveAll(path+namesSuffix))
}

// hosts is the content of /etc/hosts.
func (r *runStep) hosts() string {
	var b strings.Builder
	for _, text := range r.s.b.req.Run.AddHost {
		name, address, _ := strings.Cut(text, ":")
		if address = strings.Trim(address, "[]"); address == "host-gateway" {
			if address = "127.0.0.1"; r.links.gateway != nil {
				address = r.links.gateway.String()
			}
		}
		fmt.Fprintf(&b, "%s\t%s\n", address, name)
	}
	own := "127.0.1.1"
	if r.links.own != nil {
		own = r.links.own.String()
	}
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	fmt.Fprintf(&b, "%s\t%s\n", own, r.hostname())
	return b.String()
}

// resolvConf is the content of /etc/resolv.conf: the host's, with what first the
// networks and then the request put in place of it.
func (r *runStep) resolvConf() (string, error) {
	o := &r.s.b.req.Run
	text := ""
	if r.network != networkNone {
		var err error
		if text, err = hostResolvConf(r.network != networkHost); err != nil {
			return "", err
		}
	}
	for _, part := range []struct {
		keyword string
		values  []string
		each    bool // a line for each value
	}{{"search", r.links.domains, false}, {"nameserver", r.links.servers, true}, {"search", o.DNSSearch, false}, {"nameserver", o.DNSServers, true}, {"options", o.DNSOptions, false}} {
		if len(part.values) == 0 {
			continue
		}
		kept := ""
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, part.keyword) {
				kept += line
			}
		}
		if text = kept; part.each {
			for _, value := range part.values {
				text += part.keyword + " " + value + "\n"
			}
		} else {
			text += part.keyword + " " + strings.Join(part.values, " ") + "\n"
		}
	}
	return text, nil
}

// hostResolvConf is the host's resolv.conf. In a namespace of its own a container
// can't reach a resolver on the host's loopback, so that one's own servers are
// named instead.
func hostResolvConf(own bool) (string, error) {
	data, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !os.IsNotExist(err) {
		return "", err
	}
	if own && strings.Contains(string(data), "nameserver 127.0.0.53") {
		if real, err := os.ReadFile("/run/systemd/resolve/resolv.conf"); err == nil {
			return string(real), nil
		}
	}
	return string(data), nil
}
