package engine

import (
	"encoding/json"
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
// while its control group is there to tell.
func (e *Engine) keepOOM(c *container.Config, s Status) error {
	path := filepath.Join(e.Store.ContainerDir(c.ID), oomFile)
	const killed = 137
	if s.State != Exited || s.ExitCode != killed || !runtime.OOMKilled(e.cgroupsPath(c.ID), e.systemdCgroups()) {
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

// cgroupsPath is the control group of the present run, as its bundle has it;
// "" when there is no run.
func (e *Engine) cgroupsPath(id string) string {
	var bundle struct {
		Linux struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	data, err := os.ReadFile(filepath.Join(e.Store.ContainerRunDir(id), "config.json"))
	if err != nil || json.Unmarshal(data, &bundle) != nil {
		return ""
	}
	return bundle.Linux.CgroupsPath
}
