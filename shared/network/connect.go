package network

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network/names"
	"github.com/podsuite/podsuite/shared/network/rules"
)

// The options that one container may have on one network, as in
// `--network NAME:mtu=1400`.
const (
	optHostInterface  = "host_interface_name"
	optMTU            = "mtu"
	optMetric         = "metric"
	optNoDefaultRoute = "no_default_route"
)

// Order lists the endpoint's networks in the order of their links: eth2 comes
// before eth10, and what has no name yet comes last.
func (ep *Endpoint) Order() []string {
	names := make([]string, 0, len(ep.Networks))
	for name := range ep.Networks {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := ep.Networks[a].InterfaceName, ep.Networks[b].InterfaceName
		switch {
		case (x == "") != (y == ""):
			return len(y) - len(x)
		case len(x) != len(y):
			return len(x) - len(y)
		case x != y:
			return strings.Compare(x, y)
		}
		return strings.Compare(a, b)
	})
	return names
}

// merge puts a container's own options over the network's.
func (s *settings) merge(n *Network, per PerNetwork) error {
	for key, value := range per.Options {
		var err error
		switch key {
		case optHostInterface:
			if n.Driver != DriverBridge {
				err = fmt.Errorf("it is for bridge networks only")
			} else if !validLinkName(value) {
				err = fmt.Errorf("invalid interface name %q", value)
			}
		case optMTU, optMetric, optNoDefaultRoute:
			var own settings
			one := Network{Driver: n.Driver, Options: map[string]string{key: value}}
			if own, err = one.settings(); err == nil && key == optMTU {
				s.mtu = own.mtu
			}
			s.metric, s.noDefaultRoute = max(s.metric, own.metric), s.noDefaultRoute || own.noDefaultRoute
		default:
			err = fmt.Errorf("there is no such option: use alias, ip, ip6, mac, interface_name, host_interface_name, mtu, metric or no_default_route")
		}
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "network option %q: %w", key, err)
		}
	}
	return nil
}

// connect puts the container on one network, beside those of done.
func (m *Manager) connect(h *netlink.Handle, ns *os.File, ep Endpoint, name string, done map[string]Status) (Status, error) {
	n, err := m.Network(name)
	if err != nil {
		return Status{}, err
	}
	s, err := n.settings()
	if err != nil {
		return Status{}, err
	}
	want := ep.Networks[name]
	if err := s.merge(&n, want); err != nil {
		return Status{}, err
	}
	if n.IPAMOptions["driver"] == ipamDHCP {
		return Status{}, errdef.Newf(errdef.ErrUnsupported, "the network takes its addresses from DHCP, which is not supported: make it with --subnet, or with --ipam-driver none")
	}
	if m.o.Rootless && n.Driver != DriverBridge {
		return Status{}, errdef.Newf(errdef.ErrUnsupported, "it is of driver %s, which needs root: use a bridge network", n.Driver)
	}
	bridge := 0
	if n.Driver == DriverBridge {
		if bridge, err = m.prepareBridge(h, &n, s); err != nil {
			return Status{}, err
		}
	}
	var addrs []SubnetAddress
	undo := func(err error) (Status, error) {
		return Status{}, errors.Join(err, m.release(name, ep.ContainerID, addrs))
	}
	if n.IPAMOptions["driver"] != ipamNone {
		if addrs, err = m.lease(&n, want, ep.ContainerID+":"+ns.Name()); err != nil {
			return undo(err)
		}
	}
	l := containerLink{ns: ns, name: want.InterfaceName, addrs: addrs, routes: n.Routes, metric: s.metric, isDefault: !n.Internal && !s.noDefaultRoute && !hasGateway(done) && !m.hasOwnWayOut(ep)}
	if l.name == "" {
		l.name = freeLinkName(done)
	}
	mac, err := hardwareAddr(want.StaticMAC, n.Driver, addrs)
	if err == nil {
		switch n.Driver {
		case DriverBridge:
			v := vethPair{host: m.hostEnd(ns.Name(), ep, name), peer: l.name, bridge: bridge, ns: ns, mac: mac, mtu: s.mtu}
			err = v.join(len(ep.Ports) > 0, s.vlan)
		default:
			err = addVlan(h, &n, s, l.name, ns, mac)
		}
	}
	if err == nil {
		mac, err = l.configure()
	}
	if err != nil {
		return undo(err)
	}
	status := Status{DNSServerIPs: m.upstream(&n), Interfaces: map[string]Interface{l.name: {MAC: mac.String(), Subnets: addrs}}}
	if n.hasNames(s) {
		status.DNSServerIPs, status.DNSSearchDomains = n.gateways(), []string{names.Domain}
		if err := m.announce(&n, ns.Name(), ep, addrs); err != nil {
			return undo(errors.Join(err, m.withdraw(name, ep.ContainerID)))
		}
	}
	for i := range addrs {
		if n.Internal || s.noDefaultRoute {
			addrs[i].Gateway = nil
		}
	}
	return status, nil
}

// prepareBridge makes sure that the network's bridge and its rules are there.
func (m *Manager) prepareBridge(h *netlink.Handle, n *Network, s settings) (int, error) {
	bridge, err := ensureBridge(h, n, s, m.lockPath())
	switch {
	case err != nil || s.unmanaged:
	case m.o.Firewall == noFirewall: // what was kept under another setting must not come back
		err = m.rules().Forget(rules.TableRules())
	default:
		err = m.ensureNetwork(n)
	}
	return bridge, err
}

// hostEnd is the name of the host's end of the container's link.
func (m *Manager) hostEnd(nsPath string, ep Endpoint, name string) string {
	if own := ep.Networks[name].Options[optHostInterface]; own != "" {
		return own
	}
	return hostLink(nsPath, ep.ContainerID, name)
}

// freeLinkName is the first ethN that none of the networks has.
func freeLinkName(done map[string]Status) string {
	for i := 0; ; i++ {
		name := "eth" + strconv.Itoa(i)
		taken := false
		for _, s := range done {
			_, has := s.Interfaces[name]
			taken = taken || has
		}
		if !taken {
			return name
		}
	}
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

// hardwareAddr is the address asked for, or on a bridge one that belongs to
// the container's: whoever gets that next is found by those who knew the last.
// The other drivers leave the choice to the kernel.
func hardwareAddr(static, driver string, addrs []SubnetAddress) (net.HardwareAddr, error) {
	if static != "" {
		mac, err := net.ParseMAC(static)
		if err != nil || len(mac) != 6 {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid MAC address %q", static)
		}
		if driver == DriverIPvlan {
			return nil, errdef.Newf(errdef.ErrInvalid, "mac address %s: containers of an ipvlan network share their parent's", static)
		}
		return mac, nil
	}
	if driver != DriverBridge {
		return nil, nil
	}
	if len(addrs) > 0 {
		return addressFor(addrs[0].IPNet.IP), nil
	}
	mac := make(net.HardwareAddr, 6)
	rand.Read(mac)
	return locally(mac), nil
}

// addressFor is the hardware address that belongs to an IP address.
func addressFor(ip net.IP) net.HardwareAddr {
	h := fnv.New64a()
	h.Write(ip)
	return locally(h.Sum(nil)[2:])
}

// locally makes the address a unicast one, locally administered.
func locally(mac net.HardwareAddr) net.HardwareAddr {
	mac[0] = mac[0]&^1 | 2
	return mac
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
		return addrs, errdef.Newf(errdef.ErrInvalid, "requested static ip %s not in any subnet on network %s", missed(n, want.StaticIPs), n.Name)
	}
	return addrs, nil
}

// missed is the first address that lies in none of the network's subnets, or
// beside another one in the same.
func missed(n *Network, ips []net.IP) net.IP {
	for _, ip := range ips {
		if !slices.ContainsFunc(n.Subnets, func(s Subnet) bool { return s.Subnet.Contains(ip) }) {
			return ip
		}
	}
	return ips[len(ips)-1]
}

func (m *Manager) release(network, id string, addrs []SubnetAddress) error {
	var errs []error
	for _, a := range addrs {
		errs = append(errs, leases{m.leaseDir(network)}.release(a.IPNet.IP, id))
	}
	return errors.Join(errs...)
}

// addVlan makes a macvlan or ipvlan link in the container's namespace, on the
// network's parent or on the link of the host's default route.
func addVlan(h *netlink.Handle, n *Network, s settings, name string, ns *os.File, mac net.HardwareAddr) error {
	parent := 0
	if n.NetworkInterface != "" {
		link, err := h.LinkByName(n.NetworkInterface)
		if err != nil {
			return errdef.Newf(errdef.ErrNotFound, "parent interface %s does not exist", n.NetworkInterface)
		}
		parent = link.Attrs().Index
	} else if parent = defaultLink(h); parent == 0 {
		return errdef.Newf(errdef.ErrNotFound, "the network names no parent interface, and the host has no default route: make it with -o parent=NAME")
	}
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	req.AddData(nl.NewRtAttr(unix.IFLA_LINK, nl.Uint32Attr(uint32(parent))))
	req.AddData(nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(ns.Fd()))))
	if s.mtu > 0 {
		req.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(s.mtu))))
	}
	if mac != nil {
		req.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
	}
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(n.Driver))
	s.vlanData(n.Driver, info.AddRtAttr(nl.IFLA_INFO_DATA, nil))
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return errdef.Newf(errdef.ErrUnsupported, "this kernel has no %s: load the module %s", n.Driver, n.Driver)
	}
	if err != nil {
		return fmt.Errorf("make %s link %q: %w", n.Driver, name, err)
	}
	return nil
}

// vlanData adds what is particular to the driver.
func (s *settings) vlanData(driver string, data *nl.RtAttr) {
	if driver == DriverIPvlan {
		mode := map[string]uint16{"l2": 0, "l3": 1, "l3s": 2}[s.mode]
		data.AddRtAttr(nl.IFLA_IPVLAN_MODE, nl.Uint16Attr(mode))
		return
	}
	mode := uint32(nl.MACVLAN_MODE_BRIDGE)
	switch s.mode {
	case "private":
		mode = nl.MACVLAN_MODE_PRIVATE
	case "vepa":
		mode = nl.MACVLAN_MODE_VEPA
	case "passthru":
		mode = nl.MACVLAN_MODE_PASSTHRU
	}
	data.AddRtAttr(nl.IFLA_MACVLAN_MODE, nl.Uint32Attr(mode))
	if s.bclim != nil {
		const broadcastCutoff = 9 // IFLA_MACVLAN_BC_CUTOFF
		data.AddRtAttr(broadcastCutoff, nl.Uint32Attr(uint32(*s.bclim)))
	}
}

// defaultLink is the index of the link that the default route leads to, or 0.
func defaultLink(h *netlink.Handle) int {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, _ := h.RouteList(nil, family)
		for _, r := range routes {
			if r.LinkIndex != 0 && (r.Dst == nil || r.Dst.IP.IsUnspecified()) {
				return r.LinkIndex
			}
		}
	}
	return 0
}

// containerLink is the container's end of a network.
type containerLink struct {
	ns        *os.File
	name      string
	addrs     []SubnetAddress
	routes    []Route
	metric    uint32
	isDefault bool // the default route leads here
}

// configure gives the link its addresses and routes, and sets lo up. It
// returns the link's hardware address.
func (l containerLink) configure() (net.HardwareAddr, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(l.ns.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("enter network namespace: %w", err)
	}
	defer h.Close()
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 1}}
	if err := h.LinkSetUp(lo); err != nil {
		return nil, fmt.Errorf("set lo up: %w", err)
	}
	link, err := h.LinkByName(l.name)
	if err != nil {
		return nil, fmt.Errorf("find link %q: %w", l.name, err)
	}
	if err := h.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("set link %q up: %w", l.name, err)
	}
	for _, a := range l.addrs {
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.IPNet.IP, Mask: a.IPNet.Mask}}
		if a.IPNet.IP.To4() == nil {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := h.AddrAdd(link, addr); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, fmt.Errorf("give link %q address %s: %w", l.name, addr.IPNet, err)
		}
	}
	for _, a := range l.addrs {
		if l.isDefault && a.Gateway != nil {
			route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: a.Gateway, Priority: 100}
			if l.metric > 0 {
				route.Priority = int(l.metric)
			}
			if err := h.RouteAdd(route); err != nil && !errors.Is(err, unix.EEXIST) {
				return nil, fmt.Errorf("set default route through %s: %w", a.Gateway, err)
			}
		}
	}
	for _, r := range l.routes {
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: r.Gateway, Dst: &r.Destination.IPNet, Priority: 100}
		if r.Metric != nil {
			route.Priority = int(*r.Metric)
		}
		if err := h.RouteAdd(route); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, fmt.Errorf("set route to %s through %s: %w", r.Destination.String(), r.Gateway, err)
		}
	}
	return link.Attrs().HardwareAddr, nil
}
