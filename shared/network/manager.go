package network

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Options says where networks are kept and for whom.
type Options struct {
	ConfigDir      string // netavark's network files
	RunDir         string // leases and locks; need not survive a reboot
	Rootless       bool
	DefaultNetwork string   // "" means "podman"
	DefaultSubnet  string   // "" means 10.88.0.0/16
	PastaOptions   []string // for every container
}

// Manager connects containers to networks. It keeps nothing in memory that
// another process could change.
type Manager struct {
	o      Options
	subnet Subnet
}

// Open returns a manager; nothing is made before it is needed.
func Open(o Options) (*Manager, error) {
	if o.DefaultNetwork == "" {
		o.DefaultNetwork = "podman"
	}
	if o.DefaultSubnet == "" {
		o.DefaultSubnet = "10.88.0.0/16"
	}
	subnet, err := subnetOf(o.DefaultSubnet)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "default network: %w", err)
	}
	return &Manager{o: o, subnet: subnet}, nil
}

// subnetOf is a subnet with its first address as the gateway.
func subnetOf(cidr string) (Subnet, error) {
	n, err := ParseIPNet(cidr)
	if err != nil {
		return Subnet{}, err
	}
	n.IP = n.IP.Mask(n.Mask)
	r, err := leaseRange(Subnet{Subnet: n})
	if err != nil {
		return Subnet{}, err
	}
	return Subnet{Subnet: n, Gateway: r.first.AsSlice()}, nil
}

// Setup connects the container, whose network namespace is bound at nsPath, to
// its networks and publishes its ports. On an error everything is taken back.
func (m *Manager) Setup(ctx context.Context, nsPath string, ep Endpoint) (_ map[string]Status, err error) {
	if err := checkEndpoint(nsPath, ep); err != nil {
		return nil, err
	}
	if m.o.Rootless {
		return m.setupRootless(ctx, nsPath, ep)
	}
	if len(ep.Networks) == 0 {
		return nil, errdef.Newf(errdef.ErrUnsupported, "pasta networking is only for ordinary users: use a bridge network")
	}
	ns, err := openNS(nsPath)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if err := os.MkdirAll(m.o.RunDir, 0o700); err != nil {
		return nil, fmt.Errorf("make run directory: %w", err)
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	status := map[string]Status{}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Teardown(context.WithoutCancel(ctx), nsPath, ep, status))
		}
	}()
	for i, name := range sortedNames(ep.Networks) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if status[name], err = m.connect(h, ns, ep, name, i, status); err != nil {
			return nil, fmt.Errorf("connect to network %q: %w", name, err)
		}
	}
	if err := publish(ep.Ports, publishTo(status)); err != nil {
		return nil, err
	}
	return status, nil
}

func sortedNames(networks map[string]PerNetwork) []string {
	names := make([]string, 0, len(networks))
	for name := range networks {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// connect puts the container on one network, as its i-th.
func (m *Manager) connect(h *netlink.Handle, ns *os.File, ep Endpoint, name string, i int, done map[string]Status) (Status, error) {
	n, err := m.Network(name)
	if err != nil {
		return Status{}, err
	}
	if n.Driver != "bridge" {
		return Status{}, errdef.Newf(errdef.ErrUnsupported, "network driver %q is not supported", n.Driver)
	}
	bridge, err := ensureBridge(h, &n, m.lockPath())
	if err != nil {
		return Status{}, err
	}
	if err := ensureNetwork(&n, m.lockPath()); err != nil {
		return Status{}, err
	}
	want := ep.Networks[name]
	addrs, err := m.lease(&n, want, ep.ContainerID+":"+ns.Name())
	if err != nil {
		return Status{}, errors.Join(err, m.release(name, ep.ContainerID, addrs))
	}
	status := Status{DNSServerIPs: n.DNSServers}
	ifname := want.InterfaceName
	if ifname == "" {
		ifname = fmt.Sprintf("eth%d", i)
	}
	mac, err := hardwareAddr(want.StaticMAC)
	if err == nil {
		v := vethPair{host: hostLink(ns.Name(), ep.ContainerID, name), peer: ifname, bridge: bridge, ns: ns, mac: mac, mtu: mtuOf(&n)}
		err = v.add()
		if err == nil && len(ep.Ports) > 0 {
			err = hairpin(v.host)
		}
	}
	if err == nil {
		err = configure(ns, ifname, addrs, n.Routes, !n.Internal && !hasGateway(done))
	}
	if err != nil {
		return Status{}, errors.Join(err, m.release(name, ep.ContainerID, addrs))
	}
	if n.Internal {
		for i := range addrs {
			addrs[i].Gateway = nil
		}
	}
	status.Interfaces = map[string]Interface{ifname: {MAC: mac.String(), Subnets: addrs}}
	return status, nil
}

// hasGateway tells whether one of the networks gave a default route.
func hasGateway(done map[string]Status) bool {
	for _, s := range done {
		for _, i := range s.Interfaces {
			for _, a := range i.Subnets {
				if a.Gateway != nil {
					return true
				}
			}
		}
	}
	return false
}

func hardwareAddr(static string) (net.HardwareAddr, error) {
	if static != "" {
		mac, err := net.ParseMAC(static)
		if err != nil || len(mac) != 6 {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid MAC address %q", static)
		}
		return mac, nil
	}
	mac := make(net.HardwareAddr, 6)
	rand.Read(mac)
	mac[0] = mac[0]&^1 | 2 // unicast, locally administered
	return mac, nil
}

// lease takes an address in each subnet of the network.
func (m *Manager) lease(n *Network, want PerNetwork, holder string) ([]SubnetAddress, error) {
	var addrs []SubnetAddress
	used := 0
	for _, s := range n.Subnets {
		var static net.IP
		for _, ip := range want.StaticIPs {
			if s.Subnet.Contains(ip) {
				static, used = ip, used+1
				break
			}
		}
		ip, err := leases{m.leaseDir(n.Name)}.take(s, static, holder)
		if err != nil {
			return addrs, err
		}
		addrs = append(addrs, SubnetAddress{IPNet: IPNet{net.IPNet{IP: ip, Mask: s.Subnet.Mask}}, Gateway: s.Gateway})
	}
	if used < len(want.StaticIPs) {
		return addrs, errdef.Newf(errdef.ErrInvalid, "requested static ip %s not in any subnet on network %s", want.StaticIPs[used], n.Name)
	}
	return addrs, nil
}

func (m *Manager) release(network, id string, addrs []SubnetAddress) error {
	var errs []error
	for _, a := range addrs {
		errs = append(errs, leases{m.leaseDir(network)}.release(a.IPNet.IP, id))
	}
	return errors.Join(errs...)
}

// publishTo are the addresses that published ports lead to: those of the first
// network that has a way out.
func publishTo(status map[string]Status) []net.IP {
	var names []string
	for name := range status {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var ips []net.IP
		for _, i := range status[name].Interfaces {
			for _, a := range i.Subnets {
				if a.Gateway != nil {
					ips = append(ips, a.IPNet.IP)
				}
			}
		}
		if len(ips) > 0 {
			return ips
		}
	}
	return nil
}

// Teardown takes back what Setup has done; what is gone already is fine. With
// no status (a crash lost it) the leases tell the addresses. Links are cut off
// and go when the namespace does, unless ep.KeepNS has them removed.
func (m *Manager) Teardown(ctx context.Context, nsPath string, ep Endpoint, status map[string]Status) error {
	if err := checkEndpoint(nsPath, ep); err != nil {
		return err
	}
	if m.o.Rootless {
		return m.teardownRootless(nsPath, ep)
	}
	ips := publishTo(status)
	if len(status) == 0 {
		for _, name := range sortedNames(ep.Networks) {
			ips = append(ips, leases{m.leaseDir(name)}.held(ep.ContainerID)...)
		}
	}
	errs := []error{unpublish(ep.Ports, ips)}
	for _, name := range sortedNames(ep.Networks) {
		if link := hostLink(nsPath, ep.ContainerID, name); link != "" {
			cut := shutLink
			if ep.KeepNS {
				cut = delLink
			}
			if err := cut(link); err != nil {
				errs = append(errs, fmt.Errorf("remove link: %w", err))
				continue
			}
		}
		l := leases{m.leaseDir(name)}
		if s, ok := status[name]; ok {
			for _, i := range s.Interfaces {
				errs = append(errs, m.release(name, ep.ContainerID, i.Subnets))
			}
			continue
		}
		for _, ip := range l.held(ep.ContainerID) {
			errs = append(errs, l.release(ip, ep.ContainerID))
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) lockPath() string { return filepath.Join(m.o.RunDir, "lock") }

func (m *Manager) leaseDir(network string) string {
	return filepath.Join(m.o.RunDir, "leases", network)
}

// checkEndpoint refuses what must not become a path or a link's name.
func checkEndpoint(nsPath string, ep Endpoint) error {
	if err := checkNSPath(nsPath); err != nil {
		return err
	}
	if ep.ContainerID == "" || len(ep.ContainerID) > 128 || strings.ContainsAny(ep.ContainerID, "/:\x00\n") {
		return errdef.Newf(errdef.ErrInvalid, "invalid container ID %q", ep.ContainerID)
	}
	for name, per := range ep.Networks {
		if err := checkName(name); err != nil {
			return err
		}
		if per.InterfaceName != "" && !validLinkName(per.InterfaceName) {
			return errdef.Newf(errdef.ErrInvalid, "invalid interface name %q", per.InterfaceName)
		}
	}
	return nil
}
