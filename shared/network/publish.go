package network

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network/rules"
)

// element is one published port in one map of the table.
type element struct {
	set      *nftables.Set
	key, val []byte
}

// published lists the map elements for the ports of a container that has these
// addresses.
func (f *firewall) published(ports []PortMapping, ips []net.IP) ([]element, error) {
	var all []element
	for _, p := range ports {
		host := net.ParseIP(p.HostIP)
		proto, err := protocolNumber(p.Protocol)
		if err != nil {
			return nil, err
		}
		if int(p.ContainerPort)+p.count()-1 > 65535 || int(p.HostPort)+p.count()-1 > 65535 || p.HostPort == 0 {
			return nil, errdef.Newf(errdef.ErrInvalid, "publish port %d: port out of range", p.ContainerPort)
		}
		found := false
		for _, ip := range ips {
			if host != nil && (host.To4() == nil) != (ip.To4() == nil) {
				continue
			}
			found = true
			for i := range uint16(p.count()) {
				all = append(all, f.element(host, proto, p.HostPort+i, ip, p.ContainerPort+i))
			}
		}
		if !found {
			return nil, errdef.Newf(errdef.ErrInvalid, "publish port %d on %q: the container has no address of that kind", p.ContainerPort, p.HostIP)
		}
	}
	return all, nil
}

func (f *firewall) element(host net.IP, proto byte, hostPort uint16, ip net.IP, port uint16) element {
	v := f.family(ip)
	e := element{set: v.ports}
	if host != nil && !host.IsUnspecified() {
		e.set, e.key = v.addrs, shortIP(host)
	}
	e.key = append(e.key, proto, 0, 0, 0)
	e.key = append(binary.BigEndian.AppendUint16(e.key, hostPort), 0, 0)
	e.val = append(binary.BigEndian.AppendUint16(shortIP(ip), port), 0, 0)
	return e
}

// shortIP is a fresh copy of the address in as few bytes as it takes.
func shortIP(ip net.IP) []byte {
	if v4 := ip.To4(); v4 != nil {
		ip = v4
	}
	return append([]byte(nil), ip...)
}

func protocolNumber(name string) (byte, error) {
	switch name {
	case "tcp", "":
		return unix.IPPROTO_TCP, nil
	case "udp":
		return unix.IPPROTO_UDP, nil
	case "sctp":
		return unix.IPPROTO_SCTP, nil
	}
	return 0, errdef.Newf(errdef.ErrInvalid, "unrecognized protocol %q in port mapping", name)
}

// publish redirects the endpoint's ports to the container, whose namespace is
// bound at nsPath. The host's ports are held by its caller, so elements in the
// way are left over from a crash and replaced.
func (m *Manager) publish(nsPath string, ep Endpoint, ips []net.IP) error {
	if len(ep.Ports) == 0 || m.hasOwnWayOut(ep) || m.o.Firewall == noFirewall {
		return nil
	}
	f := newFirewall()
	elements, err := f.published(ep.Ports, ips)
	if err != nil {
		return err
	}
	held, err := m.rules().Lock(false)
	if err != nil {
		return err
	}
	defer held.Close()
	err = m.keep(rules.Ports(ep.ContainerID), nsPath, func(c *nftables.Conn) error { return addTo(c, elements, (*nftables.Conn).SetAddElements) })
	if err != nil {
		return err
	}
	err = apply(elements, (*nftables.Conn).SetAddElements)
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.EBUSY) {
		for _, e := range elements {
			if err := unpublishOne(e, nil); err != nil {
				return err
			}
		}
		err = apply(elements, (*nftables.Conn).SetAddElements)
	}
	if errors.Is(err, unix.ENOENT) { // flushed since the network was looked at
		held.Close()
		err = m.restore()
	}
	if err != nil {
		return fmt.Errorf("publish ports: %w", err)
	}
	return nil
}

// restore makes again what is kept of the rules, these ports included.
func (m *Manager) restore() error {
	c, err := rules.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	return m.rules().Restore(c)
}

// unpublish takes back what publish has done, and nothing that belongs to
// another container by now.
func (m *Manager) unpublish(ep Endpoint, ips []net.IP) error {
	if len(ep.Ports) == 0 || m.hasOwnWayOut(ep) || m.o.Firewall == noFirewall {
		return nil
	}
	held, err := m.rules().Lock(false)
	if err != nil {
		return err
	}
	defer held.Close()
	if err := m.rules().Forget(rules.Ports(ep.ContainerID)); err != nil || len(ips) == 0 {
		return err
	}
	f := newFirewall()
	elements, err := f.published(ep.Ports, ips)
	if err != nil {
		return err
	}
	mine := elements[:0]
	for _, e := range elements {
		val, err := getElement(e.set.Name, e.key)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("read published ports: %w", err)
		}
		if err == nil && bytes.Equal(val, e.val) {
			mine = append(mine, e)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	err = apply(mine, (*nftables.Conn).SetDeleteElements)
	if errors.Is(err, unix.ENOENT) { // somebody was faster with one of them
		for _, e := range mine {
			if err := unpublishOne(e, e.val); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("take back published ports: %w", err)
	}
	return nil
}

// unpublishOne removes the element if it is there and, where val is given, has
// that value.
func unpublishOne(e element, val []byte) error {
	now, err := getElement(e.set.Name, e.key)
	if err == nil && val != nil && !bytes.Equal(now, val) {
		return nil
	}
	if err == nil {
		err = apply([]element{{e.set, e.key, now}}, (*nftables.Conn).SetDeleteElements)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("take back a published port: %w", err)
	}
	return nil
}

// apply does one thing to all elements in one batch.
func apply(elements []element, do func(*nftables.Conn, *nftables.Set, []nftables.SetElement) error) error {
	c, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return err
	}
	// After a deletion, closing the socket waits until the kernel has freed
	// the elements, 10 ms and more.
	defer func() { go c.CloseLasting() }()
	if err := addTo(c, elements, do); err != nil {
		return err
	}
	return c.Flush()
}

// addTo adds what is done to the elements to the batch, a message per map.
func addTo(c *nftables.Conn, elements []element, do func(*nftables.Conn, *nftables.Set, []nftables.SetElement) error) error {
	const chunk = 512 // elements of a message, which has 64 KiB
	for len(elements) > 0 {
		n := 0
		var list []nftables.SetElement
		for n < len(elements) && n < chunk && elements[n].set == elements[0].set {
			list = append(list, nftables.SetElement{Key: elements[n].key, Val: elements[n].val})
			n++
		}
		if err := do(c, elements[0].set, list); err != nil {
			return err
		}
		elements = elements[n:]
	}
	return nil
}
