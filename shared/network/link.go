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
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// ensureBridge returns the index of the network's bridge, making what is
// missing of it. That it is up is set last, so a bridge that is up is whole.
func ensureBridge(h *netlink.Handle, n *Network, s settings, lock string) (int, error) {
	link, err := h.LinkByName(n.NetworkInterface)
	if err == nil && link.Type() == "bridge" && link.Attrs().Flags&net.FlagUp != 0 {
		return link.Attrs().Index, nil
	}
	if s.unmanaged {
		return 0, errdef.Newf(errdef.ErrNotFound, "network %q uses a bridge that others manage: %q is no bridge that is up", n.Name, n.NetworkInterface)
	}
	held, err := lockFile(lock)
	if err != nil {
		return 0, err
	}
	defer held.Close()
	link, err = makeBridge(h, n, s)
	if err != nil {
		return 0, fmt.Errorf("make bridge %q: %w", n.NetworkInterface, err)
	}
	return link.Attrs().Index, nil
}

func makeBridge(h *netlink.Handle, n *Network, s settings) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = n.NetworkInterface
	attrs.MTU = s.mtu
	// Without one of its own a bridge has the address of one of its ports, and
	// another when that goes: then what containers send to it gets lost.
	if gateways := n.gateways(); len(gateways) > 0 {
		attrs.HardwareAddr = addressFor(gateways[0])
	}
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if s.vlan > 0 {
		filtering := true
		bridge.VlanFiltering = &filtering
	}
	if s.vrf != "" {
		vrf, err := h.LinkByName(s.vrf)
		if err != nil || vrf.Type() != "vrf" {
			return nil, errdef.Newf(errdef.ErrNotFound, "there is no VRF %q", s.vrf)
		}
		bridge.MasterIndex = vrf.Attrs().Index
	}
	if err := h.LinkAdd(bridge); err != nil && !errors.Is(err, unix.EEXIST) {
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

// join makes the pair and sets what its port of the bridge needs: the way back
// to itself where ports are published, a VLAN.
func (v vethPair) join(loop bool, vlan int) error {
	err := v.add()
	if err == nil && loop {
		err = hairpin(v.host)
	}
	if err == nil && vlan > 0 {
		err = setVlan(v.host, vlan)
	}
	return err
}

// setVlan makes the port one of the VLAN alone, untagged on its own side.
func setVlan(name string, vlan int) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.BridgeVlanAdd(link, uint16(vlan), true, true, false, true)
	}
	if err == nil && vlan != 1 {
		err = netlink.BridgeVlanDel(link, 1, true, true, false, true)
	}
	if err != nil {
		return fmt.Errorf("set VLAN %d of %q: %w", vlan, name, err)
	}
	return nil
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
