package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// guests is where the leases are, without an address, of processes that aren't
// containers; no network has such a name.
const guests = ".guests"

// StartOnBridges starts cmd in the namespace that has an ordinary user's bridges.
// That stays, with its way out, until the process has ended and leave is called.
func (m *Manager) StartOnBridges(ctx context.Context, cmd *exec.Cmd) (leave func() error, err error) {
	var lease string
	err = m.onBridges(ctx, true, func() error {
		if err := cmd.Start(); err != nil { // by this thread, whose namespace it gets
			return err
		}
		pid := cmd.Process.Pid
		lease = filepath.Join(m.leaseDir(guests), strconv.Itoa(pid))
		err := os.MkdirAll(filepath.Dir(lease), 0o700)
		if err == nil {
			os.Remove(lease) // of a killed command whose process had the number
			err = os.Symlink(fmt.Sprintf("%s:/proc/%d/ns/net", guests, pid), lease)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("keep the namespace of the bridges: %w", err), cmd.Process.Kill(), cmd.Wait())
		}
		return nil
	})
	return func() error {
		os.Remove(lease)
		return m.onBridges(context.WithoutCancel(ctx), false, func() error { return nil })
	}, err
}
