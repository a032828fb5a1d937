package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/pod"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// ClonePodRequest makes a pod like another.
type ClonePodRequest struct {
	Source  string
	Pod     PodRequest // what is to be otherwise
	Destroy bool       // remove the source
	Start   bool       // the new one
}

// ClonePod makes a pod with the settings of another and a clone of each of its
// containers. Addresses that were asked for are left out: two can't have the
// same.
func (e *Engine) ClonePod(ctx context.Context, req *ClonePodRequest) (*pod.Pod, error) {
	source, err := e.Pod(req.Source)
	if err != nil {
		return nil, err
	}
	p, err := e.clonedPod(source, req)
	if err != nil {
		return nil, err
	}
	err = e.addPod(ctx, p, false, func() (*container.Config, error) { return e.cloneInfra(ctx, source, p, &req.Pod) })
	if err != nil {
		return nil, err
	}
	if err := e.cloneMembers(ctx, source, p); err != nil {
		_, undo := e.RemovePod(ctx, p.ID, RemovePodRequest{Force: true})
		return nil, errors.Join(err, undo)
	}
	e.event(podEvent(p, "create"))
	if req.Destroy {
		if _, err := e.RemovePod(ctx, source.ID, RemovePodRequest{Force: true}); err != nil {
			return nil, err
		}
	}
	if req.Start {
		if _, errs := e.StartPod(ctx, p.ID); len(errs) > 0 {
			return nil, errors.Join(errs...)
		}
	}
	return p, nil
}

// clonedPod is the record of the new pod.
func (e *Engine) clonedPod(source *Pod, req *ClonePodRequest) (*pod.Pod, error) {
	p, ask := *source.Pod, req.Pod
	ask.Name, ask.CgroupParent, ask.OwnCgroups = first(ask.Name, e.clonePodName(source.Name)), first(ask.CgroupParent, source.CgroupParent), source.CgroupPath == ""
	ask.NoInfra, ask.Share, ask.ShareSet = source.InfraID == "", strings.Join(source.Share, ","), true
	asked, err := e.newPod(&ask)
	if err != nil {
		return nil, err
	}
	p.ID, p.Name, p.Created, p.CreatedBy, p.InfraID = asked.ID, asked.Name, time.Now(), ask.CreatedBy, ""
	p.CgroupParent, p.CgroupPath = asked.CgroupParent, asked.CgroupPath
	p.Labels = maps.Clone(p.Labels)
	if p.Labels == nil {
		p.Labels = map[string]string{}
	}
	maps.Copy(p.Labels, asked.Labels)
	p.Hostname, p.Restart = first(ask.Container.Hostname, p.Hostname), first(ask.Container.Restart, p.Restart)
	p.SecurityOpt = append(p.SecurityOpt, ask.Container.SecurityOpt...)
	limits := &container.Config{Resources: p.Resources}
	if err := e.updateResources(limits, &ask.Container.ResourceRequest); err != nil {
		return nil, err
	}
	if r := limits.Resources; r != nil && (r.Memory != nil || r.CPU != nil || r.BlockIO != nil) {
		p.Resources = r
	}
	return &p, nil
}

// clonePodName is the first name that is free of NAME-clone, NAME-clone1 …
func (e *Engine) clonePodName(source string) string {
	name := source + "-clone"
	for n := 1; ; n++ {
		if _, err := e.Pods().Get(name); err != nil {
			return name
		}
		name = source + "-clone" + strconv.Itoa(n)
	}
}

// cloneInfra makes the new pod's infra container.
func (e *Engine) cloneInfra(ctx context.Context, source *Pod, p *pod.Pod, ask *PodRequest) (*container.Config, error) {
	if source.InfraID == "" {
		return nil, nil
	}
	c, err := e.configuration(source.InfraID)
	if err != nil {
		return nil, err
	}
	request := ask.Container
	command := pauseProgram
	request.Entrypoint, request.Name, request.ResourceRequest, request.SecurityOpt, request.Restart = &command, first(ask.InfraName, p.ID[:12]+"-infra"), ResourceRequest{}, nil, ""
	request.Network, request.Hostname = []string{"none"}, ""
	asked, err := e.configure(container.NewID(), &request, store.Image{})
	if err != nil {
		return nil, err
	}
	image, err := e.madeOf(c)
	if err != nil {
		return nil, err
	}
	if ask.InfraCommand != "" {
		if c.ImageID == "" {
			return nil, errdef.Newf(errdef.ErrInvalid, "--infra-command needs an infra container with an image: ours has no other program than its own")
		}
		c.Entry, c.Command = []string{ask.InfraCommand}, nil
	}
	c.ID, c.Name, c.Created, c.CreatedBy = asked.ID, asked.Name, asked.Created, ask.CreatedBy
	if c.Hostname != "" {
		c.Hostname = p.HostName()
	}
	c.Mounts = append(freshVolumes(c.Mounts), asked.Mounts...)
	c.Devices = append(c.Devices, asked.Devices...)
	c.PIDMode, c.UTSMode = first(asked.PIDMode, c.PIDMode), first(asked.UTSMode, c.UTSMode)
	if request.ShmSize != "" {
		c.ShmSize = asked.ShmSize
	}
	if c.Sysctl == nil {
		c.Sysctl = map[string]string{}
	}
	maps.Copy(c.Sysctl, asked.Sysctl)
	forgetUnique(c)
	c.MonitorPidFile = asked.MonitorPidFile
	return c, e.storeInfra(ctx, p, c, image)
}

// cloneMembers makes the containers of the new pod.
func (e *Engine) cloneMembers(ctx context.Context, source *Pod, p *pod.Pod) error {
	var infra *container.Config
	var shared []container.Mount // what its containers have from the first pod
	if p.InfraID != "" {
		var err error
		if infra, err = e.configuration(p.InfraID); err != nil {
			return err
		}
		old, err := e.configuration(source.InfraID)
		if err != nil {
			return err
		}
		shared = old.Mounts
	}
	ids := map[string]string{source.InfraID: p.InfraID}
	for i := range source.Containers {
		if source.Containers[i].Infra {
			continue
		}
		c, err := e.configuration(source.Containers[i].ID)
		if err != nil {
			return err
		}
		old := c.ID
		if c.Name, err = e.cloneName(c.Name, ""); err != nil {
			return err
		}
		c.ID, c.Created = container.NewID(), time.Now()
		ids[old] = c.ID
		c.TakeNext()
		c.Mounts = freshVolumes(slices.DeleteFunc(c.Mounts, func(m container.Mount) bool {
			return slices.ContainsFunc(shared, func(s container.Mount) bool { return s.Destination == m.Destination && s.Source == m.Source })
		}))
		forgetUnique(c)
		in := &membership{pod: p, infra: infra, init: c.InitCtr}
		if err := e.storeClone(ctx, in, c, ids); err != nil {
			return err
		}
	}
	return nil
}

// storeClone writes a clone of a container in another pod; ids are those of
// the first pod's containers and what has taken their place.
func (e *Engine) storeClone(ctx context.Context, in *membership, c *container.Config, ids map[string]string) error {
	for _, mode := range []*string{&c.Network.Mode, &c.PIDMode, &c.IPCMode, &c.UTSMode, &c.CgroupNSMode, &c.UserNS.Mode} {
		for from, to := range ids {
			if *mode == "container:"+from {
				*mode = "container:" + to
			}
		}
	}
	for i, id := range c.Requires {
		c.Requires[i] = first(ids[id], id)
	}
	if c.CgroupParent != "" && in.pod.CgroupPath == "" {
		c.CgroupParent = ""
	}
	if err := in.add(c); err != nil {
		return err
	}
	image, err := e.madeOf(c)
	if err != nil {
		return err
	}
	if err := e.createVolumes(c); err != nil {
		return err
	}
	if err := e.store(ctx, c, image, false); err != nil {
		return errors.Join(err, e.removeAnonymous(c))
	}
	e.event(e.createEvent(c))
	return nil
}
