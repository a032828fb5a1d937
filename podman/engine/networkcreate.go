package engine

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
)

// CreateNetworkRequest makes a network, as the user put it.
type CreateNetworkRequest struct {
	Name          string // "" chooses one
	Driver        string
	InterfaceName string
	Subnets       []string // in CIDR notation
	Gateways      []net.IP // of the subnets, in their order
	Ranges        []string // likewise: CIDR notation or FIRST-LAST
	Routes        []string // DESTINATION,GATEWAY[,METRIC]
	DNS           []string
	DisableDNS    bool
	IPv6          bool
	Internal      bool
	IPAMDriver    string
	Options       []string
	Labels        []string
	Ignore        bool // one that is there is as good
}

// CreateNetwork makes a network.
func (e *Engine) CreateNetwork(req CreateNetworkRequest) (network.Network, error) {
	n := network.Network{Name: req.Name, Driver: req.Driver, NetworkInterface: req.InterfaceName, Internal: req.Internal, IPv6Enabled: req.IPv6,
		DNSEnabled: !req.DisableDNS, Labels: keyValues(req.Labels), Options: keyValues(req.Options)}
	if req.IPAMDriver != "" {
		n.IPAMOptions = map[string]string{"driver": req.IPAMDriver}
	}
	for from, to := range map[string]*string{"parent": &n.NetworkInterface, "com.docker.network.bridge.name": &n.NetworkInterface} {
		if value, ok := n.Options[from]; ok && (from == "parent") == (n.Driver != network.DriverBridge) {
			*to = value
			delete(n.Options, from)
		}
	}
	if mtu, ok := n.Options["com.docker.network.driver.mtu"]; ok {
		n.Options["mtu"] = mtu
		delete(n.Options, "com.docker.network.driver.mtu")
	}
	err := setSubnets(&n, req)
	if err == nil {
		err = setRoutes(&n, req.Routes)
	}
	if err == nil {
		n.DNSServers, err = addresses4or6(req.DNS, "NetworkDNSServers")
	}
	if err != nil {
		return n, err
	}
	m, err := e.networks()
	if err != nil {
		return n, err
	}
	made, err := m.Create(n)
	if taken := (*network.TakenError)(nil); req.Ignore && errors.As(err, &taken) {
		return m.Network(req.Name)
	}
	if err == nil {
		e.event(networkEvent(made, "create"))
	}
	return made, err
}

// keyValues reads KEY=VALUE; a key alone has an empty value.
func keyValues(list []string) map[string]string {
	if len(list) == 0 {
		return nil
	}
	m := map[string]string{}
	for _, text := range list {
		key, value, _ := strings.Cut(text, "=")
		m[key] = value
	}
	return m
}

// setSubnets joins subnets, gateways and ranges.
func setSubnets(n *network.Network, req CreateNetworkRequest) error {
	switch {
	case len(req.Subnets) == 0 && len(req.Gateways)+len(req.Ranges) > 0:
		return errdef.Newf(errdef.ErrInvalid, "cannot set gateway or range without subnet")
	case len(req.Gateways) > len(req.Subnets):
		return errdef.Newf(errdef.ErrInvalid, "cannot set more gateways than subnets")
	case len(req.Ranges) > len(req.Subnets):
		return errdef.Newf(errdef.ErrInvalid, "cannot set more ranges than subnets")
	}
	for i, text := range req.Subnets {
		ipnet, err := parseCIDR(text)
		if err != nil {
			return err
		}
		s := network.Subnet{Subnet: ipnet}
		if i < len(req.Gateways) {
			s.Gateway = req.Gateways[i]
		}
		if i < len(req.Ranges) {
			if s.LeaseRange, err = parseLeaseRange(req.Ranges[i]); err != nil {
				return err
			}
		}
		n.Subnets = append(n.Subnets, s)
	}
	return nil
}

func parseCIDR(text string) (network.IPNet, error) {
	n, err := network.ParseIPNet(text)
	if err != nil {
		return n, errdef.Newf(errdef.ErrInvalid, "invalid CIDR address: %s", text)
	}
	return n, nil
}

// parseLeaseRange reads FIRST-LAST, or a subnet whose addresses are given out.
func parseLeaseRange(text string) (*network.LeaseRange, error) {
	if first, last, ok := strings.Cut(text, "-"); ok {
		r := &network.LeaseRange{StartIP: net.ParseIP(first), EndIP: net.ParseIP(last)}
		for _, end := range []struct {
			name, text string
			ip         net.IP
		}{{"start", first, r.StartIP}, {"end", last, r.EndIP}} {
			if end.ip == nil {
				return nil, errdef.Newf(errdef.ErrInvalid, "range %s ip %q is not a ip address", end.name, end.text)
			}
		}
		return r, nil
	}
	n, err := parseCIDR(text)
	if err != nil {
		return nil, err
	}
	return network.RangeOf(n), nil
}

func setRoutes(n *network.Network, routes []string) error {
	for _, text := range routes {
		parts := strings.Split(text, ",")
		if len(parts) < 2 || len(parts) > 3 {
			return errdef.Newf(errdef.ErrInvalid, "invalid route: %s\nFormat: --route <destination in CIDR>,<gateway>,<metric (optional)>", text)
		}
		destination, err := network.ParseIPNet(parts[0])
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid route destination %s", parts[0])
		}
		r := network.Route{Destination: destination, Gateway: net.ParseIP(parts[1])}
		if r.Gateway == nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid route gateway %s", parts[1])
		}
		if len(parts) == 3 {
			metric, err := strconv.ParseUint(parts[2], 10, 32)
			if err != nil {
				return errdef.Newf(errdef.ErrInvalid, "invalid route metric %s", parts[2])
			}
			short := uint32(metric)
			r.Metric = &short
		}
		n.Routes = append(n.Routes, r)
	}
	return nil
}

// addresses4or6 parses addresses; what names the option in the error.
func addresses4or6(list []string, what string) ([]net.IP, error) {
	var ips []net.IP
	for _, text := range list {
		ip := net.ParseIP(text)
		if ip == nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "unable to parse ip %s specified in %s: invalid argument", text, what)
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

// UpdateNetwork changes the servers that a network's names are asked of; its
// containers see it at their next start.
func (e *Engine) UpdateNetwork(name string, addDNS, dropDNS []string) error {
	m, err := e.networks()
	if err != nil {
		return err
	}
	add, err := addresses4or6(addDNS, "AddDNSServer")
	if err != nil {
		return err
	}
	drop, err := addresses4or6(dropDNS, "RemoveDNSServer")
	if err != nil {
		return err
	}
	_, err = m.Update(name, func(n *network.Network) error {
		if !n.DNSEnabled {
			return errdef.Newf(errdef.ErrInvalid, "unable to change the DNS servers of network %s: DNS is not enabled for it", n.Name)
		}
		same := func(a net.IP) func(net.IP) bool { return func(b net.IP) bool { return a.Equal(b) } }
		for _, ip := range add {
			if !slices.ContainsFunc(n.DNSServers, same(ip)) {
				n.DNSServers = append(n.DNSServers, ip)
			}
		}
		for _, ip := range drop {
			n.DNSServers = slices.DeleteFunc(n.DNSServers, same(ip))
		}
		return nil
	})
	return err
}
