package network

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// ensureBridge returns the index of the network's bridge, making what is
// missing of it. That it is up is set last, so a bridge that is up is whole.
func ensureBridge(h *netlink.Handle, n *Network, lock string) (int, error) {
	if link, err := h.LinkByName(n.NetworkInterface); err == nil && link.Type() == "bridge" && link.Attrs().Flags&net.FlagUp != 0 {
		return link.Attrs().Index, nil
	}
	held, err := lockFile(lock)
	if err != nil {
		return 0, err
	}
	defer held.Close()
	link, err := makeBridge(h, n)
	if err != nil {
		return 0, fmt.Errorf("make bridge %q: %w", n.NetworkInterface, err)
	}
	return link.Attrs().Index, nil
}

func makeBridge(h *netlink.Handle, n *Network) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = n.NetworkInterface
	attrs.MTU = mtuOf(n)
	if err := h.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, err
	}
	link, err := h.LinkByName(n.NetworkInterface)
	if err != nil {
		return nil, err
	}
	if link.Type() != "bridge" {
		return nil, fmt.Errorf("a link of that name is there, of type %s", link.Type())
	}
	for _, s := range n.Subnets {
		if s.Gateway == nil {
			continue
		}
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: s.Gateway, Mask: s.Subnet.Mask}}
		if s.Gateway.To4() == nil {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := h.AddrReplace(link, addr); err != nil {
			return nil, fmt.Errorf("give it address %s: %w", addr.IPNet, err)
		}
	}
	if err := bridgeSysctls(n); err != nil {
		return nil, err
	}
	return link, h.LinkSetUp(link)
}

// bridgeSysctls lets the host forward, and route what is published on
// 127.0.0.1 to the bridge. The firewall keeps containers off the host's loopback.
func bridgeSysctls(n *Network) error {
	if n.Internal {
		return nil
	}
	wanted := []string{"ipv4/ip_forward", "ipv4/conf/" + n.NetworkInterface + "/route_localnet"}
	if n.IPv6Enabled {
		wanted = append(wanted, "ipv6/conf/all/forwarding")
	}
	for _, key := range wanted {
		if err := setSysctl(key, "1"); err != nil {
			return err
		}
	}
	return nil
}

func setSysctl(key, value string) error {
	path := "/proc/sys/net/" + key
	if now, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(now)) == value {
		return nil
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		return fmt.Errorf("set sysctl: %w", err)
	}
	return nil
}

// hostLink is the name of the host's end of a container's link: the same each
// time for one namespace, so that one left over from a crash is found, and
// another for the container's next namespace, as the kernel takes its time to
// clear the last one away. "" means that there is no namespace at nsPath.
func hostLink(nsPath, containerID, network string) string {
	var st unix.Stat_t
	if unix.Stat(nsPath, &st) != nil {
		return ""
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d:%s:%s", st.Ino, containerID, network)
	return fmt.Sprintf("veth%08x", uint32(h.Sum64()>>16))
}

// vethPair is a link between a bridge and a container.
type vethPair struct {
	host, peer string
	bridge     int // index
	ns         *os.File
	mac        net.HardwareAddr
	mtu        int
}

// add makes the pair in one request: the host's end up and on the bridge, the
// container's end in its namespace under its final name. (It can't be set up
// before the pair is whole.)
func (v vethPair) add() error {
	err := v.request()
	if errors.Is(err, unix.EEXIST) {
		if delLink(v.host) == nil {
			err = v.request()
		}
	}
	if err != nil {
		return fmt.Errorf("make link %q: %w", v.peer, err)
	}
	return nil
}

func (v vethPair) request() error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Flags, msg.Change = unix.IFF_UP, unix.IFF_UP
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.host)))
	req.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(v.bridge))))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.VETH_INFO_PEER, nil)
	nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
	peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.peer))
	peer.AddRtAttr(unix.IFLA_ADDRESS, v.mac)
	peer.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(v.ns.Fd())))
	if v.mtu > 0 {
		req.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(v.mtu))))
		peer.AddRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(v.mtu)))
	}
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// hairpin lets the bridge send packets back through the port that they came
// from: a container's own, through a port that it publishes.
func hairpin(name string) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated("bridge"))
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_DATA, nil).AddRtAttr(nl.IFLA_BRPORT_MODE, []byte{1})
	req.AddData(info)
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil {
		return fmt.Errorf("set hairpin mode of %q: %w", name, err)
	}
	return nil
}

// shutLink cuts a link off by its name; that it is gone is fine. Removing it
// would wait for tens of milliseconds, which the kernel spends by itself when
// the namespace at its other end goes.
func shutLink(name string) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Change = unix.IFF_UP
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// delLink removes a link by its name in one request; that it is gone is fine.
func delLink(name string) error {
	req := nl.NewNetlinkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// configure gives the container's end its addresses and routes, and sets lo up.
func configure(ns *os.File, name string, addrs []SubnetAddress, routes []Route, isDefault bool) error {
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer h.Close()
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 1}}
	if err := h.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find link %q: %w", name, err)
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("set link %q up: %w", name, err)
	}
	for _, a := range addrs {
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.IPNet.IP, Mask: a.IPNet.Mask}}
		if a.IPNet.IP.To4() == nil {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := h.AddrAdd(link, addr); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("give link %q address %s: %w", name, addr.IPNet, err)
		}
		if isDefault && a.Gateway != nil {
			route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: a.Gateway, Priority: 100}
			if err := h.RouteAdd(route); err != nil && !errors.Is(err, unix.EEXIST) {
				return fmt.Errorf("set default route through %s: %w", a.Gateway, err)
			}
		}
	}
	for _, r := range routes {
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: r.Gateway, Dst: &r.Destination.IPNet}
		if r.Metric != nil {
			route.Priority = int(*r.Metric)
		}
		if err := h.RouteAdd(route); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("set route to %s: %w", r.Destination.String(), err)
		}
	}
	return nil
}
