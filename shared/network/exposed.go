package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// ParseExposed reads what a container exposes, PORT[-PORT][/PROTOCOL], as
// mappings that name no port of the host's.
func ParseExposed(specs []string) ([]PortMapping, error) {
	var all []PortMapping
	for _, spec := range specs {
		p, err := parsePort(strings.TrimSuffix(spec, "/"))
		if err != nil || strings.Contains(spec, ":") {
			return nil, errdef.Newf(errdef.ErrInvalid, "%q: want PORT[-PORT][/PROTOCOL]", spec)
		}
		all = append(all, p)
	}
	return all, nil
}

// Exposed is the mapping's side in the container: "80/tcp", "80-82/udp".
func (p PortMapping) Exposed() string {
	return portRange(p.ContainerPort, p.count()) + "/" + p.Protocol
}

// Each is the mapping's side in the container, port by port.
func (p PortMapping) Each() []string {
	all := make([]string, p.count())
	for i := range all {
		all[i] = fmt.Sprintf("%d/%s", int(p.ContainerPort)+i, p.Protocol)
	}
	return all
}

// Single are the mapping's ports, a mapping for each.
func (p PortMapping) Single() []PortMapping {
	all := make([]PortMapping, p.count())
	for i := range all {
		all[i] = p
		all[i].ContainerPort, all[i].Range = p.ContainerPort+uint16(i), 1
		if p.HostPort != 0 {
			all[i].HostPort = p.HostPort + uint16(i)
		}
	}
	return all
}

// Before tells whether q goes on where p ends, on both sides.
func (p PortMapping) Before(q PortMapping) bool {
	return p.HostIP == q.HostIP && p.Protocol == q.Protocol && int(p.HostPort)+p.count() == int(q.HostPort) && int(p.ContainerPort)+p.count() == int(q.ContainerPort)
}

// Unpublished are the ports of exposed, one by one, that none of the mappings
// publishes.
func Unpublished(exposed, published []PortMapping) []PortMapping {
	var rest []PortMapping
	for _, e := range exposed {
		for _, p := range e.Single() {
			if !slices.ContainsFunc(append(slices.Clone(published), rest...), p.inside) {
				rest = append(rest, p)
			}
		}
	}
	return rest
}

// inside tells whether q has the container's port of p, a single one.
func (p PortMapping) inside(q PortMapping) bool {
	return p.Protocol == q.Protocol && p.ContainerPort >= q.ContainerPort && int(p.ContainerPort) < int(q.ContainerPort)+q.count()
}

// MergePorts makes one mapping of those that lead from the same ports of the
// host's to the same ones of the container's, and refuses those that lead from
// one port to several.
func MergePorts(ports []PortMapping) ([]PortMapping, error) {
	var merged []PortMapping
	for _, p := range ports {
		for i := 0; i < len(merged); i++ {
			q := merged[i]
			if p.HostPort == 0 || q.HostPort == 0 || p.HostIP != q.HostIP || !p.Collides(q) {
				continue
			}
			if int(p.HostPort)-int(p.ContainerPort) != int(q.HostPort)-int(q.ContainerPort) {
				return nil, errdef.Newf(errdef.ErrInvalid, "conflicting port mappings for host port %d (protocol %s)", max(p.HostPort, q.HostPort), p.Protocol)
			}
			end := max(int(p.HostPort)+p.count(), int(q.HostPort)+q.count())
			p.ContainerPort, p.HostPort = min(p.ContainerPort, q.ContainerPort), min(p.HostPort, q.HostPort)
			p.Range = uint16(end - int(p.HostPort))
			merged = slices.Delete(merged, i, i+1)
			i = -1 // it may reach one that came before
		}
		merged = append(merged, p)
	}
	return merged, nil
}
