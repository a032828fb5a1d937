package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/userns"
)

// Cleanup frees what an ended container's run has left: runtime state,
// network, mounts; with --rm the container too. It may be called at any time
// and any number of times; a running container is left alone.
func (e *Engine) Cleanup(ctx context.Context, id string) error {
	held, err := e.lockContainer(id)
	if err != nil {
		return err
	}
	config, err := e.configuration(id)
	if err != nil {
		held.Remove()
		if isNotFound(err) {
			return nil
		}
		return err
	}
	if s := e.status(id); s.Running() || s.State == Created {
		held.Release()
		return nil
	}
	ended, s, err := e.endRun(ctx, config)
	if err != nil {
		held.Release()
		return err
	}
	if next, again := e.nextRestart(config, s); ended && again {
		err := e.saveRestarts(id, next)
		held.Release()
		if err != nil {
			return err
		}
		return e.restartEnded(ctx, id, next)
	}
	if ended {
		e.event(containerEvent(config, "cleanup"))
	}
	if config.AutoRemove {
		err = e.autoRemove(ctx, config)
		held.Remove()
	} else {
		held.Release()
	}
	return errors.Join(err, e.leavePod(ctx, config))
}

// autoRemove removes a container of --rm, and with --rmi its image, unless
// something else uses that.
func (e *Engine) autoRemove(ctx context.Context, c *container.Config) error {
	if err := e.delete(c, true); err != nil || !c.RemoveImage {
		return err
	}
	_, errs := e.RemoveImages(ctx, RemoveImagesRequest{Names: []string{c.RawImage}})
	err := errors.Join(errs...)
	if errors.Is(err, errdef.ErrBusy) || isNotFound(err) {
		return nil
	}
	return err
}

// cleanup frees the run's parts for good, the lock held.
func (e *Engine) cleanup(ctx context.Context, c *container.Config) error {
	ended, _, err := e.endRun(ctx, c)
	if ended && err == nil {
		e.event(containerEvent(c, "cleanup"))
	}
	return err
}

// endRun frees the run's parts, the lock held, and tells how the run ended;
// ended is false where there was none, or one that was killed on its way up.
func (e *Engine) endRun(ctx context.Context, c *container.Config) (ended bool, s Status, err error) {
	dir := e.Store.ContainerRunDir(c.ID)
	if _, err := os.Stat(filepath.Join(dir, begunFile)); err != nil {
		return false, s, nil
	}
	if _, err := os.Stat(filepath.Join(dir, stateFile)); err != nil {
		return false, s, e.freeRun(ctx, c)
	}
	if err := e.keepExit(c.ID); err != nil {
		return true, s, err
	}
	s = e.status(c.ID)
	if err := e.keepOOM(c, s); err != nil {
		return true, s, err
	}
	if err := e.freeRun(ctx, c); err != nil {
		return true, s, err
	}
	if s.State == Exited {
		e.event(diedEvent(c, s))
	}
	return true, s, nil
}

// freeRun gives back what a run has taken.
func (e *Engine) freeRun(ctx context.Context, c *container.Config) error {
	rt, err := e.runtime(c.Runtime)
	if err != nil {
		return err
	}
	if err := rt.Delete(ctx, c.ID, true); err != nil {
		return err
	}
	return e.freeParts(ctx, c)
}

// freeParts gives back what the runtime doesn't know of. The mark of the run
// goes last: while it is there, the next command knows that something may be
// left.
func (e *Engine) freeParts(ctx context.Context, c *container.Config) error {
	dir := e.Store.ContainerRunDir(c.ID)
	if err := e.disconnect(ctx, c); err != nil {
		return err
	}
	if err := userns.Unbind(e.ownUserNS(c)); err != nil {
		return err
	}
	if err := e.Store.Unmount(c.ID, true); err != nil {
		return err
	}
	for _, name := range []string{"attach", "config.json", "resolv.conf", "hosts", "hostname", "containerenv", "network.json", pausedFile, exitFile, stateFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("clean up container %q: %w", c.Name, err)
		}
	}
	if err := errors.Join(e.freeShm(c.ID), e.nameInPod(c, false)); err != nil {
		return err
	}
	if err := e.freeMounts(c.ID); err != nil {
		return err
	}
	if err := e.releaseVolumes(c); err != nil {
		return err
	}
	for _, name := range []string{execDir, secretsDir} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("clean up container %q: %w", c.Name, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, begunFile)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("clean up container %q: %w", c.Name, err)
	}
	return nil
}

// keepExit makes sure that the exit lies with the container: its monitor
// wrote it there, unless it was killed first.
func (e *Engine) keepExit(id string) error {
	s, ok := monitor.ReadState(filepath.Join(e.Store.ContainerRunDir(id), stateFile))
	if !ok || s.StartedAt == 0 {
		return nil
	}
	e.exitOf(id, s) // waits for the record
	path := filepath.Join(e.Store.ContainerDir(id), exitFile)
	if last, ok := monitor.ReadExit(path); ok && !last.At.Before(time.Unix(0, s.StartedAt)) {
		return nil
	}
	record := strconv.Itoa(exitCodeLost) + " " + strconv.FormatInt(time.Now().UnixNano(), 10) + " " + strconv.FormatInt(s.StartedAt, 10) + "\n"
	if err := os.WriteFile(path, []byte(record), 0o644); err != nil {
		return fmt.Errorf("record the exit: %w", err)
	}
	return nil
}

// disconnect takes the container off its networks.
func (e *Engine) disconnect(ctx context.Context, c *container.Config) error {
	ns := filepath.Join(e.runDir("netns"), c.ID)
	if e.nsPath(c) != ns {
		return nil
	}
	if c.Network.Mode != "none" {
		m, err := e.networks()
		if err != nil {
			return err
		}
		if err := m.Teardown(ctx, ns, e.endpoint(c), e.networkStatus(c.ID)); err != nil {
			return err
		}
	}
	return network.RemoveNS(ns)
}

// networkStatus reads what the network set-up of the present run has given.
func (e *Engine) networkStatus(id string) map[string]network.Status {
	var status map[string]network.Status
	if data, err := os.ReadFile(filepath.Join(e.Store.ContainerRunDir(id), "network.json")); err == nil {
		json.Unmarshal(data, &status)
	}
	return status
}

// RemoveRequest says how to remove a container.
type RemoveRequest struct {
	Force   bool  // stop it first
	Volumes bool  // its anonymous volumes too
	Timeout *uint // seconds to stop in; nil is the container's own
	Depend  bool  // the containers that depend on it, too
	Pod     bool  // with an infra container its pod

	podGoes bool // the pod is being removed
}

// Remove removes a container.
func (e *Engine) Remove(ctx context.Context, nameOrID string, req RemoveRequest) error {
	c, err := e.Lookup(nameOrID)
	if err != nil {
		return err
	}
	s, _ := summary(c)
	if s.Infra && !req.podGoes {
		there, err := e.hasPod(s.PodName, s.Pod)
		switch {
		case err != nil:
			return err
		case there && req.Pod:
			_, err := e.RemovePod(ctx, s.Pod, RemovePodRequest{Force: req.Force, Timeout: req.Timeout})
			return err
		case there:
			return errdef.Newf(errdef.ErrConflict, "container %s is the infra container of pod %s and cannot be removed without removing the pod", c.ID, s.Pod)
		}
	}
	if err := e.removeDependents(ctx, c, req); err != nil {
		return err
	}
	held, err := e.lockContainer(c.ID)
	if err != nil {
		return err
	}
	config, err := e.configuration(c.ID)
	if err != nil {
		// It went while the lock was waited for.
		held.Remove()
		return noContainer(nameOrID, err)
	}
	err = e.remove(ctx, config, req)
	if err != nil {
		held.Release()
		return err
	}
	held.Remove()
	if req.podGoes {
		return nil
	}
	return e.leavePod(ctx, config)
}

func (e *Engine) remove(ctx context.Context, c *container.Config, req RemoveRequest) error {
	if s := e.status(c.ID); s.Running() {
		if !req.Force {
			return errdef.Newf(errdef.ErrBusy, "cannot remove container %s as it is %s - running or paused containers cannot be removed without force: container state improper", c.ID, s.State)
		}
		if err := e.stop(ctx, c, req.Timeout); err != nil {
			return err
		}
	}
	if err := e.cleanup(ctx, c); err != nil {
		return err
	}
	return e.delete(c, req.Volumes || c.AutoRemove)
}

// delete removes the container from the store, cleaned up before.
func (e *Engine) delete(c *container.Config, volumes bool) error {
	err := e.Store.RemoveContainer(c.ID)
	if err != nil && !isNotFound(err) {
		return err
	}
	e.event(containerEvent(c, "remove"))
	removeIDFile(c)
	if volumes {
		return e.removeAnonymous(c)
	}
	return nil
}

// removeIDFile removes the file with the container's ID, so that the command
// that made the container can be given again. What is in it now may be
// somebody else's.
func removeIDFile(c *container.Config) {
	if c.CIDFile == "" {
		return
	}
	f, err := os.Open(c.CIDFile)
	if err != nil {
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(len(c.ID)+1)))
	if err == nil && strings.TrimSpace(string(text)) == c.ID {
		os.Remove(c.CIDFile)
	}
}

// removeAnonymous removes the volumes that were made for this container alone.
func (e *Engine) removeAnonymous(c *container.Config) error {
	var errs []error
	for _, m := range c.Mounts {
		if m.Type != "volume" || !m.Anonymous {
			continue
		}
		if err := e.Volumes().Remove(m.Name); err != nil && !isNotFound(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// removeDependents removes, with --depend, the containers that live in parts
// of this one; else there may be none.
func (e *Engine) removeDependents(ctx context.Context, c store.Container, req RemoveRequest) error {
	list, err := e.List(func(id, _ string, s *container.Summary) bool {
		return id != c.ID && slices.ContainsFunc(s.Depends, func(d string) bool { return d == c.ID || slices.Contains(c.Names, d) })
	})
	if err != nil || len(list) == 0 {
		return err
	}
	if !req.Depend {
		var ids []string
		for i := range list {
			ids = append(ids, list[i].ID)
		}
		return errdef.Newf(errdef.ErrConflict, "container %s has dependent containers which must be removed before it: %s: container already exists", c.ID, strings.Join(ids, ", "))
	}
	for i := range list {
		if err := e.Remove(ctx, list[i].ID, req); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

// CleanupRequest says what goes with a container's run.
type CleanupRequest struct {
	Remove      bool // the container
	RemoveImage bool // and its image
}

// CleanupContainer cleans up as the command of that name does.
func (e *Engine) CleanupContainer(ctx context.Context, nameOrID string, req CleanupRequest) error {
	c, err := e.Lookup(nameOrID)
	if err != nil {
		return err
	}
	if err := e.Cleanup(ctx, c.ID); err != nil {
		return err
	}
	if req.Remove || req.RemoveImage {
		if err := e.Remove(ctx, c.ID, RemoveRequest{Volumes: true}); err != nil && !isNotFound(err) {
			return err
		}
	}
	if !req.RemoveImage || c.ImageID == "" {
		return nil
	}
	_, errs := e.RemoveImages(ctx, RemoveImagesRequest{Names: []string{c.ImageID}})
	return errors.Join(errs...)
}
