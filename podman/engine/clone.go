package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// CloneRequest makes a container like another.
type CloneRequest struct {
	Source    string
	Name      string // "" is the source's with "-clone"
	Image     string // "" is the source's
	Destroy   bool   // remove the source
	Force     bool   // even if it runs
	Run       bool   // start the new one
	Pod       string // the pod that the new one is in; "" is the source's
	Resources ResourceRequest
}

// Clone makes a container with the configuration of another. Volumes without
// a name are new ones, addresses that were asked for are left out: two
// containers can't have the same.
func (e *Engine) Clone(ctx context.Context, req CloneRequest) (*container.Config, error) {
	found, err := e.Lookup(req.Source)
	if err != nil {
		return nil, err
	}
	if req.Destroy && !req.Force && e.Running(found.ID) {
		return nil, errdef.Newf(errdef.ErrBusy, "cannot destroy running container %s without --force", found.ID)
	}
	c, err := e.configuration(found.ID)
	if err != nil {
		return nil, err
	}
	image, err := e.cloneConfig(ctx, c, &req)
	if err != nil {
		return nil, err
	}
	in, err := e.cloneInto(c, req.Pod)
	if err != nil {
		return nil, err
	}
	if req.Destroy {
		if err := e.Remove(ctx, found.ID, RemoveRequest{Force: req.Force}); err != nil {
			return nil, err
		}
	}
	if err := in.hold(e); err != nil {
		return nil, err
	}
	defer in.release()
	if err := e.createVolumes(c); err != nil {
		return nil, err
	}
	if err := e.store(ctx, c, image, false); err != nil {
		return nil, errors.Join(err, e.removeAnonymous(c))
	}
	in.release()
	e.event(e.createEvent(c))
	if req.Run {
		if _, err := e.Start(ctx, c.ID, StartRequest{}); err != nil {
			return c, err
		}
	}
	return c, nil
}

// cloneInto puts the clone into a pod: it has the namespaces that the pod
// shares, and none of what it had in their place.
func (e *Engine) cloneInto(c *container.Config, name string) (*membership, error) {
	if name == "" {
		return nil, nil
	}
	p, err := e.Pods().Find(name)
	if err != nil {
		return nil, err
	}
	if c.Pod != "" && c.Pod != p.ID {
		return nil, errdef.Newf(errdef.ErrUnsupported, "the container's namespaces are those of pod %s: a clone of it can't be in pod %s", c.PodName, p.Name)
	}
	in := &membership{pod: p}
	if p.InfraID != "" {
		if in.infra, err = e.configuration(p.InfraID); err != nil {
			return nil, fmt.Errorf("read the infra container of pod %q: %w", p.Name, err)
		}
		if in.infra.UserNS.Mode != c.UserNS.Mode {
			return nil, errdef.Newf(errdef.ErrUnsupported, "pod %s and the container have different user namespaces: its files belong to other IDs there", p.Name)
		}
	}
	joined := "container:" + p.InfraID
	if p.Shares("net") {
		c.Network = container.Network{Mode: joined}
	}
	if p.Shares("uts") {
		c.UTSMode, c.Hostname = joined, ""
	}
	if p.Shares("pid") {
		c.PIDMode = joined
	}
	if p.Shares("ipc") {
		c.IPCMode = joined
	}
	return in, in.add(c)
}

// cloneConfig turns the source's configuration into the new container's.
func (e *Engine) cloneConfig(ctx context.Context, c *container.Config, req *CloneRequest) (store.Image, error) {
	var image store.Image
	var err error
	if c.Name, err = e.cloneName(c.Name, req.Name); err != nil {
		return image, err
	}
	c.ID, c.Created = container.NewID(), time.Now()
	c.TakeNext()
	c.Mounts = freshVolumes(c.Mounts)
	forgetUnique(c)
	if err := e.updateResources(c, &req.Resources); err != nil {
		return image, err
	}
	if req.Image == "" {
		return e.madeOf(c)
	}
	if image, err = e.image(ctx, &CreateRequest{Image: req.Image}); err != nil {
		return image, err
	}
	return image, e.setCloneImage(c, req.Image, image)
}

// madeOf is the image that the container was made of; none where its root is a
// directory of the host's, or has our own program alone.
func (e *Engine) madeOf(c *container.Config) (store.Image, error) {
	if c.ImageID == "" {
		return store.Image{}, nil
	}
	return e.Store.Image(c.ImageID)
}

// freshVolumes gives the volumes without a name new ones.
func freshVolumes(mounts []container.Mount) []container.Mount {
	for i := range mounts {
		if m := &mounts[i]; m.Type == "volume" && m.Anonymous {
			m.Name, m.Source = container.NewID(), ""
		}
	}
	return mounts
}

// forgetUnique leaves out what two containers can't both have: addresses that
// were asked for, files with their IDs.
func forgetUnique(c *container.Config) {
	c.CIDFile, c.PidFile, c.MonitorPidFile, c.LogPath = "", "", "", ""
	for name, n := range c.Network.Networks {
		n.StaticIPs, n.StaticMAC = nil, ""
		c.Network.Networks[name] = n
	}
}

// cloneName is the name that was asked for, or the first that is free of
// NAME-clone, NAME-clone1 …
func (e *Engine) cloneName(source, asked string) (string, error) {
	if asked != "" {
		if !container.ValidName(asked) {
			return "", errdef.Newf(errdef.ErrInvalid, "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument")
		}
		return asked, nil
	}
	name := source + "-clone"
	for n := 1; ; n++ {
		_, err := e.Store.Container(name)
		if isNotFound(err) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		name = source + "-clone" + strconv.Itoa(n)
	}
}

// setCloneImage puts another image under the clone: what the old image said
// gives way to what the new one says, what the user said stays.
func (e *Engine) setCloneImage(c *container.Config, asked string, image store.Image) error {
	old := new(v1.Config)
	if c.ImageID != "" {
		var err error
		if old, err = e.imageConfig(c.ImageID); err != nil {
			return err
		}
	}
	now, err := e.imageConfig(image.ID)
	if err != nil {
		return err
	}
	if slices.Equal(c.Entry, old.Entrypoint) {
		c.Entry = now.Entrypoint
	}
	if slices.Equal(c.Command, old.Cmd) {
		c.Command = now.Cmd
	}
	if c.User == old.User {
		c.User = now.User
	}
	if c.WorkDir == first(old.WorkingDir, "/") {
		c.WorkDir = first(now.WorkingDir, "/")
	}
	for _, kv := range old.Env {
		c.Env = slices.DeleteFunc(c.Env, func(have string) bool { return have == kv })
	}
	for _, kv := range now.Env {
		c.Env = setEnv(c.Env, kv)
	}
	c.Rootfs, c.Image, c.ImageID, c.RawImage = "", imageName(asked, image), image.ID, asked
	return nil
}

func (e *Engine) imageConfig(id string) (*v1.Config, error) {
	raw, err := e.Store.ImageConfig(id)
	if err != nil {
		return nil, err
	}
	var file v1.ConfigFile
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("read configuration of image %q: %w", id, err)
	}
	return &file.Config, nil
}
