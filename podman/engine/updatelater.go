package engine

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
)

// Ports and mounts are made when a container starts. While it runs, what it
// will have lies beside what it has, so that listings, firewall rules and the
// clean-up go by what there is.

// updateParts changes published ports and mounts; later says that they are
// the next start's.
func (e *Engine) updateParts(ctx context.Context, c *container.Config, req *UpdateRequest) (later bool, err error) {
	next := container.Parts{Ports: c.Network.Ports, Mounts: c.Mounts}
	if c.Next != nil {
		next = *c.Next
	}
	changed := false
	if len(req.Publish)+len(req.Unpublish) > 0 {
		changed = true
		if next.Ports, err = updatePorts(c, next.Ports, req); err != nil {
			return false, err
		}
	}
	if len(req.Volumes)+len(req.Mounts)+len(req.Unmount) > 0 {
		changed = true
		if c.Infra {
			return false, errdef.Newf(errdef.ErrInvalid, "container %s holds a pod's namespaces: it has no mounts of its own", c.Name)
		}
		if next.Mounts, err = e.updateMounts(c, next.Mounts, req); err != nil {
			return false, err
		}
	}
	if !changed {
		return false, nil
	}
	c.Next = &next
	if s := e.status(c.ID); s.Running() {
		return true, nil
	}
	if err := e.cleanup(ctx, c); err != nil { // with the parts of the last run
		return false, err
	}
	return false, e.takeParts(c)
}

// takeParts gives a container that doesn't run the parts it is to have. The
// caller writes the configuration.
func (e *Engine) takeParts(c *container.Config) error {
	old := c.Mounts
	c.TakeNext()
	for _, m := range old {
		kept := slices.ContainsFunc(c.Mounts, func(n container.Mount) bool { return n.Type == m.Type && n.Name == m.Name })
		if m.Type == "volume" && m.Anonymous && !kept {
			cliout.Warn(os.Stderr, "volume %s is no longer of container %s, and stays until it is removed", m.Name, c.Name)
		}
	}
	return e.createVolumes(c)
}

func updatePorts(c *container.Config, ports []network.PortMapping, req *UpdateRequest) ([]network.PortMapping, error) {
	switch {
	case c.Pod != "" && c.Network.Mode != "bridge" && c.Network.Mode != "pasta", c.Infra:
		return nil, errdef.Newf(errdef.ErrInvalid, "container %s has its pod's network: ports are published when the pod is created", c.Name)
	case c.Network.Mode != "bridge" && c.Network.Mode != "pasta":
		return nil, errdef.Newf(errdef.ErrInvalid, "published ports need a network: container %s has --network %s", c.Name, c.Network.Mode)
	}
	ports = slices.Clone(ports)
	for _, spec := range req.Unpublish {
		gone, err := network.ParsePorts([]string{spec})
		if err != nil {
			return nil, fmt.Errorf("--publish-rm %q: %w", spec, err)
		}
		n := len(ports)
		ports = slices.DeleteFunc(ports, func(p network.PortMapping) bool { return gone[0].Covers(p) })
		if len(ports) == n {
			return nil, errdef.Newf(errdef.ErrNotFound, "--publish-rm %q: container %s doesn't publish this (a range goes as a whole): \"podman port %s\" lists what it does", spec, c.Name, c.Name)
		}
	}
	added, err := network.ParsePorts(req.Publish)
	if err != nil {
		return nil, err
	}
	for i, p := range added {
		for _, have := range append(slices.Clone(ports), added[:i]...) {
			if p.HostPort != 0 && p.Collides(have) {
				return nil, errdef.Newf(errdef.ErrConflict, "--publish %q: container %s has host port %d/%s already: take it back with --publish-rm %d", req.Publish[i], c.Name, p.HostPort, p.Protocol, have.ContainerPort)
			}
		}
	}
	if added, err = network.ChooseHostPorts(added); err != nil {
		return nil, err
	}
	return append(ports, added...), nil
}

// updateMounts takes mounts out, and adds others; one whose place is taken
// replaces what is there.
func (e *Engine) updateMounts(c *container.Config, mounts []container.Mount, req *UpdateRequest) ([]container.Mount, error) {
	mounts = slices.Clone(mounts)
	for _, dst := range req.Unmount {
		n := len(mounts)
		mounts = slices.DeleteFunc(mounts, func(m container.Mount) bool { return m.Destination == path.Clean(dst) })
		if len(mounts) == n {
			return nil, errdef.Newf(errdef.ErrNotFound, "--mount-rm %q: container %s has no mount there", dst, c.Name)
		}
	}
	added, err := e.askedMounts(req.Volumes, req.Mounts, nil)
	if err != nil {
		return nil, err
	}
	for _, m := range added {
		mounts = slices.DeleteFunc(mounts, func(have container.Mount) bool { return have.Destination == m.Destination })
		mounts = append(mounts, m)
	}
	slices.SortFunc(mounts, func(a, b container.Mount) int { return strings.Compare(a.Destination, b.Destination) })
	return mounts, nil
}
