package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/network/names"
	"github.com/podsuite/podsuite/shared/network/rules"
)

// pastaLink is the name of pasta's link where there are bridges' beside it.
const pastaLink = "pasta0"

// sharedNS is where the network namespace is bound that has an ordinary user's
// bridges. It is there while one of their containers is on a network.
func (m *Manager) sharedNS() string { return filepath.Join(m.o.RunDir, "rootless-netns") }

// onBridges runs do where the bridges are: for root that is the host, for an
// ordinary user the namespace that their containers share. With a way out, the
// namespace is connected to the host's network.
func (m *Manager) onBridges(ctx context.Context, wayOut bool, do func() error) error {
	if !m.o.Rootless {
		return do()
	}
	if err := os.MkdirAll(m.o.RunDir, 0o700); err != nil {
		return fmt.Errorf("make run directory: %w", err)
	}
	held, err := lockFile(m.sharedNS() + ".lock")
	if err != nil {
		return err
	}
	defer held.Close()
	path := m.sharedNS()
	if !rules.IsNS(path) {
		err = NewNS(path)
	}
	if err == nil && wayOut {
		err = m.openWayOut(ctx)
	}
	if err == nil {
		err = onOwnThread(func() error {
			ns, err := openNS(path)
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter network namespace: %w", err)
			}
			return do()
		})
	}
	return errors.Join(err, m.leaveShared())
}

// leaveShared removes the shared namespace, the lock held, when no container
// needs it any more. pasta goes by itself then, the keeper doesn't.
func (m *Manager) leaveShared() error {
	all, _ := filepath.Glob(filepath.Join(m.leasesDir(), "*"))
	for _, dir := range all {
		if len(leases{dir}.live()) > 0 {
			return nil
		}
	}
	names.End(m.namesDir())
	return RemoveNS(m.sharedNS())
}

// openWayOut has pasta connect the shared namespace, unless it does.
func (m *Manager) openWayOut(ctx context.Context) error {
	pidFile := m.sharedNS() + ".pid"
	if pastaOf(pidFile) != 0 {
		return nil
	}
	err := m.startPasta(ctx, m.sharedNS(), Endpoint{PastaOptions: []string{"--ns-ifname", pastaLink, "--pid", pidFile}})
	if pid := pastaOf(pidFile); err == nil && pid != 0 {
		m.o.Free(pid)
	}
	return err
}

// pastaOf is the pasta that wrote the file, 0 if it is gone.
func pastaOf(pidFile string) int {
	text, _ := os.ReadFile(pidFile)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err != nil || !strings.HasPrefix(string(comm), "pas") {
		return 0
	}
	return pid
}

// setupShared puts an ordinary user's container on their bridges. One that
// publishes ports gets a pasta of its own beside them, which forwards those with
// the clients' addresses, and is its way out.
func (m *Manager) setupShared(ctx context.Context, nsPath string, ep Endpoint) (status map[string]Status, err error) {
	err = m.onBridges(ctx, true, func() error {
		status, err = m.setup(ctx, nsPath, ep)
		return err
	})
	if err != nil || len(ep.Ports) == 0 {
		return status, err
	}
	own := ep
	own.PastaOptions = append([]string{"--ns-ifname", pastaLink}, ep.PastaOptions...)
	if err := m.startPasta(ctx, nsPath, own); err != nil {
		return nil, errors.Join(err, m.Teardown(context.WithoutCancel(ctx), nsPath, ep, status))
	}
	return status, nil
}

// hasOwnWayOut tells whether a pasta of its own leads the container out.
func (m *Manager) hasOwnWayOut(ep Endpoint) bool { return m.o.Rootless && len(ep.Ports) > 0 }
