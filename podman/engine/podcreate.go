package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/lock"
	"github.com/podsuite/podsuite/podman/engine/pod"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

// PodRequest asks for a pod.
type PodRequest struct {
	Name       string // "" is a random one
	CreatedBy  []string
	Labels     []string
	LabelFiles []string
	ExitPolicy string // continue or stop; "" is the configured one
	IDFile     string
	Replace    bool // a pod of the name is removed first

	NoInfra      bool
	InfraName    string
	InfraImage   string // "" is a root of our own
	InfraCommand string // of the image
	Share        string // kinds of namespaces, ipc,net,uts; none and "" are no sharing
	ShareSet     bool
	OwnCgroups   bool // containers don't have their control groups below the pod's
	CgroupParent string

	// Container is what is asked of the infra container, and through it of
	// all: network, ports, hostname, volumes. Its limits are the whole pod's.
	Container CreateRequest
}

// shareable are the kinds of namespaces that a pod's containers may share.
func shareable() []string { return []string{"cgroup", "ipc", "net", "pid", "uts"} }

// CreatePod makes a pod with its infra container. The record comes last:
// either the pod is whole or it isn't there.
func (e *Engine) CreatePod(ctx context.Context, req *PodRequest) (*pod.Pod, error) {
	p, err := e.newPod(req)
	if err != nil {
		return nil, err
	}
	err = e.addPod(ctx, p, req.Replace, func() (*container.Config, error) {
		if req.NoInfra {
			return nil, nil
		}
		return e.createInfra(ctx, p, req)
	})
	if err != nil {
		return nil, err
	}
	if req.IDFile != "" {
		if err := os.WriteFile(req.IDFile, []byte(p.ID), 0o644); err != nil {
			_, undo := e.RemovePod(ctx, p.ID, RemovePodRequest{Force: true})
			return nil, errors.Join(fmt.Errorf("failed to write pod ID to file: creating idfile: %w", err), undo)
		}
	}
	e.event(podEvent(p, "create"))
	return p, nil
}

// addPod makes the pod's infra container, if it has one, and writes its
// record.
func (e *Engine) addPod(ctx context.Context, p *pod.Pod, replace bool, infra func() (*container.Config, error)) error {
	held, err := lock.Acquire(e.runDir("locks"), "pods")
	if err != nil {
		return err
	}
	defer held.Release()
	if err := e.healPods(ctx); err != nil {
		return err
	}
	if old, err := e.Pods().Get(p.Name); err == nil {
		if !replace {
			return errdef.Newf(errdef.ErrConflict, "adding pod to state: name %q is in use: pod already exists", p.Name)
		}
		if _, err := e.RemovePod(ctx, old.ID, RemovePodRequest{Force: true}); err != nil {
			return err
		}
	}
	c, err := infra()
	if err != nil {
		return err
	}
	if err := e.Pods().Add(p); err != nil {
		if c != nil {
			err = errors.Join(err, e.delete(c, true))
		}
		return err
	}
	return nil
}

// newPod makes the record of the request.
func (e *Engine) newPod(req *PodRequest) (*pod.Pod, error) {
	p := &pod.Pod{ID: container.NewID(), Name: req.Name, Created: time.Now(), CreatedBy: req.CreatedBy, Labels: map[string]string{},
		Hostname: req.Container.Hostname, SecurityOpt: req.Container.SecurityOpt, Restart: req.Container.Restart,
		ExitPolicy: first(req.ExitPolicy, e.Config.Engine.PodExitPolicy, pod.Continue)}
	if err := e.setPodName(p); err != nil {
		return nil, err
	}
	if p.ExitPolicy != pod.Continue && p.ExitPolicy != pod.Stop {
		return nil, errdef.Newf(errdef.ErrInvalid, "running pod create option: invalid pod exit policy: %q", p.ExitPolicy)
	}
	if _, err := parseRestart("pod", p.Restart); err != nil {
		return nil, err
	}
	if err := setShare(p, req); err != nil {
		return nil, err
	}
	if err := setSecurity(new(container.Config), &CreateRequest{SecurityOpt: p.SecurityOpt}, new(v1.Config)); err != nil {
		return nil, err
	}
	for _, file := range req.LabelFiles {
		lines, err := readLines(file)
		if err != nil {
			return nil, err
		}
		addPairs(p.Labels, lines)
	}
	addPairs(p.Labels, req.Labels)
	addUnit(p.Labels)
	opts := runtime.Options{SystemdCgroup: e.systemdCgroups(), CgroupParent: req.CgroupParent}
	p.CgroupParent = runtime.GroupRoot(opts)
	if !req.OwnCgroups {
		p.CgroupPath = runtime.GroupParent(opts, p.ID)
	}
	limits, err := e.resources(&req.Container.ResourceRequest)
	if err == nil {
		err = e.checkControllers(opts, limits)
	}
	if err != nil {
		return nil, err
	}
	if limits.Memory != nil || limits.CPU != nil || limits.BlockIO != nil {
		if p.CgroupPath == "" {
			return nil, errdef.Newf(errdef.ErrInvalid, "limits on a pod need a control group of its own: leave out --share-parent=false")
		}
		p.Resources = limits
	}
	return p, nil
}

func (e *Engine) setPodName(p *pod.Pod) error {
	switch {
	case p.Name == "":
		for {
			p.Name = container.RandomName()
			if _, err := e.Pods().Get(p.Name); isNotFound(err) {
				return nil
			}
		}
	case !container.ValidName(p.Name):
		return errdef.Newf(errdef.ErrInvalid, "running pod create option: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument")
	case len(p.Name) > pod.MaxName:
		return errdef.Newf(errdef.ErrInvalid, "running pod create option: the name has more than %d characters: invalid argument", pod.MaxName)
	}
	return nil
}

// setShare reads what is shared, and refuses what takes an infra container
// where there is to be none.
func setShare(p *pod.Pod, req *PodRequest) error {
	share := req.Share
	if !req.ShareSet && share == "" {
		share = "ipc,net,uts"
	}
	for _, kind := range strings.Split(share, ",") {
		switch {
		case kind == "none" || kind == "":
		case !slices.Contains(shareable(), kind):
			return errdef.Newf(errdef.ErrInvalid, "invalid kernel namespace to share: %s. Options are: cgroup, ipc, net, pid, uts or none", kind)
		case !slices.Contains(p.Share, kind):
			p.Share = append(p.Share, kind)
		}
	}
	slices.Sort(p.Share)
	if len(p.Share) == 0 {
		req.NoInfra = true // there is nothing for it to hold
	}
	if slices.Contains(p.Share, "cgroup") && !req.OwnCgroups {
		return errdef.Newf(errdef.ErrInvalid, "cannot define the pod as the cgroup parent at the same time as joining the infra container's cgroupNS: invalid argument")
	}
	c := &req.Container
	if req.NoInfra {
		switch {
		case req.ShareSet && len(p.Share) > 0:
			return errdef.Newf(errdef.ErrInvalid, "cannot set share(%s) namespaces without an infra container", req.Share)
		case len(c.Publish) > 0:
			return errdef.Newf(errdef.ErrInvalid, "you must have an infra container to publish port bindings to the host")
		case len(c.Network) > 0:
			return errdef.Newf(errdef.ErrInvalid, "NoInfra and network modes cannot be used together")
		case req.InfraImage != "" || req.InfraCommand != "":
			return errdef.Newf(errdef.ErrInvalid, "there is no infra container for --infra-image and --infra-command: invalid pod spec")
		case req.InfraName != "":
			return errdef.Newf(errdef.ErrInvalid, "NoInfra and InfraName are mutually exclusive pod options: invalid pod spec")
		case len(c.AddHosts) > 0 || c.Hostname != "" || len(c.DNS)+len(c.DNSOptions)+len(c.DNSSearch) > 0 || c.IP != "" || c.IP6 != "" || c.MAC != "" ||
			len(c.NetworkAliases) > 0 || c.NoHosts || c.HostsFile != "" || c.NoHostname || len(c.Sysctl) > 0 || len(c.Volumes) > 0 ||
			len(c.VolumesFrom) > 0 || len(c.Devices) > 0 || len(c.GPUs) > 0 || c.MonitorPidFile != "" || c.PID != "" || c.UTS != "" || c.ShmSize != "":
			return errdef.Newf(errdef.ErrInvalid, "options on the network, the host's name, namespaces, volumes, devices and the monitor need an infra container: invalid pod spec")
		}
		p.Share = nil
	} else if !slices.Contains(p.Share, "net") && len(c.Publish) > 0 {
		return errdef.Newf(errdef.ErrInvalid, "published ports need a shared network: add net to --share")
	}
	for _, o := range []struct{ flag, value, kind string }{{"pid", c.PID, "pid"}, {"uts", c.UTS, "uts"}, {"shm-size", c.ShmSize, "ipc"}} {
		if o.value != "" && !slices.Contains(p.Share, o.kind) {
			return errdef.Newf(errdef.ErrInvalid, "--%s has no effect on containers with %s namespaces of their own: add %s to --share", o.flag, o.kind, o.kind)
		}
	}
	return nil
}

// createInfra makes the container that holds the pod's namespaces: of an
// image, or of a root that has nothing but our own program.
func (e *Engine) createInfra(ctx context.Context, p *pod.Pod, req *PodRequest) (*container.Config, error) {
	c := req.Container
	c.Name, c.ResourceRequest, c.SecurityOpt, c.Restart = first(req.InfraName, p.ID[:12]+"-infra"), ResourceRequest{}, nil, ""
	c.Image = first(req.InfraImage, e.Config.Engine.InfraImage)
	c.Labels, c.CreatedBy = nil, req.CreatedBy
	if slices.Contains(p.Share, "ipc") && c.IPC == "" {
		c.IPC = "shareable"
	}
	if slices.Contains(p.Share, "uts") && c.UTS == "" && !hostNetwork(c.Network) {
		c.Hostname = p.HostName()
	}
	if !slices.Contains(p.Share, "net") {
		c.Network = []string{"none"}
	}
	command := req.InfraCommand
	var image store.Image
	if c.Image == "" {
		if command != "" {
			return nil, errdef.Newf(errdef.ErrInvalid, "--infra-command needs --infra-image: the infra container has no other program than its own")
		}
		command = pauseProgram
	}
	if command != "" {
		c.Entrypoint = &command
	}
	r := e.withDefaults(&c)
	var err error
	if r.Image != "" {
		if image, err = e.image(ctx, r); err != nil {
			return nil, err
		}
	}
	config, err := e.configure(container.NewID(), r, image)
	if err != nil {
		return nil, err
	}
	config.Infra = true
	return config, e.storeInfra(ctx, p, config, image)
}

// storeInfra writes the pod's infra container.
func (e *Engine) storeInfra(ctx context.Context, p *pod.Pod, c *container.Config, image store.Image) error {
	c.Pod, c.PodName, c.Labels, c.CgroupParent = p.ID, p.Name, p.Labels, p.CgroupPath
	if err := e.createVolumes(c); err != nil {
		return err
	}
	if err := e.store(ctx, c, image, false); err != nil {
		return errors.Join(err, e.removeAnonymous(c))
	}
	p.InfraID = c.ID
	return nil
}

// hostNetwork says whether the host's network, and so its name, is kept.
func hostNetwork(networks []string) bool { return slices.Contains(networks, "host") }

// healPods removes infra containers that were made for a pod that never came
// to be, because its making was killed. Pods are made one after the other.
func (e *Engine) healPods(ctx context.Context) error {
	list, err := e.List(func(_, _ string, s *container.Summary) bool { return s.Infra })
	if err != nil {
		return err
	}
	for i := range list {
		there, err := e.hasPod(list[i].PodName, list[i].Pod)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if err := e.Remove(ctx, list[i].ID, RemoveRequest{Force: true, Volumes: true}); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

// hasPod says whether there is the pod. A record that can't be read is an
// error: what is the pod's must not be taken for left-overs.
func (e *Engine) hasPod(name, id string) (bool, error) {
	p, err := e.Pods().Get(name)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil && p.ID == id, err
}
