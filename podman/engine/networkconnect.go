package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/event"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
)

// ConnectRequest puts a container on a network.
type ConnectRequest struct {
	Network, Container string
	Aliases            []string
	IP, IP6            net.IP
	MAC                string
}

// ConnectNetwork puts a container, running or not, on one more network.
func (e *Engine) ConnectNetwork(ctx context.Context, req ConnectRequest) error {
	n, err := e.Network(req.Network)
	if err != nil {
		return err
	}
	per := network.PerNetwork{Aliases: req.Aliases}
	for _, ip := range []net.IP{req.IP, req.IP6} {
		if ip != nil {
			per.StaticIPs = append(per.StaticIPs, ip)
		}
	}
	if req.MAC != "" {
		mac, err := net.ParseMAC(req.MAC)
		if err != nil {
			return errdef.As(errdef.ErrInvalid, err)
		}
		per.StaticMAC = mac.String()
	}
	if err := e.checkAliases(n.Name, per); err != nil {
		return err
	}
	err = e.changeNetworks(req.Container, func(c *container.Config, m *network.Manager, running bool) error {
		if _, on := c.Network.Networks[n.Name]; on {
			return errdef.Newf(errdef.ErrConflict, "container %s is already connected to network %s: network is already connected", c.ID, n.Name)
		}
		status := e.networkStatus(c.ID)
		c.Network.Networks = maps.Clone(c.Network.Networks)
		if c.Network.Networks == nil {
			c.Network.Networks = map[string]network.PerNetwork{}
		}
		named := maps.Clone(c.Network.Networks) // with the names that links have now
		for other, s := range status {
			for link := range s.Interfaces {
				p := named[other]
				p.InterfaceName = link
				named[other] = p
			}
		}
		per.InterfaceName = freeInterface(named)
		c.Network.Networks[n.Name] = per
		if !running {
			return m.CheckAddresses(n.Name, per)
		}
		status, err := m.Connect(ctx, e.nsPath(c), e.endpoint(c), n.Name, status)
		if err != nil {
			return err
		}
		return e.recordNetworks(c, status)
	})
	if err == nil {
		e.connectionEvent(req.Container, n.Name, "connect")
	}
	return err
}

// connectionEvent tells of a container on a network.
func (e *Engine) connectionEvent(nameOrID, network, status string) {
	if c, err := e.Lookup(nameOrID); err == nil {
		e.event(event.Event{Type: event.Network, Status: status, ID: c.ID, Network: network, Attributes: map[string]string{}})
	}
}

// DisconnectNetwork takes a container off a network. With force a container
// that isn't there is no error.
func (e *Engine) DisconnectNetwork(ctx context.Context, name, nameOrID string, force bool) error {
	err := e.changeNetworks(nameOrID, func(c *container.Config, m *network.Manager, running bool) error {
		if n, err := m.Network(name); err == nil {
			name = n.Name
		}
		if _, on := c.Network.Networks[name]; !on {
			return errdef.Newf(errdef.ErrNotFound, "container %s is not connected to network %s", nameOrID, name)
		}
		before := e.endpoint(c)
		c.Network.Networks = maps.Clone(c.Network.Networks)
		delete(c.Network.Networks, name)
		if !running {
			return nil
		}
		status, err := m.Disconnect(ctx, e.nsPath(c), before, name, e.networkStatus(c.ID))
		if err != nil {
			return err
		}
		return e.recordNetworks(c, status)
	})
	if err == nil {
		e.connectionEvent(nameOrID, name, "disconnect")
	}
	if force && isNotFound(err) {
		return nil
	}
	return err
}

// changeNetworks has change put another set of networks into the container's
// configuration, and stores it.
func (e *Engine) changeNetworks(nameOrID string, change func(c *container.Config, m *network.Manager, running bool) error) error {
	found, err := e.Lookup(nameOrID)
	if err != nil {
		return err
	}
	held, err := e.lockContainer(found.ID)
	if err != nil {
		return err
	}
	defer held.Release()
	c, err := e.configuration(found.ID)
	if err != nil {
		return noContainer(nameOrID, err)
	}
	if c.Network.Mode != "bridge" {
		return errdef.Newf(errdef.ErrInvalid, "%q is not supported: invalid network mode: only containers on bridge networks can change them", c.Network.Mode)
	}
	m, err := e.networks()
	if err != nil {
		return err
	}
	s := e.status(c.ID)
	if err := change(c, m, s.Running()); err != nil {
		return err
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	summary, err := json.Marshal(c.Summary())
	if err != nil {
		return err
	}
	return errors.Join(e.Store.SetContainerData(c.ID, container.ConfigKey, data), e.Store.SetContainerMetadata(c.ID, string(summary)))
}

// recordNetworks keeps what the networks gave, and tells the container.
func (e *Engine) recordNetworks(c *container.Config, status map[string]network.Status) error {
	data, err := json.Marshal(status)
	if err == nil {
		err = os.WriteFile(filepath.Join(e.Store.ContainerRunDir(c.ID), "network.json"), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("record the network: %w", err)
	}
	return e.writeNetworkFiles(c, status)
}

// announce makes a running container known under its present names.
func (e *Engine) announce(ctx context.Context, c *container.Config) error {
	if c.Network.Mode != "bridge" {
		return nil
	}
	m, err := e.networks()
	if err != nil {
		return err
	}
	return m.Announce(ctx, e.nsPath(c), e.endpoint(c), e.networkStatus(c.ID))
}

// ReloadRequest says whose rules to make again.
type ReloadRequest struct {
	Names       []string
	All, Latest bool
}

// ReloadNetworks makes the firewall's rules and the bridges of running
// containers again, and goes on after an error.
func (e *Engine) ReloadNetworks(ctx context.Context, req ReloadRequest) (reloaded []string, errs []error) {
	names := req.Names
	if req.All || req.Latest {
		containers, err := e.Store.Containers()
		if err != nil {
			return nil, []error{err}
		}
		for _, c := range containers {
			if _, ours := summary(c); !ours {
				continue
			}
			if req.Latest {
				names = nil // the store's list is in order of creation
			}
			names = append(names, c.ID)
		}
	}
	for _, name := range names {
		id, err := e.reloadNetwork(ctx, name, req.All)
		switch {
		case err != nil && !(req.All && isNotFound(err)):
			errs = append(errs, err)
		case err == nil && id != "":
			reloaded = append(reloaded, id)
		}
	}
	return reloaded, errs
}

// reloadNetwork returns "" for a container that has nothing to reload, which
// is fine where all are meant.
func (e *Engine) reloadNetwork(ctx context.Context, nameOrID string, all bool) (string, error) {
	found, err := e.Lookup(nameOrID)
	if err != nil {
		return "", err
	}
	if s := e.status(found.ID); all && !s.Running() {
		return "", nil
	}
	held, err := e.lockContainer(found.ID)
	if err != nil {
		return "", err
	}
	defer held.Release()
	c, err := e.configuration(found.ID)
	if err != nil {
		return "", noContainer(nameOrID, err)
	}
	if c.Network.Mode != "bridge" {
		if all {
			return "", nil
		}
		return "", errdef.Newf(errdef.ErrInvalid, "cannot reload the network of container %s: it is on no bridge network but on %q: invalid network mode", nameOrID, c.Network.Mode)
	}
	if s := e.status(c.ID); !s.Running() {
		return "", errdef.Newf(errdef.ErrConflict, "cannot reload the network of container %s: it is not running: container state improper", nameOrID)
	}
	m, err := e.networks()
	if err != nil {
		return "", err
	}
	return c.ID, m.Reload(ctx, e.nsPath(c), e.endpoint(c), e.networkStatus(c.ID))
}
