package engine

import (
	"fmt"
	"slices"

	"github.com/podsuite/podsuite/podman/engine/systemd"
	"github.com/podsuite/podsuite/shared/errdef"
)

// podIDFile is where the pod's service leaves the ID for its containers'.
func podIDFile(s *systemd.Service) string { return "%t/" + s.Name + ".pod-id" }

// podUnits writes the units of a pod, its own first, and of its containers.
func (e *Engine) podUnits(r *UnitRequest) ([]Unit, error) {
	p, err := e.Pod(r.Target)
	switch {
	case isNotFound(err):
		return nil, errdef.Newf(errdef.ErrNotFound, "%s does not refer to a container or pod: no pod with name or ID %[1]s found: no such pod: no container with name or ID %[1]q found: no such container", r.Target)
	case err != nil:
		return nil, err
	case r.Template:
		return nil, errdef.Newf(errdef.ErrInvalid, "--template is not supported for pods")
	case p.Infra() == nil:
		return nil, errdef.Newf(errdef.ErrInvalid, "generating systemd unit files: Pod %q has no infra container", p.Name)
	}
	s, err := e.podService(r, p)
	if err != nil {
		return nil, err
	}
	unitOf := map[string]string{}
	for _, c := range p.Containers {
		if c.ID != p.InfraID {
			unitOf[c.ID] = r.unitName(r.ContainerPrefix, c.ID, c.Name) + ".service"
			s.Wants = append(s.Wants, unitOf[c.ID])
		}
	}
	s.Before = s.Wants
	units := []Unit{{s.Name, s.Text()}}
	for _, c := range p.Containers {
		if c.ID == p.InfraID {
			continue
		}
		var after []string
		for _, name := range c.Summary.Depends {
			if other, err := e.Lookup(name); err == nil && unitOf[other.ID] != "" {
				after = append(after, unitOf[other.ID])
			}
		}
		unit, err := e.containerUnit(r, c.ID, s, after)
		if err != nil {
			return nil, err
		}
		units = append(units, unit)
	}
	return units, nil
}

// podService has a service start and stop the pod's infra container, or with
// New make and remove the pod.
func (e *Engine) podService(r *UnitRequest, p *Pod) (*systemd.Service, error) {
	infra, err := e.configuration(p.InfraID)
	if err != nil {
		return nil, err
	}
	made, err := r.Split(p.CreatedBy)
	if r.New && (err != nil || made.Verb != "pod create") {
		return nil, errdef.Newf(errdef.ErrInvalid, "cannot use --new on pod %q: it was not made with podman pod create", p.Name)
	}
	timeout := deref(r.StopTimeout, infra.StopTimeout)
	stop := fmt.Sprint(timeout)
	s := e.service(r, r.unitName(r.PodPrefix, p.ID, p.Name), timeout)
	podman := e.program(&made)
	if !r.New {
		infra.Name = p.Infra().Name
		e.sameContainer(r, s, infra, podman, stop)
		return s, nil
	}
	s.PIDFile = "%t/" + s.Name + ".pid"
	made.Drop("infra-conmon-pidfile", "pod-id-file")
	s.StartPre = slices.Concat(podman, []string{"pod", "create", "--infra-conmon-pidfile", s.PIDFile, "--pod-id-file", podIDFile(s)})
	if !made.Has("exit-policy") {
		s.StartPre = append(s.StartPre, "--exit-policy=stop")
	}
	s.StartPre = append(s.StartPre, systemd.QuoteAll(made.Words())...)
	if !made.Has("replace") {
		s.StartPre = append(s.StartPre, "--replace")
	}
	s.StartPre = append(s.StartPre, systemd.QuoteAll(made.Rest)...)
	s.Start = slices.Concat(podman, []string{"pod", "start", "--pod-id-file", podIDFile(s)})
	s.Stop = slices.Concat(podman, []string{"pod", "stop", "--ignore", "--pod-id-file", podIDFile(s), "-t", stop})
	s.StopPost = slices.Concat(podman, []string{"pod", "rm", "--ignore", "-f", "--pod-id-file", podIDFile(s)})
	return s, nil
}
