package engine

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/podsuite/podsuite/shared/userns"
)

// defaultNetwork is the bridge that a container of root's is on when nothing
// else is asked for.
const defaultNetwork = "podman"

// setNetwork reads the network mode, the published ports and the names.
func (e *Engine) setNetwork(c *container.Config, req *CreateRequest, image *v1.Config) error {
	n := container.Network{DNS: req.DNS, DNSSearch: req.DNSSearch, DNSOptions: req.DNSOptions}
	if err := setNetworkMode(&n, req); err != nil {
		return err
	}
	for name := range n.Networks {
		if name == defaultNetwork {
			continue // always there
		}
		m, err := e.networks()
		if err != nil {
			return err
		}
		if _, err := m.Network(name); err != nil {
			return err
		}
	}
	for _, h := range req.AddHosts {
		name, address, ok := strings.Cut(h, ":")
		if !ok || name == "" || address == "" {
			return errdef.Newf(errdef.ErrInvalid, "unable to parse host entry %q: incorrect format", h)
		}
		if address != "host-gateway" && net.ParseIP(address) == nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid IP address in add-host: %q", address)
		}
		n.AddHosts = append(n.AddHosts, h)
	}
	ports, err := network.ParsePorts(req.Publish)
	if err != nil {
		return err
	}
	for port := range image.ExposedPorts {
		c.ExposedPorts = append(c.ExposedPorts, port)
	}
	for _, port := range req.Expose {
		if !strings.Contains(port, "/") {
			port += "/tcp"
		}
		c.ExposedPorts = append(c.ExposedPorts, port)
	}
	if req.PublishAll {
		all, err := network.ParsePorts(c.ExposedPorts)
		if err != nil {
			return err
		}
		ports = append(ports, all...)
	}
	if n.Ports, err = network.ChooseHostPorts(ports); err != nil {
		return err
	}
	if len(n.Ports) > 0 && n.Mode != "bridge" && n.Mode != "pasta" {
		// As in the reference, published ports mean nothing with the host's network.
		if n.Mode != "host" {
			return errdef.Newf(errdef.ErrInvalid, "published ports need a network: --network %s has none", n.Mode)
		}
		fmt.Fprintln(os.Stderr, "Port mappings have been discarded because \"host\" network namespace mode is in use")
		n.Ports = nil
	}
	c.Network = n
	return nil
}

func setNetworkMode(n *container.Network, req *CreateRequest) error {
	modes := req.Network
	if len(modes) == 0 {
		modes = []string{"default"}
	}
	var per network.PerNetwork
	if req.IP != "" {
		ip := net.ParseIP(req.IP)
		if ip == nil {
			return errdef.Newf(errdef.ErrInvalid, "%q is not an ip address", req.IP)
		}
		per.StaticIPs = []net.IP{ip}
	}
	if req.MAC != "" {
		mac, err := net.ParseMAC(req.MAC)
		if err != nil {
			return errdef.As(errdef.ErrInvalid, err)
		}
		per.StaticMAC = mac.String()
	}
	for _, mode := range modes {
		name, opts, _ := strings.Cut(mode, ":")
		switch name {
		case "default", "private":
			if name, n.Mode = "pasta", "pasta"; userns.Rootless() {
				continue
			}
			name = defaultNetwork
		case "none", "host", "pasta":
			if len(modes) > 1 {
				return errdef.Newf(errdef.ErrInvalid, "cannot set multiple networks without bridge network mode, selected mode %s: invalid argument", name)
			}
			if opts != "" {
				return errdef.Newf(errdef.ErrUnsupported, "options of --network %s are not supported: %q", name, opts)
			}
			n.Mode = name
			continue
		case "container", "ns":
			n.Mode = mode
			continue
		case "slirp4netns":
			return errdef.Newf(errdef.ErrUnsupported, "network mode slirp4netns is not supported: use pasta")
		case "bridge":
			name = defaultNetwork
		}
		if opts != "" {
			return errdef.Newf(errdef.ErrUnsupported, "options of --network %s are not supported: %q", name, opts)
		}
		if n.Networks == nil {
			n.Networks = map[string]network.PerNetwork{}
		}
		n.Mode = "bridge"
		n.Networks[name] = per
	}
	if (req.IP != "" || req.MAC != "") && len(n.Networks) != 1 {
		return errdef.Newf(errdef.ErrInvalid, "--ip and --mac-address need exactly one bridge network")
	}
	return nil
}

// nsPath is where the container's network namespace is bound, if it has one
// of its own.
func (e *Engine) nsPath(c *container.Config) string {
	switch c.Network.Mode {
	case "host":
		return ""
	case "none", "bridge", "pasta":
		return filepath.Join(e.runDir("netns"), c.ID)
	}
	if path, ok := strings.CutPrefix(c.Network.Mode, "ns:"); ok {
		return path
	}
	return ""
}

func (e *Engine) endpoint(c *container.Config) network.Endpoint {
	return network.Endpoint{ContainerID: c.ID, ContainerName: c.Name, Networks: c.Network.Networks, Ports: c.Network.Ports}
}

// PublishedPort is a port of a container ("80/tcp") and where it is published
// ("0.0.0.0:8080").
type PublishedPort struct{ Container, Host string }

// Ports lists the container's published ports.
func (e *Engine) Ports(nameOrID string) ([]PublishedPort, error) {
	c, err := e.Lookup(nameOrID)
	if err != nil {
		return nil, err
	}
	config, err := e.configuration(c.ID)
	if err != nil {
		return nil, err
	}
	var all []PublishedPort
	for _, p := range config.Network.Ports {
		for i := range max(p.Range, 1) {
			all = append(all, PublishedPort{fmt.Sprintf("%d/%s", p.ContainerPort+i, p.Protocol),
				net.JoinHostPort(first(p.HostIP, "0.0.0.0"), fmt.Sprint(p.HostPort+i))})
		}
	}
	return all, nil
}
