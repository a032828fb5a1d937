package network

import (
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network/rules"
)

// leases are the addresses in use on one network: in a directory, a symbolic
// link per address that points to "CONTAINER-ID:NAMESPACE-PATH", which makes
// it with its content in one atomic call. A lease whose namespace isn't bound any
// more is stale and may be taken over. "last" holds the address last given,
// where the search for the next one starts.
type leases struct{ dir string }

// take leases an address of the subnet to the container: the wanted one, or
// the next that is free.
func (l leases) take(subnet Subnet, want net.IP, holder string) (net.IP, error) {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make lease directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(l.dir, "lock"))
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if want != nil {
		ip, _ := netip.AddrFromSlice(want)
		ip = ip.Unmap()
		if ok, err := l.try(ip, holder); err != nil || !ok {
			if err == nil {
				err = errdef.Newf(errdef.ErrConflict, "IPAM error: requested ip address %s is already allocated to container ID %s", ip, l.owner(ip))
			}
			return nil, err
		}
		return ip.AsSlice(), nil
	}
	r, err := leaseRange(subnet)
	if err != nil {
		return nil, err
	}
	return l.next(r, subnet, holder)
}

// next leases the first free address after the one last given.
func (l leases) next(r addrRange, subnet Subnet, holder string) (net.IP, error) {
	file := filepath.Join(l.dir, "last-"+strings.ReplaceAll(subnet.Subnet.String(), "/", "_"))
	text, _ := os.ReadFile(file)
	last, err := netip.ParseAddr(string(text))
	if err != nil || !r.contains(last) {
		last = r.last
	}
	gateway, _ := netip.AddrFromSlice(subnet.Gateway)
	gateway = gateway.Unmap()
	for ip := r.after(last); ; ip = r.after(ip) {
		if ip != gateway {
			ok, err := l.try(ip, holder)
			if err != nil {
				return nil, err
			}
			if ok {
				// Losing this costs only a longer search.
				os.WriteFile(file, []byte(ip.String()), 0o600)
				return ip.AsSlice(), nil
			}
		}
		if ip == last {
			return nil, errdef.Newf(errdef.ErrUnavailable, "IPAM error: failed to find free IP in range: %s - %s", r.first, r.last)
		}
	}
}

// try leases ip, taking it over from a holder that is gone or is the same.
func (l leases) try(ip netip.Addr, holder string) (bool, error) {
	path := filepath.Join(l.dir, ip.String())
	err := os.Symlink(holder, path)
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, os.ErrExist) {
		return false, fmt.Errorf("lease %s: %w", ip, err)
	}
	now, err := os.Readlink(path)
	if err == nil && now != holder {
		if _, ns, _ := strings.Cut(now, ":"); rules.IsNS(ns) {
			return false, nil
		}
	}
	if err := os.Remove(path); err != nil {
		return false, fmt.Errorf("take over lease of %s: %w", ip, err)
	}
	if err := os.Symlink(holder, path); err != nil {
		return false, fmt.Errorf("lease %s: %w", ip, err)
	}
	return true, nil
}

// owner is the ID of the container that holds ip.
func (l leases) owner(ip netip.Addr) string {
	to, _ := os.Readlink(filepath.Join(l.dir, ip.String()))
	id, _, _ := strings.Cut(to, ":")
	return id
}

// release gives back ip if the container holds it.
func (l leases) release(ip net.IP, id string) error {
	addr, ok := netip.AddrFromSlice(ip)
	if !ok || l.owner(addr.Unmap()) != id {
		return nil
	}
	err := os.Remove(filepath.Join(l.dir, addr.Unmap().String()))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// held lists the addresses the container holds.
func (l leases) held(id string) []net.IP {
	var held []net.IP
	entries, _ := os.ReadDir(l.dir)
	for _, e := range entries {
		if addr, err := netip.ParseAddr(e.Name()); err == nil && l.owner(addr) == id {
			held = append(held, addr.AsSlice())
		}
	}
	return held
}

// addrRange is the run of addresses that may be given out.
type addrRange struct{ first, last netip.Addr }

func (r addrRange) contains(a netip.Addr) bool {
	return a.BitLen() == r.first.BitLen() && r.first.Compare(a) <= 0 && a.Compare(r.last) <= 0
}

func (r addrRange) after(a netip.Addr) netip.Addr {
	if n := a.Next(); r.contains(n) {
		return n
	}
	return r.first
}

// leaseRange is the subnet without its network and broadcast addresses, cut to
// its lease range.
func leaseRange(s Subnet) (addrRange, error) {
	if ones, bits := s.Subnet.Mask.Size(); bits-ones < 2 {
		return addrRange{}, errdef.Newf(errdef.ErrInvalid, "subnet %s has no room for containers", s.Subnet.String())
	}
	first, last := bounds(s.Subnet)
	r := addrRange{first.Next(), last}
	if first.Is4() {
		r.last = last.Prev()
	}
	if s.LeaseRange != nil {
		if a, ok := netip.AddrFromSlice(s.LeaseRange.StartIP); ok && r.contains(a.Unmap()) {
			r.first = a.Unmap()
		}
		if a, ok := netip.AddrFromSlice(s.LeaseRange.EndIP); ok && r.contains(a.Unmap()) {
			r.last = a.Unmap()
		}
	}
	return r, nil
}

// lockFile waits for the lock that path stands for; closing the file gives it
// back.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err {
		case nil:
			return f, nil
		case unix.EINTR:
		default:
			f.Close()
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
	}
}

// live lists the containers that hold an address in a namespace that is there.
func (l leases) live() []string {
	var ids []string
	entries, _ := os.ReadDir(l.dir)
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(l.dir, e.Name()))
		if id, ns, ok := strings.Cut(to, ":"); err == nil && ok && rules.IsNS(ns) {
			ids = append(ids, id)
		}
	}
	return ids
}

// RangeOf is the lease range that a subnet in CIDR notation stands for: all of
// it but its own address.
func RangeOf(n IPNet) *LeaseRange {
	n.IP = n.IP.Mask(n.Mask)
	first, last := bounds(n)
	return &LeaseRange{StartIP: first.Next().AsSlice(), EndIP: last.AsSlice()}
}

// bounds are the first and last address of the subnet.
func bounds(n IPNet) (first, last netip.Addr) {
	base := n.IP.Mask(n.Mask)
	ones, bits := n.Mask.Size()
	top := new(big.Int).SetBytes(base)
	top.Add(top, new(big.Int).Lsh(big.NewInt(1), uint(bits-ones)))
	top.Sub(top, big.NewInt(1))
	first, _ = netip.AddrFromSlice(base)
	last, _ = netip.AddrFromSlice(top.FillBytes(make([]byte, len(base))))
	return first, last
}
