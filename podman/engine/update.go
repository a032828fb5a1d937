package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

// UpdateRequest changes an existing container. What it doesn't name stays.
type UpdateRequest struct {
	Resources ResourceRequest
	Ulimits   []string
	Publish   []string
	Unpublish []string // mappings as in Publish; what they leave open may be any
	Volumes   []string // these and Mounts replace what has their destination
	Mounts    []string
	Unmount   []string // destinations
	Labels    []string
	Unlabel   []string // keys
	Env       []string // NAME=VALUE
	UnsetEnv  []string
	Restart   string // a policy
	Health    HealthRequest
}

// Update changes the container: limits and labels at once, and everything
// else at its next start. It returns the container's ID; later says that it
// runs, and goes on with the ports and mounts that it has.
func (e *Engine) Update(ctx context.Context, nameOrID string, req UpdateRequest) (id string, later bool, err error) {
	err = e.withContainer(nameOrID, func(c *container.Config) error {
		id = c.ID
		was := *c
		if err := e.updateConfig(c, &req); err != nil {
			return err
		}
		if later, err = e.updateParts(ctx, c, &req); err != nil {
			return err
		}
		if s := e.status(c.ID); s.Running() {
			if err := e.updateRunning(ctx, c, &req.Resources); err != nil {
				return err
			}
		}
		if err := e.saveConfig(c); err != nil {
			return err
		}
		if req.Health.asked() {
			e.nextCheck(c.ID, 0) // it goes on as the new check says
		}
		e.event(containerEvent(&was, "update"))
		return nil
	})
	return id, later, err
}

func (e *Engine) updateConfig(c *container.Config, req *UpdateRequest) error {
	if err := e.updateResources(c, &req.Resources); err != nil {
		return err
	}
	for _, s := range req.Ulimits {
		limit, err := runtime.ParseUlimit(s)
		if err != nil {
			return err
		}
		c.Rlimits = slices.DeleteFunc(c.Rlimits, func(l specs.POSIXRlimit) bool { return l.Type == limit.Type })
		c.Rlimits = append(c.Rlimits, limit)
	}
	if req.Restart != "" {
		policy, err := parseRestart("container", req.Restart)
		if err == nil && c.AutoRemove && policy.Restarts() {
			err = errdef.Newf(errdef.ErrInvalid, "container %s is removed when it ends: it can't have a restart policy", c.Name)
		}
		if err != nil {
			return err
		}
		c.Restart = policy
	}
	if err := updateHealth(c, &req.Health); err != nil {
		return err
	}
	if err := updateLabels(c, req); err != nil {
		return err
	}
	for _, kv := range req.Env {
		var err error
		if c.Env, err = addEnv(c.Env, kv); err != nil {
			return err
		}
	}
	for _, name := range req.UnsetEnv {
		c.Env = slices.DeleteFunc(c.Env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	}
	return nil
}

func updateLabels(c *container.Config, req *UpdateRequest) error {
	labels := maps.Clone(c.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	for _, key := range req.Unlabel {
		if _, ok := labels[key]; !ok {
			return errdef.Newf(errdef.ErrNotFound, "--unsetlabel %q: container %s has no such label", key, c.Name)
		}
		delete(labels, key)
	}
	for _, kv := range req.Labels {
		if kv == "" || kv[0] == '=' {
			return errdef.Newf(errdef.ErrInvalid, "invalid label %q: want KEY=VALUE", kv)
		}
	}
	addPairs(labels, req.Labels)
	c.Labels = labels
	return nil
}

// updateResources puts the limits that are asked for over the container's.
func (e *Engine) updateResources(c *container.Config, req *ResourceRequest) error {
	changed, err := e.resources(req)
	if err != nil {
		return err
	}
	if c.Resources == nil {
		c.Resources = &specs.LinuxResources{}
	}
	// Limits that aren't asked for aren't in the text, so they stay.
	text, err := json.Marshal(changed)
	if err == nil {
		err = json.Unmarshal(text, c.Resources)
	}
	if err != nil {
		return fmt.Errorf("update limits: %w", err)
	}
	return nil
}

func (e *Engine) updateRunning(ctx context.Context, c *container.Config, req *ResourceRequest) error {
	changed, err := e.resources(req)
	if err != nil {
		return err
	}
	if changed.Memory == nil && changed.CPU == nil && changed.Pids == nil && changed.BlockIO == nil {
		return nil
	}
	rt, err := e.runtime(c.Runtime)
	if err != nil {
		return err
	}
	return rt.Update(ctx, c.ID, changed)
}
