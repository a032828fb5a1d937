package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/pod"
	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sync/errgroup"
)

// StartPod starts the pod's containers: the infra container, one after the
// other those that run before the rest, and then the rest.
func (e *Engine) StartPod(ctx context.Context, nameOrID string) (*pod.Pod, []error) {
	p, err := e.Pod(nameOrID)
	if err != nil {
		return nil, []error{err}
	}
	if len(p.Containers) == 0 {
		return nil, []error{errdef.Newf(errdef.ErrNotFound, "no containers in pod %s have no dependencies, cannot start pod: no such container", p.ID)}
	}
	if p.InfraID != "" {
		if p.Infra() == nil {
			return nil, []error{errdef.Newf(errdef.ErrConflict, "the infra container of pod %s is gone: remove the pod and make it again", p.Name)}
		}
		if _, err := e.Start(ctx, p.InfraID, StartRequest{}); err != nil {
			return nil, []error{podError("starting", p, p.Infra(), err)}
		}
	}
	if err := e.runInit(ctx, p); err != nil {
		return nil, []error{err}
	}
	errs := p.each(func(c *Container) bool { return !c.Infra && c.InitCtr == "" && !c.Active() }, "starting", func(c *Container) error {
		_, err := e.Start(ctx, c.ID, StartRequest{})
		return err
	})
	e.event(podEvent(p.Pod, "start"))
	return p.Pod, errs
}

// runInit runs the init containers to their end, unless others run already.
func (e *Engine) runInit(ctx context.Context, p *Pod) error {
	if slices.ContainsFunc(p.Containers, func(c Container) bool { return !c.Infra && c.InitCtr == "" && c.Active() }) {
		return nil
	}
	for i := range p.Containers {
		c := &p.Containers[i]
		if c.InitCtr == "" {
			continue
		}
		if _, err := e.Start(ctx, c.ID, StartRequest{}); err != nil {
			return podError("starting", p, c, err)
		}
		code, err := e.Wait(ctx, c.ID, WaitRequest{})
		if err != nil {
			return err
		}
		if code != 0 {
			return fmt.Errorf("initialization container %s failed with exit code %d", c.ID, code)
		}
		if c.InitCtr == container.InitOnce {
			if err := e.Remove(ctx, c.ID, RemoveRequest{Force: true, Volumes: true}); err != nil && !isNotFound(err) {
				return err
			}
		}
	}
	return nil
}

// each does something to the containers that keep chooses, one after the other.
func (p *Pod) each(keep func(*Container) bool, doing string, do func(*Container) error) []error {
	var errs []error
	for i := range p.Containers {
		c := &p.Containers[i]
		if !keep(c) {
			continue
		}
		if err := do(c); err != nil {
			errs = append(errs, podError(doing, p, c, err))
		}
	}
	return errs
}

// podError says which container an error is about, whose own exit status isn't
// the pod command's.
func podError(doing string, p *Pod, c *Container, err error) error {
	return &errdef.Exit{Code: 125, Err: fmt.Errorf("error %s container %s from pod %s: %w", doing, c.ID, p.ID, err)}
}

// StopPod stops the pod's containers, all at the same time, and then the infra
// container. timeout nil is each container's own.
func (e *Engine) StopPod(ctx context.Context, nameOrID string, timeout *uint) (*pod.Pod, []error) {
	p, err := e.Pod(nameOrID)
	if err != nil {
		return nil, []error{err}
	}
	errs := e.stopMembers(ctx, p, timeout)
	e.event(podEvent(p.Pod, "stop"))
	return p.Pod, errs
}

func (e *Engine) stopMembers(ctx context.Context, p *Pod, timeout *uint) []error {
	found := make([]error, len(p.Containers))
	var group errgroup.Group
	for i := range p.Containers {
		if c := &p.Containers[i]; !c.Infra && c.State != Created {
			group.Go(func() error {
				if _, err := e.Stop(ctx, c.ID, timeout); err != nil && !isNotFound(err) {
					found[i] = podError("stopping", p, c, err)
				}
				return nil
			})
		}
	}
	group.Wait()
	errs := slices.DeleteFunc(found, func(err error) bool { return err == nil })
	if infra := p.Infra(); infra != nil && infra.State != Created {
		if _, err := e.Stop(ctx, infra.ID, timeout); err != nil && !isNotFound(err) {
			errs = append(errs, podError("stopping", p, infra, err))
		}
	}
	return errs
}

// RestartPod stops what runs of the pod and starts all of it.
func (e *Engine) RestartPod(ctx context.Context, nameOrID string) (*pod.Pod, []error) {
	p, err := e.Pod(nameOrID)
	if err != nil {
		return nil, []error{err}
	}
	if errs := e.stopMembers(ctx, p, nil); len(errs) > 0 {
		return nil, errs
	}
	if _, errs := e.StartPod(ctx, p.ID); len(errs) > 0 {
		return nil, errs
	}
	e.event(podEvent(p.Pod, "restart"))
	return p.Pod, nil
}

// KillPod sends a signal to all containers of the pod that run.
func (e *Engine) KillPod(nameOrID string, signal int) (*pod.Pod, []error) {
	p, err := e.Pod(nameOrID)
	if err != nil {
		return nil, []error{err}
	}
	errs := p.each((*Container).Active, "killing", func(c *Container) error {
		_, err := e.Kill(c.ID, signal)
		return err
	})
	e.event(podEvent(p.Pod, "kill"))
	return p.Pod, errs
}

// PausePod freezes the containers of the pod that run.
func (e *Engine) PausePod(ctx context.Context, nameOrID string) (*pod.Pod, []error) {
	p, err := e.Pod(nameOrID)
	if err != nil {
		return nil, []error{err}
	}
	errs := p.each(func(c *Container) bool { return c.State == Running }, "pausing", func(c *Container) error { return e.Pause(ctx, c.ID) })
	e.event(podEvent(p.Pod, "pause"))
	return p.Pod, errs
}

// UnpausePod lets the pod's paused containers go on.
func (e *Engine) UnpausePod(ctx context.Context, nameOrID string) (*pod.Pod, []error) {
	p, err := e.Pod(nameOrID)
	if err != nil {
		return nil, []error{err}
	}
	errs := p.each(func(c *Container) bool { return c.State == Paused }, "unpausing", func(c *Container) error { return e.Unpause(ctx, c.ID) })
	e.event(podEvent(p.Pod, "unpause"))
	return p.Pod, errs
}

// RemovePodRequest says how to remove a pod.
type RemovePodRequest struct {
	Force   bool // containers that run, too
	Timeout *uint
}

// RemovePod removes the pod with its containers. The record goes last, so
// that a removal that is cut off can be repeated.
func (e *Engine) RemovePod(ctx context.Context, nameOrID string, req RemovePodRequest) (id string, err error) {
	found, err := e.Pods().Find(nameOrID)
	if err != nil {
		return "", err
	}
	held, err := e.lockPod(found.ID)
	if err != nil {
		return "", err
	}
	p, err := e.Pod(found.ID)
	if err != nil {
		held.Remove() // it went while the lock was waited for
		return "", err
	}
	if err := e.removePod(ctx, p, req); err != nil {
		held.Release()
		return "", err
	}
	held.Remove()
	e.event(podEvent(p.Pod, "remove"))
	return p.ID, nil
}

func (e *Engine) removePod(ctx context.Context, p *Pod, req RemovePodRequest) error {
	if req.Force {
		if errs := e.stopMembers(ctx, p, req.Timeout); len(errs) > 0 {
			return errors.Join(errs...)
		}
	}
	how := RemoveRequest{Force: req.Force, Volumes: true, Timeout: req.Timeout, podGoes: true}
	// Those that live in others' namespaces go before them.
	depth := map[string]int{}
	for i := range p.Containers {
		depth[p.Containers[i].ID] = len(p.Containers[i].Depends)
	}
	slices.SortStableFunc(p.Containers, func(a, b Container) int { return cmp.Compare(depth[b.ID], depth[a.ID]) })
	errs := p.each(func(c *Container) bool { return !c.Infra }, "removing", func(c *Container) error {
		return ignoreGone(e.Remove(ctx, c.ID, how))
	})
	if len(errs) > 0 {
		return fmt.Errorf("not all containers could be removed from pod %s: removing pod containers\nError: %w", p.ID, errs[0])
	}
	if infra := p.Infra(); infra != nil {
		how.Force = true // nobody is in it any more
		if err := ignoreGone(e.Remove(ctx, infra.ID, how)); err != nil {
			return podError("removing", p, infra, err)
		}
	}
	if err := e.removePodGroup(p.Pod); err != nil {
		return err
	}
	os.Remove(filepath.Join(e.runDir("locks"), hostsLock(p.InfraID)))
	return e.Pods().Remove(p.Name)
}

func ignoreGone(err error) error {
	if isNotFound(err) {
		return nil
	}
	return err
}

// PrunePods removes the pods of which nothing runs.
func (e *Engine) PrunePods(ctx context.Context) (removed []string, errs []error) {
	pods, err := e.ListPods()
	if err != nil {
		return nil, []error{err}
	}
	for _, p := range pods {
		if s := p.State(); s != PodExited && s != PodStopped {
			continue
		}
		id, err := e.RemovePod(ctx, p.ID, RemovePodRequest{})
		switch {
		case err == nil:
			removed = append(removed, id)
		case isNotFound(err), errors.Is(err, errdef.ErrBusy): // gone or started meanwhile
		default:
			errs = append(errs, err)
		}
	}
	return removed, errs
}
