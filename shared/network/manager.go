package network

import (
	"context"
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
	SubnetPools    []Pool   // where networks that name no subnet get theirs
	PastaOptions   []string // for every container
	Pasta          string   // path of the program; "" looks it up in $PATH
	ProgramDir     string   // where the keeper's program is installed
	DNSPort        uint16   // where the keeper answers; 0 means 53
	Firewall       string   // "" means nftables; "none" leaves all rules to the administrator

	// Free lets a process, which all containers need, live on when what this one
	// was started for is ended.
	Free func(pid int)
}

// Pool is a range that subnets of one size are taken from.
type Pool struct {
	Base string // in CIDR notation
	Size int    // prefix length of each subnet
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
	if o.DNSPort == 0 {
		o.DNSPort = dnsPort
	}
	if o.Free == nil {
		o.Free = func(int) {}
	}
	if len(o.SubnetPools) == 0 {
		o.SubnetPools = []Pool{{"10.89.0.0/16", 24}, {"10.90.0.0/15", 24}}
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
	switch {
	case m.o.Rootless && len(ep.Networks) == 0:
		return m.setupPasta(ctx, nsPath, ep)
	case m.o.Rootless:
		return m.setupShared(ctx, nsPath, ep)
	case len(ep.Networks) == 0:
		return nil, errdef.Newf(errdef.ErrUnsupported, "pasta networking is only for ordinary users: use a bridge network")
	}
	return m.setup(ctx, nsPath, ep)
}

// setup is Setup where the bridges are.
func (m *Manager) setup(ctx context.Context, nsPath string, ep Endpoint) (_ map[string]Status, err error) {
	if err := m.checkFirewall(); err != nil {
		return nil, err
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
	watched := make(chan error, 1)
	if watch := func() { watched <- m.watched() }; m.o.Rootless {
		watch() // on this thread, which is in the shared namespace
	} else {
		go watch()
	}
	defer func() {
		if err = errors.Join(err, <-watched); err != nil {
			err = errors.Join(err, m.teardown(nsPath, ep, status))
		}
	}()
	for _, name := range ep.Order() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, err := m.connect(h, ns, ep, name, status)
		if err != nil {
			return nil, fmt.Errorf("connect to network %q: %w", name, err)
		}
		status[name] = s
	}
	if err := m.publish(nsPath, ep, publishTo(status)); err != nil {
		return nil, err
	}
	return status, nil
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
	if m.o.Rootless && len(ep.Networks) == 0 {
		return nil // pasta ends when the namespace does
	}
	return m.onBridges(ctx, false, func() error { return m.teardown(nsPath, ep, status) })
}

// teardown is Teardown where the bridges are.
func (m *Manager) teardown(nsPath string, ep Endpoint, status map[string]Status) error {
	defer m.released()
	ips := publishTo(status)
	if len(status) == 0 {
		for _, name := range ep.Order() {
			ips = append(ips, leases{m.leaseDir(name)}.held(ep.ContainerID)...)
		}
	}
	errs := []error{m.unpublish(ep, ips)}
	for _, name := range ep.Order() {
		errs = append(errs, m.withdraw(name, ep.ContainerID))
		if link := m.hostEnd(nsPath, ep, name); link != "" {
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
	return filepath.Join(m.leasesDir(), network)
}

func (m *Manager) leasesDir() string { return filepath.Join(m.o.RunDir, "leases") }

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
