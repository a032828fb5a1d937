package engine

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
)

// NetworkInspection is what inspect prints of a network.
type NetworkInspection struct {
	network.Network
	Containers map[string]NetworkContainer `json:"containers"` // by ID, those that run
}

// NetworkContainer is a container on a network.
type NetworkContainer struct {
	Name       string                       `json:"name"`
	Interfaces map[string]network.Interface `json:"interfaces,omitempty"`
}

// Network finds a network by name, ID or the beginning of an ID.
func (e *Engine) Network(name string) (network.Network, error) {
	m, err := e.networks()
	if err != nil {
		return network.Network{}, err
	}
	return m.Network(name)
}

// InspectNetwork tells all of a network, with the containers on it.
func (e *Engine) InspectNetwork(name string) (NetworkInspection, error) {
	n, err := e.Network(name)
	if err != nil {
		return NetworkInspection{}, err
	}
	i := NetworkInspection{Network: n, Containers: map[string]NetworkContainer{}}
	users, err := e.networkUsers()
	if err != nil {
		return i, err
	}
	for _, c := range users[n.Name] {
		status, ok := e.networkStatus(c.id)[n.Name]
		if s := e.status(c.id); ok && s.Running() {
			i.Containers[c.id] = NetworkContainer{Name: c.name, Interfaces: status.Interfaces}
		}
	}
	return i, nil
}

type networkUser struct{ id, name string }

// networkUsers lists, by network, the containers that are to be on it.
func (e *Engine) networkUsers() (map[string][]networkUser, error) {
	containers, err := e.Store.Containers()
	if err != nil {
		return nil, err
	}
	users := map[string][]networkUser{}
	for _, c := range containers {
		s, ours := summary(c)
		if !ours {
			continue
		}
		for _, name := range s.Networks {
			users[name] = append(users[name], networkUser{c.ID, first(append(c.Names, c.ID)...)})
		}
	}
	return users, nil
}

// ListNetworks lists the networks that the filters keep, by name. Filters of
// one key are alternatives.
func (e *Engine) ListNetworks(filters []string) ([]network.Network, error) {
	m, err := e.networks()
	if err != nil {
		return nil, err
	}
	all, err := m.Networks()
	if err != nil {
		return nil, err
	}
	var users map[string][]networkUser
	tests := map[string][]func(*network.Network) bool{}
	for _, text := range filters {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errdef.Newf(errdef.ErrInvalid, "filter input must be in the form of filter=value: %s is invalid", text)
		}
		if key == "dangling" && users == nil {
			if users, err = e.networkUsers(); err != nil {
				return nil, err
			}
		}
		test, err := e.networkFilter(key, value, users)
		if err != nil {
			return nil, err
		}
		tests[key] = append(tests[key], test)
	}
	kept := []network.Network{}
	for _, n := range all {
		keep := true
		for key, alternatives := range tests {
			any := slices.ContainsFunc(alternatives, func(test func(*network.Network) bool) bool { return test(&n) })
			if strings.HasPrefix(key, "label") { // every label has to be there
				any = !slices.ContainsFunc(alternatives, func(test func(*network.Network) bool) bool { return !test(&n) })
			}
			keep = keep && any
		}
		if keep {
			kept = append(kept, n)
		}
	}
	return kept, nil
}

func (e *Engine) networkFilter(key, value string, users map[string][]networkUser) (func(*network.Network) bool, error) {
	switch key {
	case "name":
		pattern, err := regexp.Compile(value)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "filter name=%s: %w", value, err)
		}
		return func(n *network.Network) bool { return pattern.MatchString(n.Name) }, nil
	case "driver":
		return func(n *network.Network) bool { return n.Driver == value }, nil
	case "id":
		return func(n *network.Network) bool { return value != "" && strings.HasPrefix(n.ID, value) }, nil
	case "label", "label!":
		name, want, hasValue := strings.Cut(value, "=")
		return func(n *network.Network) bool {
			have, ok := n.Labels[name]
			return (ok && (!hasValue || have == want)) == (key == "label")
		}, nil
	case "until":
		limit, err := parseUntil(value)
		return func(n *network.Network) bool { return n.Created.Before(limit) }, err
	case "dangling":
		want, err := strconv.ParseBool(value)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid dangling filter value %q", value)
		}
		return func(n *network.Network) bool {
			used := len(users[n.Name]) > 0 || n.Name == e.defaultNetwork()
			return used != want
		}, nil
	}
	return nil, errdef.Newf(errdef.ErrInvalid, "invalid filter %q", key)
}

// RemoveNetworksRequest says which networks to remove.
type RemoveNetworksRequest struct {
	Names   []string
	Force   bool  // with the containers that use them; one that isn't there is no error
	Unused  bool  // pass over what came into use meanwhile, or went
	Timeout *uint // seconds that a container has to stop
}

// RemoveNetworks removes networks one after the other and goes on after an
// error.
func (e *Engine) RemoveNetworks(ctx context.Context, req RemoveNetworksRequest) (removed []string, errs []error) {
	for _, name := range req.Names {
		err := e.removeNetwork(ctx, name, req)
		switch {
		case err == nil:
			removed = append(removed, name)
		case isNotFound(err) && (req.Force || req.Unused), errors.Is(err, errdef.ErrBusy) && req.Unused:
		default:
			errs = append(errs, err)
		}
	}
	return removed, errs
}

func (e *Engine) removeNetwork(ctx context.Context, name string, req RemoveNetworksRequest) error {
	m, err := e.networks()
	if err != nil {
		return err
	}
	n, err := m.Network(name)
	if err != nil {
		return err
	}
	if n.Name != e.defaultNetwork() { // which can't be removed, used or not
		users, err := e.networkUsers()
		if err != nil {
			return err
		}
		if len(users[n.Name]) > 0 && !req.Force {
			return errdef.Newf(errdef.ErrBusy, "%q has associated containers with it. Use -f to forcibly delete containers and pods: network is being used", n.Name)
		}
		for _, c := range users[n.Name] {
			if err := e.Remove(ctx, c.id, RemoveRequest{Force: true, Timeout: req.Timeout}); err != nil && !isNotFound(err) {
				return err
			}
		}
	}
	if err := m.Remove(n.Name); err != nil {
		return err
	}
	e.event(networkEvent(n, "remove"))
	return nil
}
