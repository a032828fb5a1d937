package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/pod"
	"github.com/podsuite/podsuite/shared/errdef"
)

// The states of a pod, as users know them.
const (
	PodCreated  = "Created"
	PodRunning  = "Running"
	PodPaused   = "Paused"
	PodExited   = "Exited"
	PodStopped  = "Stopped"  // some have ended, others were never started
	PodDegraded = "Degraded" // some run, others don't
)

// Pod is a pod with its containers, the oldest first, as they are now.
type Pod struct {
	*pod.Pod
	Containers []Container
}

// Infra is the pod's infra container, or nil.
func (p *Pod) Infra() *Container {
	for i := range p.Containers {
		if p.Containers[i].ID == p.InfraID {
			return &p.Containers[i]
		}
	}
	return nil
}

// State sums up the states of the pod's containers, those apart that are only
// there to run before the others.
func (p *Pod) State() string {
	var all, running, paused, ended int
	for i := range p.Containers {
		c := &p.Containers[i]
		if c.InitCtr != "" {
			continue
		}
		all++
		switch c.State {
		case Running:
			running++
		case Paused:
			paused++
		case Exited:
			ended++
		}
	}
	switch {
	case all == 0:
		return PodCreated
	case running == all:
		return PodRunning
	case running > 0:
		return PodDegraded
	case paused == all:
		return PodPaused
	case ended == all:
		return PodExited
	case ended > 0:
		return PodStopped
	}
	return PodCreated
}

// members lists the pod's containers, the oldest first.
func (e *Engine) members(id string) ([]Container, error) {
	return e.List(func(_, _ string, s *container.Summary) bool { return s.Pod == id })
}

// Pod finds a pod by its name, its ID or the beginning of its ID.
func (e *Engine) Pod(nameOrID string) (*Pod, error) {
	p, err := e.Pods().Find(nameOrID)
	if err != nil {
		return nil, err
	}
	members, err := e.members(p.ID)
	return &Pod{p, members}, err
}

// ListPods lists the pods, the oldest first.
func (e *Engine) ListPods() ([]*Pod, error) {
	records, err := e.Pods().List()
	if err != nil || len(records) == 0 {
		return nil, err
	}
	list, err := e.List(func(_, _ string, s *container.Summary) bool { return s.Pod != "" })
	if err != nil {
		return nil, err
	}
	pods := make([]*Pod, len(records))
	for i, p := range records {
		pods[i] = &Pod{Pod: p}
		for _, c := range list {
			if c.Summary.Pod == p.ID {
				pods[i].Containers = append(pods[i].Containers, c)
			}
		}
	}
	return pods, nil
}

// LatestPod is the pod that was made last.
func (e *Engine) LatestPod() (*Pod, error) {
	records, err := e.Pods().List()
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, errdef.Newf(errdef.ErrNotFound, "no pods: no such pod")
	}
	p := records[len(records)-1]
	members, err := e.members(p.ID)
	return &Pod{p, members}, err
}

// podFilter decides over one pod.
type podFilter func(p *Pod) bool

// FilterPods lists the pods that the filters keep. Those of one key are
// alternatives, except for labels, of which all must be there.
func (e *Engine) FilterPods(texts []string) ([]*Pod, error) {
	values := map[string][]string{}
	var keys []string
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errdef.Newf(errdef.ErrInvalid, "filter input must be in the form of filter=value: %s is invalid", text)
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
		values[key] = append(values[key], value)
	}
	var filters []podFilter
	for _, key := range keys {
		f, err := e.podFilter(key, values[key])
		if err != nil {
			return nil, err
		}
		filters = append(filters, f)
	}
	pods, err := e.ListPods()
	return slices.DeleteFunc(pods, func(p *Pod) bool {
		return slices.ContainsFunc(filters, func(keep podFilter) bool { return !keep(p) })
	}), err
}

func (e *Engine) podFilter(key string, values []string) (podFilter, error) {
	any := func(holds func(string) bool) bool { return slices.ContainsFunc(values, holds) }
	ofContainer := func(holds func(c *Container, v string) bool) podFilter {
		return func(p *Pod) bool {
			return any(func(v string) bool {
				return slices.ContainsFunc(p.Containers, func(c Container) bool { return holds(&c, v) })
			})
		}
	}
	switch key {
	case "id":
		return func(p *Pod) bool { return any(func(v string) bool { return strings.HasPrefix(p.ID, v) }) }, nil
	case "name":
		names, err := patterns(values)
		return func(p *Pod) bool { return matchesAny(names, p.Name) }, err
	case "label":
		return func(p *Pod) bool { return hasLabels(p.Labels, values) }, nil
	case "label!":
		return func(p *Pod) bool {
			return !any(func(v string) bool { return hasLabels(p.Labels, []string{v}) })
		}, nil
	case "ctr-ids":
		return ofContainer(func(c *Container, v string) bool { return strings.HasPrefix(c.ID, v) }), nil
	case "ctr-names":
		if _, err := patterns(values); err != nil {
			return nil, err
		}
		return ofContainer(func(c *Container, v string) bool {
			one, _ := patterns([]string{v})
			return matchesAny(one, c.Name)
		}), nil
	case "ctr-status", "status":
		return podStates(key, values, ofContainer)
	case "ctr-number":
		for _, v := range values {
			if _, err := strconv.Atoi(v); err != nil {
				return nil, errdef.As(errdef.ErrInvalid, err)
			}
		}
		return func(p *Pod) bool {
			return any(func(v string) bool { n, _ := strconv.Atoi(v); return n == len(p.Containers) })
		}, nil
	case "network":
		return func(p *Pod) bool {
			infra := p.Infra()
			return infra != nil && any(func(v string) bool { return slices.Contains(infra.Networks, v) })
		}, nil
	case "until":
		var until time.Time
		for _, v := range values {
			var err error
			if until, err = parseUntil(v); err != nil {
				return nil, err
			}
		}
		return func(p *Pod) bool { return p.Created.Before(until) }, nil
	}
	return nil, errdef.Newf(errdef.ErrInvalid, "%s is an invalid filter", key)
}

// podStates filters by the pod's state, or by one of its containers'.
func podStates(key string, values []string, ofContainer func(func(*Container, string) bool) podFilter) (podFilter, error) {
	known, kind := []string{"created", "running", "paused", "exited", "stopped", "degraded", "dead"}, "pod"
	if key == "ctr-status" {
		known, kind = []string{"created", "initialized", "running", "paused", "exited", "stopped", "stopping", "removing", "unknown"}, "container"
	}
	for _, v := range values {
		if !slices.Contains(known, strings.ToLower(v)) {
			return nil, errdef.Newf(errdef.ErrInvalid, "%s is not a valid %s status", v, kind)
		}
	}
	if kind == "container" {
		return ofContainer(func(c *Container, v string) bool { return c.State == v || v == "stopped" && c.State == Exited }), nil
	}
	return func(p *Pod) bool {
		return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(p.State(), v) })
	}, nil
}

// leavePod stops the pod's infra container when the last of the others has
// ended, if the pod's exit policy says so.
func (e *Engine) leavePod(ctx context.Context, c *container.Config) error {
	if c.Pod == "" || c.Infra || c.InitCtr != "" {
		return nil
	}
	p, err := e.Pods().Get(c.PodName)
	if isNotFound(err) {
		return nil
	}
	if err != nil || p.ID != c.Pod || p.ExitPolicy != pod.Stop || p.InfraID == "" {
		return err
	}
	members, err := e.members(p.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(members, func(m Container) bool { return !m.Infra && m.Active() }) {
		return nil
	}
	if _, err := e.Stop(ctx, p.InfraID, nil); err != nil && !isNotFound(err) {
		return err
	}
	return nil
}
