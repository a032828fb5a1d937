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
	if s.State != Exited || exists(e.killedPath(c.ID)) || s.ExitCode != killed || !s.outOfMemory && !runtime.OOMKilled(e.cgroupsPath(c.ID)) {
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

// killedPath is a mark that a user had the container killed in this run.
func (e *Engine) killedPath(id string) string {
	return filepath.Join(e.Store.ContainerRunDir(id), "killed")
}

// markKilled says that what is to come is no want of memory. Without the mark
// the kill still works, so it is no error if there can't be one.
func (e *Engine) markKilled(id string) { os.WriteFile(e.killedPath(id), nil, 0o600) }

// oomKilled tells whether the last run ended for want of memory.
func (e *Engine) oomKilled(id string) bool {
	_, err := os.Stat(filepath.Join(e.Store.ContainerDir(id), oomFile))
	return err == nil
}
