package runtime

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/opencontainers/cgroups"
)

const (
	// warmEvery is shorter than the kernel's grace periods.
	warmEvery = 4 * time.Millisecond
	// warmLimit ends what nobody stopped.
	warmLimit = 500 * time.Millisecond
)

// WarmCgroups makes the kernel ready to move processes between control groups.
// The first move after a pause waits for an RCU grace period, some 10 ms, the
// longest step in the start of a container; until the next pause moves are
// instant. A program that is going to call Create calls this as soon as it
// knows, and stop once Create has returned: the wait then passes beside its
// other work. It moves this process to where it already is, so nothing
// changes. Without the right to do that it does nothing.
func WarmCgroups() (stop func()) {
	if unprivileged() {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		keepWarm(done)
		close(ended)
	}()
	return sync.OnceFunc(func() {
		close(done)
		if cgroups.IsCgroup2UnifiedMode() {
			<-ended // the caller may be about to move
		}
	})
}

func keepWarm(done <-chan struct{}) {
	pid := []byte(strconv.Itoa(os.Getpid()))
	end := time.After(warmLimit)
	tick := time.NewTicker(warmEvery)
	defer tick.Stop()
	for {
		// Asked anew each time, lest we move back a process that was moved.
		path := ownCgroupProcs()
		if path == "" || os.WriteFile(path, pid, 0) != nil {
			return
		}
		select {
		case <-done:
			return
		case <-end:
			return
		case <-tick.C:
		}
	}
}

// ownCgroupProcs is the file that moves a process to this process's control
// group, in one hierarchy; "" when there is none.
func ownCgroupProcs() string {
	if cgroups.IsCgroup2UnifiedMode() {
		return filepath.Join(cgroupMount, GroupOf(os.Getpid()), "cgroup.procs")
	}
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	if path, ok := own["pids"]; ok {
		return filepath.Join(cgroupMount, "pids", path, "cgroup.procs")
	}
	return ""
}
