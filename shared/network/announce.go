package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/podsuite/podsuite/shared/network/names"
	"github.com/podsuite/podsuite/shared/network/rules"
)

// hasNames tells whether the containers of the network are found by name. A
// bridge that others manage has no gateway of ours to answer from.
func (n *Network) hasNames(s settings) bool { return n.DNSEnabled && !s.unmanaged }

// upstream are the servers that know names outside; none means the host's, which
// an ordinary user's namespace reaches through pasta.
func (m *Manager) upstream(n *Network) []net.IP {
	if len(n.DNSServers) == 0 && m.o.Rootless && !n.Internal {
		return []net.IP{net.ParseIP(pastaDNS)}
	}
	return n.DNSServers
}

// gateways are where the network's name server answers.
func (n *Network) gateways() []net.IP {
	var all []net.IP
	for _, s := range n.Subnets {
		if s.Gateway != nil {
			all = append(all, s.Gateway)
		}
	}
	return all
}

// announce makes the container's names known on the network.
func (m *Manager) announce(n *Network, nsPath string, ep Endpoint, addrs []SubnetAddress) error {
	c := names.Container{ID: ep.ContainerID, NS: nsPath}
	for _, name := range append([]string{ep.ContainerName, shortID(ep.ContainerID)}, ep.Networks[n.Name].Aliases...) {
		if name != "" && !slices.Contains(c.Names, name) {
			c.Names = append(c.Names, name)
		}
	}
	for _, a := range addrs {
		c.Addresses = append(c.Addresses, netAddr(a.IPNet.IP))
	}
	for _, text := range ep.DNSServers {
		if ip, err := netip.ParseAddr(text); err == nil {
			c.Servers = append(c.Servers, ip)
		}
	}
	err := m.changeNames(n.Name, func(t *names.Table) {
		t.Port, t.Internal, t.Listen, t.Servers = m.o.DNSPort, n.Internal, netAddrs(n.gateways()), netAddrs(m.upstream(n))
		t.Containers = slices.DeleteFunc(t.Containers, func(old names.Container) bool { return old.ID == c.ID || !rules.IsNS(old.NS) })
		t.Containers = append(t.Containers, c)
	})
	if err != nil {
		return err
	}
	return m.syncNames(n.Name)
}

// withdraw forgets the container's names on the network, and those of containers
// that are gone.
func (m *Manager) withdraw(network, id string) error {
	if _, err := os.Lstat(names.Path(m.namesDir(), network)); err != nil {
		return nil
	}
	left := 0
	err := m.changeNames(network, func(t *names.Table) {
		t.Containers = slices.DeleteFunc(t.Containers, func(old names.Container) bool { return old.ID == id || !rules.IsNS(old.NS) })
		left = len(t.Containers)
	})
	if err != nil {
		return err
	}
	if left > 0 {
		return m.syncNames(network)
	}
	// The keeper isn't started to hear that it has nothing to do.
	if conn, err := names.Dial(m.namesDir()); err == nil {
		defer conn.Close()
		if err := names.Ask(conn, network); err != nil && !errors.Is(err, names.ErrGone) {
			return fmt.Errorf("forget names of network %q: %w", network, err)
		}
	}
	return nil
}

// changeNames changes the network's table by what change does to it.
func (m *Manager) changeNames(network string, change func(*names.Table)) error {
	dir := m.namesDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory of names: %w", err)
	}
	held, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	defer held.Close()
	t, err := names.Read(dir, network)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t = names.Table{} // cut off by a full disk: what is changed now is what counts
	}
	change(&t)
	return t.Write(dir, network)
}

// dnsPort is where containers ask for names.
const dnsPort = 53

func shortID(id string) string { return id[:min(len(id), 12)] }

func netAddr(ip net.IP) netip.Addr {
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

func netAddrs(ips []net.IP) []netip.Addr {
	var all []netip.Addr
	for _, ip := range ips {
		all = append(all, netAddr(ip))
	}
	return all
}
