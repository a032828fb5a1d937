package engine

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/userns"
)

// openNetworks opens the networks; dir is where their files are, if the
// command line says so.
func (e *Engine) openNetworks(dir string) (*network.Manager, error) {
	c := e.Config.Network
	switch {
	case dir != "":
	case c.NetworkConfigDir != "":
		dir = c.NetworkConfigDir
	case userns.Rootless():
		dir = filepath.Join(e.Store.GraphRoot(), "networks")
	default:
		dir = "/etc/containers/networks"
	}
	o := network.Options{ConfigDir: dir, RunDir: e.runDir("networks"), Rootless: userns.Rootless(),
		DefaultNetwork: c.DefaultNetwork, DefaultSubnet: c.DefaultSubnet, PastaOptions: c.PastaOptions,
		Pasta: e.Config.Engine.Helper("pasta"), ProgramDir: e.programDir(), DNSPort: c.DNSBindPort, Firewall: c.FirewallDriver, Free: runtime.FreeNetwork}
	for _, p := range c.DefaultSubnetPools {
		o.SubnetPools = append(o.SubnetPools, network.Pool(p))
	}
	return network.Open(o)
}

// defaultNetwork is the bridge that a container of root's is on when nothing
// else is asked for.
func (e *Engine) defaultNetwork() string { return first(e.Config.Network.DefaultNetwork, "podman") }

// setDNS checks the name servers; none alone leaves the image's resolv.conf.
func setDNS(n *container.Network) error {
	if slices.Equal(n.DNS, []string{"none"}) {
		n.DNS, n.NoResolvConf = nil, true
	}
	for _, server := range n.DNS {
		if server == "none" {
			return errdef.Newf(errdef.ErrInvalid, "none is not allowed to be specified with other DNS ip addresses")
		}
		if _, err := netip.ParseAddr(server); err != nil {
			return errdef.Newf(errdef.ErrInvalid, "%s is not an ip address", server)
		}
	}
	return nil
}

// setNetwork reads the network mode, the published ports and the names.
func (e *Engine) setNetwork(c *container.Config, req *CreateRequest, image *v1.Config) error {
	n := container.Network{DNS: req.DNS, DNSSearch: req.DNSSearch, DNSOptions: req.DNSOptions}
	if err := e.setHostsFile(&n, req); err != nil {
		return err
	}
	c.NoHostname = req.NoHostname
	if err := setDNS(&n); err != nil {
		return err
	}
	if err := e.setNetworkMode(&n, req); err != nil {
		return err
	}
	if n.Mode == "none" && len(n.DNS)+len(n.DNSSearch)+len(n.DNSOptions) == 0 { // it has those of the configuration only
		n.NoResolvConf = true
	}
	if err := e.setAddHosts(&n, req); err != nil {
		return err
	}
	ports, err := network.ParsePorts(req.Publish)
	if err != nil {
		return err
	}
	if ports, err = network.MergePorts(ports); err != nil {
		return err
	}
	exposed, err := network.ParseExposed(slices.Sorted(maps.Keys(image.ExposedPorts)))
	if err != nil {
		return fmt.Errorf("image %q exposes an invalid port: %w", c.Image, err)
	}
	more, err := network.ParseExposed(req.Expose)
	if err != nil {
		return fmt.Errorf("invalid range format for --expose: %w", err)
	}
	exposed = append(exposed, more...)
	for _, p := range exposed {
		c.ExposedPorts = append(c.ExposedPorts, p.Exposed())
	}
	if req.PublishAll {
		ports = append(ports, network.Unpublished(exposed, ports)...)
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

// setAddHosts reads NAME[;NAME...]:ADDRESS.
func (e *Engine) setAddHosts(n *container.Network, req *CreateRequest) error {
	for _, h := range req.AddHosts {
		names, address, ok := strings.Cut(h, ":")
		if !ok || names == "" || slices.Contains(strings.Split(names, ";"), "") {
			return errdef.Newf(errdef.ErrInvalid, "bad format for add-host: %q", h)
		}
		if address != "host-gateway" && net.ParseIP(address) == nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid IP address in add-host: %q", address)
		}
		n.AddHosts = append(n.AddHosts, h)
	}
	kind, _, _ := strings.Cut(n.Mode, ":")
	if kind != "none" && kind != "container" {
		return nil
	}
	conf := &e.Config.Containers // its servers are for those who have a network
	for _, o := range []struct {
		name             string
		list, configured []string
	}{{"dns", req.DNS, conf.DNSServers}, {"dns-option", req.DNSOptions, conf.DNSOptions}, {"dns-search", req.DNSSearch, conf.DNSSearches}} {
		if len(o.list) > 0 && !slices.Equal(o.list, o.configured) {
			return errdef.Newf(errdef.ErrInvalid, "conflicting options: %s and the network mode: %s", o.name, n.Mode)
		}
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
	return network.Endpoint{ContainerID: c.ID, ContainerName: c.Name, Networks: c.Network.Networks, Ports: c.Network.Ports,
		DNSServers: c.Network.DNS, PastaOptions: c.Network.PastaOptions}
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
	for _, p := range config.Published() {
		for i := range max(p.Range, 1) {
			all = append(all, PublishedPort{fmt.Sprintf("%d/%s", p.ContainerPort+i, p.Protocol),
				net.JoinHostPort(first(p.HostIP, "0.0.0.0"), fmt.Sprint(p.HostPort+i))})
		}
	}
	return all, nil
}
