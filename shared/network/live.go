package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// CheckOptions refuses options that Setup would refuse.
func CheckOptions(per PerNetwork) error {
	if per.InterfaceName != "" && !validLinkName(per.InterfaceName) {
		return errdef.Newf(errdef.ErrInvalid, "invalid interface name %q", per.InterfaceName)
	}
	return new(settings).merge(&Network{Driver: DriverBridge}, per)
}

// CheckAddresses tells whether the network has the addresses that are asked
// for.
func (m *Manager) CheckAddresses(name string, per PerNetwork) error {
	n, err := m.Network(name)
	if err != nil {
		return err
	}
	for _, ip := range per.StaticIPs {
		if !slices.ContainsFunc(n.Subnets, func(s Subnet) bool { return s.Subnet.Contains(ip) }) {
			return errdef.Newf(errdef.ErrInvalid, "requested static ip %s not in any subnet on network %s", ip, n.Name)
		}
	}
	return nil
}

// Connect puts a running container on one more network of ep's and returns its
// new status.
func (m *Manager) Connect(ctx context.Context, nsPath string, ep Endpoint, name string, status map[string]Status) (map[string]Status, error) {
	after := maps.Clone(status)
	if after == nil {
		after = map[string]Status{}
	}
	added := ep
	added.Networks = map[string]PerNetwork{name: ep.Networks[name]}
	err := m.onBridges(ctx, true, func() error {
		ns, err := openNS(nsPath)
		if err != nil {
			return err
		}
		defer ns.Close()
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		s, err := m.connect(h, ns, added, name, status)
		if err != nil {
			return fmt.Errorf("connect to network %q: %w", name, err)
		}
		after[name] = s
		return m.republish(nsPath, ep, status, after)
	})
	if err != nil {
		added.KeepNS, added.Ports = true, nil
		err = errors.Join(err, m.Teardown(context.WithoutCancel(ctx), nsPath, added, map[string]Status{name: after[name]}))
	}
	return after, err
}

// Disconnect takes a running container off one of ep's networks and returns
// its new status.
func (m *Manager) Disconnect(ctx context.Context, nsPath string, ep Endpoint, name string, status map[string]Status) (map[string]Status, error) {
	after := maps.Clone(status)
	delete(after, name)
	if err := m.republish(nsPath, ep, status, after); err != nil {
		return status, err
	}
	gone := ep
	gone.KeepNS, gone.Ports, gone.Networks = true, nil, map[string]PerNetwork{name: ep.Networks[name]}
	err := m.Teardown(ctx, nsPath, gone, map[string]Status{name: status[name]})
	return after, errors.Join(err, removeLinks(nsPath, status[name]))
}

// removeLinks removes what is left of a network in the container: the links
// that have no other end on the host.
func removeLinks(nsPath string, s Status) error {
	ns, err := openNS(nsPath)
	if err != nil {
		return err
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer h.Close()
	for name := range s.Interfaces {
		if link, err := h.LinkByName(name); err == nil {
			if err := h.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
				return fmt.Errorf("remove link %q: %w", name, err)
			}
		}
	}
	return nil
}

// republish moves the published ports where they lead to now.
func (m *Manager) republish(nsPath string, ep Endpoint, before, after map[string]Status) error {
	from, to := publishTo(before), publishTo(after)
	if slices.EqualFunc(from, to, net.IP.Equal) {
		return nil
	}
	if err := m.unpublish(ep, from); err != nil {
		return err
	}
	if len(to) == 0 {
		return nil
	}
	return m.publish(nsPath, ep, to)
}

// addressesOf lists the addresses of a container on one network.
func addressesOf(s Status) []SubnetAddress {
	var all []SubnetAddress
	for _, i := range s.Interfaces {
		all = append(all, i.Subnets...)
	}
	return all
}

// Announce makes the names of a running container known on its networks, in
// place of those that it had.
func (m *Manager) Announce(ctx context.Context, nsPath string, ep Endpoint, status map[string]Status) error {
	return m.onBridges(ctx, true, func() error { return m.announceAll(nsPath, ep, status) })
}

func (m *Manager) announceAll(nsPath string, ep Endpoint, status map[string]Status) error {
	return m.eachNetwork(ep, func(n *Network, s settings, name string) error {
		if !n.hasNames(s) {
			return nil
		}
		return m.announce(n, nsPath, ep, addressesOf(status[name]))
	})
}

// eachNetwork does something with each of the endpoint's networks, which it
// calls name.
func (m *Manager) eachNetwork(ep Endpoint, do func(n *Network, s settings, name string) error) error {
	for _, name := range ep.Order() {
		n, err := m.Network(name)
		if err != nil {
			return err
		}
		s, err := n.settings()
		if err != nil {
			return err
		}
		if err := do(&n, s, name); err != nil {
			return err
		}
	}
	return nil
}

// Reload makes the bridges, rules and names of a running container's networks
// again, whatever became of them.
func (m *Manager) Reload(ctx context.Context, nsPath string, ep Endpoint, status map[string]Status) error {
	return m.onBridges(ctx, true, func() error { return m.reload(nsPath, ep, status) })
}

func (m *Manager) reload(nsPath string, ep Endpoint, status map[string]Status) error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	err = m.eachNetwork(ep, func(n *Network, s settings, name string) error {
		if n.Driver != DriverBridge {
			return nil
		}
		bridge, err := m.prepareBridge(h, n, s)
		if err != nil {
			return err
		}
		link, err := h.LinkByName(m.hostEnd(nsPath, ep, name))
		if err == nil && link.Attrs().MasterIndex != bridge {
			if err := h.LinkSetMasterByIndex(link, bridge); err != nil {
				return fmt.Errorf("put link %q on the bridge again: %w", link.Attrs().Name, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := m.announceAll(nsPath, ep, status); err != nil {
		return err
	}
	return m.publish(nsPath, ep, publishTo(status))
}
