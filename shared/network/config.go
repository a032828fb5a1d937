package network

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network/rules"
)

// maxFile is the most that is read of a network file, in bytes.
const maxFile = 1 << 20

// defaultNetwork is the network that needs no file.
func (m *Manager) defaultNetwork() Network {
	id := sha256.Sum256([]byte(m.o.DefaultNetwork))
	return Network{
		Name: m.o.DefaultNetwork, ID: hex.EncodeToString(id[:]), Driver: "bridge", NetworkInterface: "podman0",
		Created: time.Now(), Subnets: []Subnet{m.subnet}, IPv6Enabled: m.subnet.Subnet.IP.To4() == nil,
		IPAMOptions: map[string]string{"driver": "host-local"},
	}
}

// Network finds a network by name, ID or unique prefix of its ID.
func (m *Manager) Network(name string) (Network, error) {
	if checkName(name) != nil {
		return Network{}, errdef.Newf(errdef.ErrNotFound, "unable to find network with name or ID %s: network not found", name)
	}
	n, err := readNetwork(filepath.Join(m.o.ConfigDir, name+".json"))
	if err == nil && n.Name == name {
		return n, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Network{}, err
	}
	if name == m.o.DefaultNetwork {
		return m.defaultNetwork(), nil
	}
	all, err := m.Networks()
	if err != nil {
		return Network{}, err
	}
	var found []Network
	for _, n := range all {
		if n.Name == name || n.ID == name {
			return n, nil
		}
		if strings.HasPrefix(n.ID, name) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Network{}, errdef.Newf(errdef.ErrNotFound, "unable to find network with name or ID %s: network not found", name)
	}
	return Network{}, errdef.Newf(errdef.ErrConflict, "more than one result for network ID %s", name)
}

// Networks lists the networks by name. A file that can't be understood is an
// error that names it.
func (m *Manager) Networks() ([]Network, error) {
	entries, err := os.ReadDir(m.o.ConfigDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	var all []Network
	seen := false
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		n, err := readNetwork(filepath.Join(m.o.ConfigDir, e.Name()))
		if err != nil {
			return nil, err
		}
		seen = seen || n.Name == m.o.DefaultNetwork
		all = append(all, n)
	}
	if !seen {
		all = append(all, m.defaultNetwork())
	}
	slices.SortFunc(all, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func readNetwork(path string) (Network, error) {
	f, err := os.Open(path)
	if err != nil {
		return Network{}, fmt.Errorf("read network: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	var n Network
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	if err == nil {
		err = n.check()
	}
	if err != nil {
		return Network{}, errdef.Newf(errdef.ErrInvalid, "read network %q: %w", path, err)
	}
	return n, nil
}

func (n *Network) check() error {
	if err := checkName(n.Name); err != nil {
		return err
	}
	if n.Driver == "bridge" && !validLinkName(n.NetworkInterface) {
		return errdef.Newf(errdef.ErrInvalid, "invalid interface name %q", n.NetworkInterface)
	}
	for i := range n.Subnets {
		s := &n.Subnets[i]
		s.Subnet.IP = s.Subnet.IP.Mask(s.Subnet.Mask)
		if v4 := s.Gateway.To4(); v4 != nil {
			s.Gateway = v4
		}
		if _, err := leaseRange(*s); err != nil {
			return err
		}
	}
	return nil
}

// checkName refuses what can't be a network's name.
func checkName(name string) error {
	for i, c := range name {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || !strings.ContainsRune("_.-", c)) {
			name = ""
			break
		}
	}
	if name == "" || len(name) > 200 {
		return errdef.Newf(errdef.ErrInvalid, "network name %q: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument", name)
	}
	return nil
}

// validLinkName follows the kernel's rule for names of links.
func validLinkName(s string) bool {
	return s != "" && len(s) < unix.IFNAMSIZ && s != "." && s != ".." && !strings.ContainsAny(s, "/: \t\n\x00%")
}

func overlap(a, b IPNet) bool {
	return a.Contains(b.IP.Mask(b.Mask)) || b.Contains(a.IP.Mask(a.Mask))
}

func writeNetwork(path string, n Network) error {
	data, err := json.MarshalIndent(n, "", "     ")
	if err != nil {
		return err
	}
	// Whoever writes holds the lock: others' files are of killed processes.
	old, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".network-*"))
	for _, f := range old {
		os.Remove(f)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".network-*")
	if err != nil {
		return fmt.Errorf("write network: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write network: %w", err)
	}
	return nil
}

// Remove takes away a network that no container uses, with its bridge.
func (m *Manager) Remove(name string) error {
	n, err := m.Network(name)
	if err != nil {
		return err
	}
	if n.Name == m.o.DefaultNetwork {
		return errdef.Newf(errdef.ErrInvalid, "default network %s cannot be removed", n.Name)
	}
	if ids := (leases{m.leaseDir(n.Name)}).live(); len(ids) > 0 {
		return errdef.Newf(errdef.ErrBusy, "%q has associated containers with it: network is being used", n.Name)
	}
	if n.Driver == DriverBridge && (!m.o.Rootless || rules.IsNS(m.sharedNS())) {
		err := m.onBridges(context.Background(), false, func() error { return m.forgetNetwork(&n) })
		if err != nil {
			return err
		}
	}
	os.RemoveAll(m.leaseDir(n.Name))
	if err := m.withdraw(n.Name, ""); err != nil { // killed commands leave names
		return err
	}
	if err := os.Remove(filepath.Join(m.o.ConfigDir, n.Name+".json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove network: %w", err)
	}
	return nil
}
