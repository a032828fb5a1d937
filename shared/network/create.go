package network

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Create makes a network and returns it as made: what the given one leaves
// open (name, ID, interface, subnets, gateways) is chosen. A name that is
// taken is a TakenError.
func (m *Manager) Create(n Network) (Network, error) {
	if n.Driver == "" {
		n.Driver = DriverBridge
	}
	if n.Driver != DriverBridge && n.Driver != DriverMacvlan && n.Driver != DriverIPvlan {
		return n, errdef.Newf(errdef.ErrUnsupported, "failed to find driver or plugin %q", n.Driver)
	}
	if n.Name != "" && checkName(n.Name) != nil {
		return n, errdef.Newf(errdef.ErrInvalid, "network name %s invalid: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument", n.Name)
	}
	if err := os.MkdirAll(m.o.ConfigDir, 0o755); err != nil {
		return n, fmt.Errorf("make network directory: %w", err)
	}
	held, err := lockFile(filepath.Join(m.o.ConfigDir, ".lock"))
	if err != nil {
		return n, err
	}
	defer held.Close()
	all, err := m.Networks()
	if err != nil {
		return n, err
	}
	for _, other := range all {
		if other.Name == n.Name {
			return n, &TakenError{n.Name}
		}
	}
	if err := m.complete(&n, all); err != nil {
		return n, err
	}
	id := sha256.Sum256([]byte(n.Name))
	n.ID, n.Created = hex.EncodeToString(id[:]), time.Now()
	if err := n.check(); err != nil {
		return n, err
	}
	return n, writeNetwork(filepath.Join(m.o.ConfigDir, n.Name+".json"), n)
}

// TakenError says that a network of that name is there.
type TakenError struct{ Name string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("network name %s already used: network already exists", e.Name)
}

// Is makes it an errdef.ErrConflict.
func (e *TakenError) Is(target error) bool { return target == errdef.ErrConflict }

// Update changes the network's file by what change does to it.
func (m *Manager) Update(name string, change func(*Network) error) (Network, error) {
	if err := os.MkdirAll(m.o.ConfigDir, 0o755); err != nil {
		return Network{}, fmt.Errorf("make network directory: %w", err)
	}
	held, err := lockFile(filepath.Join(m.o.ConfigDir, ".lock"))
	if err != nil {
		return Network{}, err
	}
	defer held.Close()
	n, err := m.Network(name)
	if err != nil {
		return n, err
	}
	if err := change(&n); err != nil {
		return n, err
	}
	return n, writeNetwork(filepath.Join(m.o.ConfigDir, n.Name+".json"), n)
}

// surroundings are what of the host and of other networks a new one must not touch.
type surroundings struct {
	links   map[string]bool // names of links, there or reserved for a network
	bridges map[string]bool // of other networks
	names   map[string]bool
	subnets []IPNet
}

func (m *Manager) surroundings(all []Network) surroundings {
	s := surroundings{links: map[string]bool{"podman0": true}, bridges: map[string]bool{}, names: map[string]bool{}}
	for _, other := range all {
		s.names[other.Name] = true
		if other.Driver == DriverBridge {
			s.links[other.NetworkInterface], s.bridges[other.NetworkInterface] = true, true
		}
		for _, sub := range other.Subnets {
			s.subnets = append(s.subnets, sub.Subnet)
		}
	}
	if links, err := netlink.LinkList(); err == nil {
		for _, l := range links {
			s.links[l.Attrs().Name] = true
		}
	}
	if addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL); err == nil {
		for _, a := range addrs {
			if !a.IP.IsLinkLocalUnicast() && !a.IP.IsLoopback() {
				s.subnets = append(s.subnets, IPNet{*a.IPNet})
			}
		}
	}
	if routes, err := netlink.RouteList(nil, netlink.FAMILY_V4); err == nil {
		for _, r := range routes {
			if r.Dst != nil && !r.Dst.IP.IsUnspecified() {
				s.subnets = append(s.subnets, IPNet{*r.Dst})
			}
		}
	}
	return s
}

// complete chooses what n leaves open and refuses what doesn't fit.
func (m *Manager) complete(n *Network, all []Network) error {
	if _, err := n.settings(); err != nil {
		return err
	}
	around := m.surroundings(all)
	if err := n.chooseIPAM(); err != nil {
		return err
	}
	if err := n.chooseLinks(&around); err != nil {
		return err
	}
	if len(n.DNSServers) > 0 && !n.DNSEnabled {
		return errdef.Newf(errdef.ErrInvalid, "cannot set NetworkDNSServers if DNS is not enabled for the network: invalid argument")
	}
	if n.IPAMOptions["driver"] != ipamHostLocal {
		return nil
	}
	for i := range n.Subnets {
		if err := n.checkSubnet(&n.Subnets[i], &around); err != nil {
			return err
		}
	}
	if err := m.chooseSubnets(n, &around); err != nil {
		return err
	}
	return n.checkRoutes()
}

// chooseIPAM sets the driver that gives addresses, and whether there are names.
func (n *Network) chooseIPAM() error {
	if n.IPAMOptions == nil {
		n.IPAMOptions = map[string]string{}
	}
	driver := n.IPAMOptions["driver"]
	if driver == "" {
		if driver = ipamHostLocal; n.Driver != DriverBridge && len(n.Subnets) == 0 {
			driver = ipamDHCP
		}
		n.IPAMOptions["driver"] = driver
	}
	switch driver {
	case ipamHostLocal:
		if n.Driver != DriverBridge && len(n.Subnets) == 0 {
			return errdef.Newf(errdef.ErrInvalid, "%s driver needs at least one subnet specified when the host-local ipam driver is set", n.Driver)
		}
	case ipamDHCP, ipamNone:
		if driver == ipamDHCP && n.Driver == DriverIPvlan {
			return errdef.Newf(errdef.ErrInvalid, "ipam driver dhcp is not supported with ipvlan")
		}
		if len(n.Subnets) > 0 {
			return errdef.Newf(errdef.ErrInvalid, "%s ipam driver is set but subnets are given", driver)
		}
		n.DNSEnabled = false
	default:
		return errdef.Newf(errdef.ErrUnsupported, "unsupported ipam driver %q", driver)
	}
	if n.Driver != DriverBridge {
		n.DNSEnabled = false
	}
	return nil
}

// chooseLinks sets the bridge, or checks the parent that was named, and sets
// the name.
func (n *Network) chooseLinks(around *surroundings) error {
	if name := n.NetworkInterface; name != "" {
		const bad = "network interface name %s invalid: %s: invalid argument"
		switch {
		case len(name) > 15:
			return errdef.Newf(errdef.ErrInvalid, bad, name, "interface name is too long: interface names must be 15 characters or less")
		case !validLinkName(name):
			return errdef.Newf(errdef.ErrInvalid, bad, name, "interface name contains / or : or whitespace characters")
		case n.Driver != DriverBridge && !around.links[name]:
			return errdef.Newf(errdef.ErrNotFound, "parent interface %s does not exist", name)
		case n.Driver == DriverBridge && around.bridges[name]:
			return errdef.Newf(errdef.ErrConflict, "bridge name %s already in use", name)
		}
	}
	for i := 1; n.Name == "" || n.Driver == DriverBridge && n.NetworkInterface == ""; i++ {
		free := fmt.Sprintf("podman%d", i)
		if around.links[free] || n.Name == "" && around.names[free] {
			continue
		}
		if n.Name == "" {
			n.Name = free
		}
		if n.Driver == DriverBridge && n.NetworkInterface == "" {
			n.NetworkInterface = free
		}
	}
	return nil
}

// checkSubnet completes a subnet that was asked for.
func (n *Network) checkSubnet(s *Subnet, around *surroundings) error {
	s.Subnet.IP = s.Subnet.IP.Mask(s.Subnet.Mask)
	for _, u := range around.subnets {
		if n.Driver == DriverBridge && overlap(u, s.Subnet) {
			return errdef.Newf(errdef.ErrConflict, "subnet %s is already used on the host or by another config", s.Subnet.String())
		}
	}
	around.subnets = append(around.subnets, s.Subnet)
	if s.Subnet.IP.To4() == nil {
		n.IPv6Enabled = true
	}
	if s.Gateway != nil && !s.Subnet.Contains(s.Gateway) {
		return errdef.Newf(errdef.ErrInvalid, "gateway %s not in subnet %s", s.Gateway, s.Subnet.String())
	}
	if r := s.LeaseRange; r != nil {
		for _, end := range []struct {
			name string
			ip   net.IP
		}{{"start", r.StartIP}, {"end", r.EndIP}} {
			if end.ip != nil && !s.Subnet.Contains(end.ip) {
				return errdef.Newf(errdef.ErrInvalid, "lease range %s ip %s not in subnet %s", end.name, end.ip, s.Subnet.String())
			}
		}
	}
	if _, err := leaseRange(*s); err != nil {
		return err
	}
	if r := s.LeaseRange; r != nil && r.StartIP != nil && r.EndIP != nil && bytes.Compare(r.StartIP.To16(), r.EndIP.To16()) > 0 {
		return errdef.Newf(errdef.ErrInvalid, "lease range start ip %s comes after its end ip %s", r.StartIP, r.EndIP)
	}
	if s.Gateway == nil && (n.Driver == DriverBridge || !n.Internal) {
		with, err := subnetOf(s.Subnet.String())
		if err != nil {
			return err
		}
		s.Gateway = with.Gateway
	}
	return nil
}

// chooseSubnets adds the subnets that a network of the kind has.
func (m *Manager) chooseSubnets(n *Network, around *surroundings) error {
	var v4, v6 bool
	for _, s := range n.Subnets {
		is4 := s.Subnet.IP.To4() != nil
		v4, v6 = v4 || is4, v6 || !is4
	}
	if !v4 && !v6 {
		s, err := m.freeSubnet(around.subnets)
		if err != nil {
			return err
		}
		n.Subnets = append(n.Subnets, s)
	}
	if n.IPv6Enabled && !v6 {
		prefix := make(net.IP, 16)
		rand.Read(prefix[1:8])
		prefix[0] = 0xfd // RFC 4193: locally assigned
		s, err := subnetOf((&net.IPNet{IP: prefix, Mask: net.CIDRMask(64, 128)}).String())
		if err != nil {
			return err
		}
		n.Subnets = append(n.Subnets, s)
	}
	return nil
}

func (n *Network) checkRoutes() error {
	for _, r := range n.Routes {
		if (r.Destination.IP.To4() == nil) != (r.Gateway.To4() == nil) {
			return errdef.Newf(errdef.ErrInvalid, "invalid route: destination %s and gateway %s are of different families", r.Destination.String(), r.Gateway)
		}
	}
	return nil
}

// freeSubnet is the first of the pools' subnets that overlaps none of used.
func (m *Manager) freeSubnet(used []IPNet) (Subnet, error) {
	for _, pool := range m.o.SubnetPools {
		n, err := ParseIPNet(pool.Base)
		if err != nil || n.IP.To4() == nil || pool.Size > 30 {
			return Subnet{}, errdef.Newf(errdef.ErrInvalid, "default_subnet_pools: %q with subnets of size %d is no usable IPv4 pool", pool.Base, pool.Size)
		}
		mask := net.CIDRMask(pool.Size, 32)
		for try := (IPNet{net.IPNet{IP: n.IP.Mask(n.Mask), Mask: mask}}); n.Contains(try.IP); {
			clash := ""
			for _, u := range used {
				if overlap(u, try) {
					clash = u.String()
				}
			}
			if clash == "" {
				return subnetOf(try.String())
			}
			if try.IP = net.IP(interval(try)[1].Key).To4(); try.IP.IsUnspecified() {
				break
			}
		}
	}
	return Subnet{}, errdef.Newf(errdef.ErrUnavailable, "could not find free subnet from subnet pools")
}
