package engine

import (
	"errors"
	"slices"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
)

// portTaken adds to the error of a taken port who has it: a container of ours,
// or else a process.
func (e *Engine) portTaken(err error) error {
	taken := new(network.PortTakenError)
	if !errors.As(err, &taken) {
		return err
	}
	publishers, _ := e.List(func(_, _ string, s *container.Summary) bool { return slices.ContainsFunc(s.Ports, taken.Port.Collides) })
	for _, c := range publishers {
		if c.Status.Running() {
			return errdef.Newf(errdef.ErrConflict, "%w: container %q publishes it", err, c.Name)
		}
	}
	if pid, name, ok := taken.Holder(); ok {
		return errdef.Newf(errdef.ErrConflict, "%w: process %q (pid %d) has it", err, name, pid)
	}
	return err
}
