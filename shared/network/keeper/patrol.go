package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/network/names"
	"github.com/podsuite/podsuite/shared/network/rules"
)

// round is how often the keeper looks by itself whether it is needed.
const round = time.Minute

// patrol ends the process when nobody told it that it isn't needed any more: its
// directory was removed, or its containers were killed together with those who
// watched them. A namespace is empty while its container starts, too, so only
// the second time counts.
func (k *keeper) patrol(round time.Duration) {
	for empty := false; ; {
		time.Sleep(round)
		if !names.Signed(k.server.dir) {
			os.Exit(0) // no command finds it, and another may be in its place
		}
		was := empty
		empty = !inhabited(k.spaces())
		if was && empty {
			k.endUnless(func() bool { return inhabited(k.spaces()) })
		}
	}
}

// spaces are the paths where network namespaces of containers are bound that
// have an address or names. A lease is a symbolic link to ID:NAMESPACE.
func (k *keeper) spaces() []string {
	var all []string
	leases, _ := filepath.Glob(filepath.Join(k.leases, "*", "*"))
	for _, lease := range leases {
		to, err := os.Readlink(lease)
		if _, ns, ok := strings.Cut(to, ":"); err == nil && ok && rules.IsNS(ns) {
			all = append(all, ns)
		}
	}
	for _, z := range k.server.view.Load().zones {
		for _, c := range z.table.Containers {
			if rules.IsNS(c.NS) {
				all = append(all, c.NS)
			}
		}
	}
	return all
}

// inhabited tells whether a process is in one of the network namespaces that are
// bound at the paths, or may be.
func inhabited(spaces []string) bool {
	wanted := map[uint64]bool{}
	for _, path := range spaces {
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil {
			wanted[st.Ino] = true
		}
	}
	if len(wanted) == 0 {
		return false
	}
	all, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, path := range all {
		var st unix.Stat_t
		switch err := unix.Stat(path, &st); {
		case err == nil && wanted[st.Ino]:
			return true
		case err == unix.EACCES && !seesAll():
			return true
		}
	}
	return len(all) == 0 // without /proc nobody can tell
}

// seesAll tells whether the process may look at all the processes of its user
// namespace, so that one that it can't look at is no container's.
func seesAll() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_PTRACE) != 0
}
