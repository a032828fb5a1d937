package engine

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/runtime"
)

// oomFile marks a container whose last run the kernel ended for want of
// memory. It lies with the container.
const oomFile = "oom"

// keepOOM notes whether the run that has ended was killed for want of memory,
// which the monitor knows, or its control group while it is there.
func (e *Engine) keepOOM(c *container.Config, s Status) error {
	path := filepath.Join(e.Store.ContainerDir(c.ID), oomFile)
	const killed = 137
	if s.State != Exited || s.ExitCode != killed || !s.outOfMemory && !runtime.OOMKilled(e.cgroupsPath(c.ID)) {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("record the exit: %w", err)
		}
		return nil
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return fmt.Errorf("record the exit: %w", err)
	}
	return nil
}

// oomKilled tells whether the last run ended for want of memory.
func (e *Engine) oomKilled(id string) bool {
	_, err := os.Stat(filepath.Join(e.Store.ContainerDir(id), oomFile))
	return err == nil
}
