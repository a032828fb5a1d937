package rules

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Table is the name of the one nftables table of ours, of family inet.
const Table = "podman"

// The files of a directory: the table's, and by their prefixes those of networks
// and of containers' ports.
const (
	tableFile     = "table"
	networkPrefix = "network-"
	portsPrefix   = "ports-"
	scratchSuffix = ".tmp"
)

// Set is the rules of one run directory.
type Set struct{ Dir string }

// Network names what is kept of a network, for Keep, Has and Forget.
func Network(name string) string { return networkPrefix + name }

// Ports names what is kept of a container's published ports.
func Ports(container string) string { return portsPrefix + container }

// TableRules names what is kept of the table itself.
func TableRules() string { return tableFile }

// Lock waits for the right to change the rules and what is kept of them: shared
// among those that add or take away elements of their own, alone for who makes
// the whole again. Closing the file gives it back.
func (s Set) Lock(alone bool) (*os.File, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory of rules: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.Dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of rules: %w", err)
	}
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err == nil {
			return f, nil
		}
		if err != unix.EINTR {
			f.Close()
			return nil, fmt.Errorf("lock the rules: %w", err)
		}
	}
}

// Keep writes the messages down under a name that one of the functions above
// made. They count as long as a namespace is bound at ns; "" is always.
func (s Set) Keep(name, ns string, messages []byte) error {
	path := filepath.Join(s.Dir, name)
	err := os.WriteFile(path+scratchSuffix, append([]byte(ns+"\n"), messages...), 0o600)
	if err == nil {
		err = os.Rename(path+scratchSuffix, path)
	}
	if err != nil {
		return fmt.Errorf("keep rules: %w", err)
	}
	return nil
}

// Has tells whether there is something kept under the name.
func (s Set) Has(name string) bool {
	var st unix.Stat_t
	return unix.Stat(filepath.Join(s.Dir, name), &st) == nil
}

// Forget drops what is kept under the name; nothing is fine.
func (s Set) Forget(name string) error {
	if err := os.Remove(filepath.Join(s.Dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget rules: %w", err)
	}
	return nil
}

// read returns the messages that are kept under the name. Where their namespace
// is gone, they go, too: that is what a killed command left.
func (s Set) read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil {
		return nil
	}
	ns, messages, ok := bytes.Cut(data, []byte("\n"))
	if !ok || len(ns) > 0 && !IsNS(string(ns)) {
		s.Forget(name)
		return nil
	}
	return messages
}

// parts returns all that is kept but the table, networks first.
func (s Set) parts() [][]byte {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil
	}
	var networks, ports [][]byte
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasSuffix(name, scratchSuffix):
		case strings.HasPrefix(name, networkPrefix):
			networks = append(networks, s.read(name))
		case strings.HasPrefix(name, portsPrefix):
			ports = append(ports, s.read(name))
		}
	}
	return slices.DeleteFunc(append(networks, ports...), func(b []byte) bool { return len(b) == 0 })
}

// IsNS tells whether a namespace is bound at path.
func IsNS(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}
