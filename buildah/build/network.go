package build

import (
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
	case b.cfg.Rootless && !pastaWorks():
		return networkHost
	}
	return networkPrivate
}

// pastaWorks tells whether pasta is installed and has what it needs: its
// device, and a way out of the host to copy.
func pastaWorks() bool {
	if _, err := exec.LookPath("pasta"); err != nil {
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
	})
}

// nsPath is where the network namespace of a working container is bound.
func nsPath(st *store.Store, container string) string {
	return filepath.Join(st.RunRoot(), "build-netns", container)
}

func endpoint(cfg *config.Config, container string) network.Endpoint {
	ep := network.Endpoint{ContainerID: container, ContainerName: container[:12]}
	if !cfg.Rootless {
		name := cfg.Network.DefaultNetwork
		if name == "" {
			name = "podman"
		}
		ep.Networks = map[string]network.PerNetwork{name: {}}
	}
	return ep
}

// connect gives the working container a namespace on the default network; it
// returns the container's address and what takes all of it back.
func (s *stage) connect(ctx context.Context) (addr net.IP, disconnect func() error, err error) {
	m, err := networks(s.b.st, s.b.cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("setup network: %w", err)
	}
	path, ep := nsPath(s.b.st, s.container), endpoint(s.b.cfg, s.container)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	if err := network.NewNS(path); err != nil {
		return nil, nil, fmt.Errorf("setup network: %w", err)
	}
	status, err := m.Setup(ctx, path, ep)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("setup network: %w", err), network.RemoveNS(path))
	}
	for _, one := range status {
		for _, link := range one.Interfaces {
			for _, subnet := range link.Subnets {
				addr = subnet.IPNet.IP
			}
		}
	}
	return addr, func() error {
		return errors.Join(m.Teardown(context.WithoutCancel(ctx), path, ep, status), network.RemoveNS(path))
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
	return errors.Join(m.Teardown(ctx, path, endpoint(cfg, container), nil), network.RemoveNS(path))
}

// resolvConf is the host's resolv.conf. In a namespace of its own a container
// can't reach a resolver on the host's loopback, so that one's own servers are
// named instead.
func resolvConf(own bool) (string, error) {
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
