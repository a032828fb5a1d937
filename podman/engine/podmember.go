package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/lock"
	"github.com/podsuite/podsuite/podman/engine/pod"
	"github.com/podsuite/podsuite/shared/errdef"
)

// membership is the pod that a container is made in; nil is none.
type membership struct {
	pod   *pod.Pod
	infra *container.Config // nil where the pod has none
	init  string
	made  bool // for this container
	held  *lock.Lock
}

// joinPod finds, or makes, the pod of the request and returns the request of
// a container in it, which has the pod's namespaces where it asks for no
// others.
func (e *Engine) joinPod(ctx context.Context, asked *CreateRequest) (*CreateRequest, *membership, error) {
	name, err := podOf(asked)
	if err != nil {
		return nil, nil, err
	}
	if name == "" {
		if asked.InitCtr != "" {
			return nil, nil, errdef.Newf(errdef.ErrInvalid, "must specify pod value with init-ctr")
		}
		return asked, nil, nil
	}
	req, in := *asked, &membership{init: asked.InitCtr}
	if fresh, ok := strings.CutPrefix(name, "new:"); ok {
		in.made = true
		in.pod, err = e.CreatePod(ctx, podFor(fresh, &req))
	} else {
		in.pod, err = e.Pods().Find(name)
	}
	if err != nil {
		return nil, nil, err
	}
	if in.pod.InfraID != "" {
		if in.infra, err = e.configuration(in.pod.InfraID); err != nil {
			return nil, nil, in.failed(ctx, e, fmt.Errorf("read the infra container of pod %q: %w", in.pod.Name, err))
		}
	}
	if err := in.check(e, &req); err != nil {
		return nil, nil, in.failed(ctx, e, err)
	}
	in.share(&req)
	return &req, in, nil
}

// podOf is the name or ID of the pod that the request names.
func podOf(req *CreateRequest) (string, error) {
	if req.PodIDFile == "" {
		return req.Pod, nil
	}
	if req.Pod != "" {
		return "", errdef.Newf(errdef.ErrInvalid, "cannot specify both --pod and --pod-id-file")
	}
	return ReadPodIDFile(req.PodIDFile)
}

// ReadPodIDFile reads the first line of a file that pod create wrote.
func ReadPodIDFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading pod ID file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err != nil {
		return "", fmt.Errorf("reading pod ID file: %w", err)
	}
	id, _, _ := strings.Cut(string(text), "\n")
	if id == "" {
		return "", errdef.Newf(errdef.ErrInvalid, "reading pod ID file: %q is empty", path)
	}
	return id, nil
}

// podFor asks for the pod that a container is to be the first in: how the
// container is to be connected is how the pod is.
func podFor(name string, req *CreateRequest) *PodRequest {
	p := &PodRequest{Name: name, CreatedBy: req.CreatedBy, Container: CreateRequest{Network: req.Network, Publish: req.Publish,
		DNS: req.DNS, DNSSearch: req.DNSSearch, DNSOptions: req.DNSOptions, AddHosts: req.AddHosts, HostsFile: req.HostsFile, NoHosts: req.NoHosts, NoHostsSet: req.NoHostsSet, IP: req.IP, IP6: req.IP6, MAC: req.MAC,
		NetworkAliases: req.NetworkAliases, Hostname: req.Hostname}}
	req.Network, req.Publish, req.DNS, req.DNSSearch, req.DNSOptions, req.AddHosts = nil, nil, nil, nil, nil, nil
	req.HostsFile, req.NoHosts, req.NoHostsSet = "", false, false
	req.IP, req.IP6, req.MAC, req.NetworkAliases, req.Hostname = "", "", "", nil, ""
	return p
}

// check refuses what is the pod's to say.
func (in *membership) check(e *Engine, req *CreateRequest) error {
	if req.InitCtr != "" {
		if req.InitCtr != container.InitAlways && req.InitCtr != container.InitOnce {
			return errdef.Newf(errdef.ErrInvalid, "init-ctr value must be 'always' or 'once'")
		}
		members, err := e.members(in.pod.ID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(members, func(c Container) bool { return c.State == Running }) {
			return errdef.Newf(errdef.ErrConflict, "cannot add init-ctr to a running pod")
		}
	}
	if in.infra != nil && (req.mapped() || req.UserNS != "" && req.UserNS != "pod") {
		return errdef.Newf(errdef.ErrInvalid, "cannot set user namespace mode when joining pod with infra container: invalid argument")
	}
	if in.pod.Shares("uts") && req.UTS == "" && req.Hostname != "" {
		return errdef.Newf(errdef.ErrInvalid, "invalid config provided: cannot set hostname when joining the pod UTS namespace: invalid configuration")
	}
	if !in.pod.Shares("net") || len(req.Network) > 0 {
		return nil
	}
	for _, o := range []struct {
		asked bool
		what  string
	}{
		{len(req.Publish) > 0 || req.PublishAll, "published or exposed ports must be defined when the pod is created"},
		{len(req.AddHosts) > 0, "extra host entries must be specified on the pod"},
		{req.NoHosts || req.HostsFile != "", "the hosts file must be chosen when the pod is created"},
		{req.IP != "" || req.IP6 != "" || req.MAC != "" || len(req.NetworkAliases) > 0, "networks must be defined when the pod is created"},
		{len(req.DNS)+len(req.DNSSearch)+len(req.DNSOptions) > 0, "name servers must be defined when the pod is created"},
	} {
		if o.asked {
			return errdef.Newf(errdef.ErrInvalid, "invalid config provided: %s: network cannot be configured when it is shared with a pod", o.what)
		}
	}
	return nil
}

// share puts the pod's namespaces and settings where the request has none.
func (in *membership) share(req *CreateRequest) {
	p := in.pod
	joined := "container:" + p.InfraID
	if p.Shares("net") && len(req.Network) == 0 {
		req.Network = []string{joined}
	}
	for _, ns := range []struct {
		kind string
		to   *string
	}{{"pid", &req.PID}, {"ipc", &req.IPC}, {"uts", &req.UTS}} {
		if p.Shares(ns.kind) && *ns.to == "" {
			*ns.to = joined
		}
	}
	if in.infra != nil {
		req.UserNS = "host"
		if in.infra.UserNS.Mode != "" {
			req.UserNS = joined
		}
	}
	req.SecurityOpt = slices.Concat(p.SecurityOpt, req.SecurityOpt)
	if req.Restart == "" && !req.AutoRemove && req.InitCtr == "" {
		req.Restart = p.Restart
	}
}

// add makes the container one of the pod's.
func (in *membership) add(c *container.Config) error {
	if in == nil {
		return nil
	}
	p := in.pod
	c.Pod, c.PodName, c.InitCtr = p.ID, p.Name, in.init
	if p.CgroupPath != "" {
		c.CgroupParent = p.CgroupPath
	}
	if in.infra == nil {
		return nil
	}
	joined := "container:" + p.InfraID
	if c.UTSMode == joined {
		c.Hostname = p.HostName()
		c.NoHostname = c.NoHostname || in.infra.NoHostname
	}
	if c.Network.Mode == joined {
		c.PodPorts, c.Network.NoHosts, c.Network.NoResolvConf = in.infra.Network.Ports, in.infra.Network.NoHosts, in.infra.Network.NoResolvConf
	}
	if p.Shares("cgroup") {
		c.CgroupNSMode = joined
	}
	for _, m := range in.infra.Mounts {
		if !slices.ContainsFunc(c.Mounts, func(own container.Mount) bool { return own.Destination == m.Destination }) {
			m.Anonymous = false // the pod's, so it stays when the container goes
			c.Mounts = append(c.Mounts, m)
		}
	}
	for _, name := range in.infra.CDIDevices {
		if !slices.Contains(c.CDIDevices, name) {
			c.CDIDevices = append(c.CDIDevices, name)
		}
	}
	for _, d := range in.infra.Devices {
		if !slices.ContainsFunc(c.Devices, func(own container.Device) bool { return own.Path == d.Path }) {
			c.Devices = append(c.Devices, d)
		}
	}
	return nil
}

// hold takes the pod's lock until release, so that the pod is not removed
// while the container is written.
func (in *membership) hold(e *Engine) (err error) {
	if in == nil {
		return nil
	}
	if in.held, err = e.lockPod(in.pod.ID); err != nil {
		return err
	}
	now, err := e.Pods().Get(in.pod.Name)
	if err == nil && now.ID != in.pod.ID {
		err = errdef.Newf(errdef.ErrNotFound, "no pod with name or ID %s found: no such pod", in.pod.Name)
	}
	return err
}

func (in *membership) release() {
	if in != nil && in.held != nil {
		in.held.Release()
		in.held = nil
	}
}

// failed takes back the pod that was made for a container that can't be.
func (in *membership) failed(ctx context.Context, e *Engine, err error) error {
	if in == nil {
		return err
	}
	in.release()
	if !in.made || in.pod == nil {
		return err
	}
	_, undo := e.RemovePod(ctx, in.pod.ID, RemovePodRequest{Force: true})
	return errors.Join(err, undo)
}

// setRequires finds the containers that have to be started before this one.
func (e *Engine) setRequires(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	for _, name := range req.Requires {
		other, err := e.Lookup(name)
		if err != nil {
			return fmt.Errorf("--requires: %w", err)
		}
		c.Requires = append(c.Requires, other.ID)
	}
	return nil
}
