package network

import (
	"fmt"
	"net"
	"time"
)

// Network is a network as its file holds it (netavark's JSON format).
type Network struct {
	Name             string            `json:"name"`
	ID               string            `json:"id"`
	Driver           string            `json:"driver"`
	NetworkInterface string            `json:"network_interface,omitempty"`
	Created          time.Time         `json:"created"`
	Subnets          []Subnet          `json:"subnets,omitempty"`
	Routes           []Route           `json:"routes,omitempty"`
	IPv6Enabled      bool              `json:"ipv6_enabled"`
	Internal         bool              `json:"internal"`
	DNSEnabled       bool              `json:"dns_enabled"`
	DNSServers       []net.IP          `json:"network_dns_servers,omitempty"`
	Labels           map[string]string `json:"labels,omitempty"`
	Options          map[string]string `json:"options,omitempty"`
	IPAMOptions      map[string]string `json:"ipam_options,omitempty"`
}

// Subnet is an address range of a network.
type Subnet struct {
	Subnet     IPNet       `json:"subnet"`
	Gateway    net.IP      `json:"gateway,omitempty"`
	LeaseRange *LeaseRange `json:"lease_range,omitempty"`
}

// LeaseRange bounds, both included, the addresses that are given out.
type LeaseRange struct {
	StartIP net.IP `json:"start_ip,omitempty"`
	EndIP   net.IP `json:"end_ip,omitempty"`
}

// Route is a route that containers of the network get.
type Route struct {
	Destination IPNet   `json:"destination"`
	Gateway     net.IP  `json:"gateway"`
	Metric      *uint32 `json:"metric,omitempty"`
}

// IPNet is an address with its prefix, "10.88.0.2/16" as text.
type IPNet struct{ net.IPNet }

// MarshalText writes CIDR notation.
func (n IPNet) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads CIDR notation and keeps the host part.
func (n *IPNet) UnmarshalText(text []byte) error {
	p, err := ParseIPNet(string(text))
	if err == nil {
		*n = p
	}
	return err
}

// ParseIPNet reads CIDR notation and keeps the host part of the address.
func ParseIPNet(s string) (IPNet, error) {
	ip, n, err := net.ParseCIDR(s)
	if err != nil {
		return IPNet{}, fmt.Errorf("read subnet: %w", err)
	}
	if v4 := ip.To4(); v4 != nil {
		ip = v4
	}
	return IPNet{net.IPNet{IP: ip, Mask: n.Mask}}, nil
}

// PortMapping publishes Range ports (0 means 1) of a container from
// ContainerPort up on the host's from HostPort up; HostPort 0 means any free
// one. An empty HostIP means all addresses. Protocol is tcp, udp or sctp.
type PortMapping struct {
	HostIP        string `json:"host_ip"`
	ContainerPort uint16 `json:"container_port"`
	HostPort      uint16 `json:"host_port"`
	Range         uint16 `json:"range"`
	Protocol      string `json:"protocol"`
}

// PerNetwork is what a container wants of one network.
type PerNetwork struct {
	InterfaceName string   `json:"interface_name,omitempty"` // "" is the next free ethN
	StaticIPs     []net.IP `json:"static_ips,omitempty"`
	StaticMAC     string   `json:"static_mac,omitempty"`
	Aliases       []string `json:"aliases,omitempty"`
	// Options are those that Manager.Setup knows: host_interface_name, mtu,
	// metric, no_default_route.
	Options map[string]string `json:"options,omitempty"`
}

// Endpoint is a container as networks see it.
type Endpoint struct {
	ContainerID   string
	ContainerName string
	Networks      map[string]PerNetwork // none for an ordinary user means pasta
	Ports         []PortMapping
	DNSServers    []string // asked for the container's sake instead of the networks' own
	PastaOptions  []string // added to pasta's own
	KeepNS        bool     // Teardown: the namespace is used further
}

// Status is what a container got on one network.
type Status struct {
	Interfaces       map[string]Interface `json:"interfaces,omitempty"` // by name in the container
	DNSServerIPs     []net.IP             `json:"dns_server_ips,omitempty"`
	DNSSearchDomains []string             `json:"dns_search_domains,omitempty"`
}

// Interface is one link of a container.
type Interface struct {
	Subnets []SubnetAddress `json:"subnets,omitempty"`
	MAC     string          `json:"mac_address"`
}

// SubnetAddress is an address of a container and its gateway.
type SubnetAddress struct {
	IPNet   IPNet  `json:"ipnet"`
	Gateway net.IP `json:"gateway,omitempty"`
}
