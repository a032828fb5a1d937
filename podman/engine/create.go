package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/store"
)

// Create makes a container and starts nothing.
func (e *Engine) Create(ctx context.Context, req *CreateRequest) (*container.Config, error) {
	return e.create(ctx, container.NewID(), req)
}

func (e *Engine) create(ctx context.Context, id string, req *CreateRequest) (*container.Config, error) {
	if req.CIDFile != "" {
		if _, err := os.Stat(req.CIDFile); err == nil {
			return nil, errdef.Newf(errdef.ErrConflict, "container id file exists. Ensure another container is not using it or delete %s", req.CIDFile)
		}
	}
	if req.Replace && req.Name == "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "cannot replace container without --name being set")
	}
	if slices.Equal(req.Network, []string{"none"}) && len(req.DNS)+len(req.DNSSearch)+len(req.DNSOptions) > 0 {
		return nil, errdef.Newf(errdef.ErrInvalid, "conflicting options: dns and the network mode: none")
	}
	req, in, err := e.joinPod(ctx, req)
	if err != nil {
		return nil, err
	}
	defer in.release()
	req = e.withDefaults(req)
	image, err := e.image(ctx, req)
	if err != nil {
		return nil, in.failed(ctx, e, err)
	}
	config, err := e.configure(id, req, image)
	if err == nil {
		err = in.add(config)
	}
	if err == nil {
		err = e.createVolumes(config)
	}
	if err == nil {
		err = in.hold(e)
	}
	if err != nil {
		return nil, in.failed(ctx, e, err)
	}
	if config.AutoRemove && e.oneShot {
		store.Unsynced() // whatever comes now is gone when the container ends
	}
	if err := e.store(ctx, config, image, req.Replace); err != nil {
		return nil, in.failed(ctx, e, errors.Join(err, e.removeAnonymous(config)))
	}
	if e.Config.Containers.PrepareVolumeOnCreate {
		if err := e.fillVolumes(config); err != nil {
			return nil, in.failed(ctx, e, errors.Join(err, e.Remove(ctx, config.ID, RemoveRequest{Volumes: true})))
		}
	}
	in.release()
	if req.CIDFile != "" {
		if err := os.WriteFile(req.CIDFile, []byte(config.ID), 0o644); err != nil {
			return nil, errors.Join(fmt.Errorf("write container id file: %w", err), e.Remove(ctx, config.ID, RemoveRequest{Volumes: true}))
		}
	}
	e.event(e.createEvent(config))
	return config, nil
}

// image finds the request's image in the store, or pulls it as the policy says,
// with progress on standard error.
func (e *Engine) image(ctx context.Context, req *CreateRequest) (store.Image, error) {
	if req.Rootfs {
		return store.Image{}, nil
	}
	o := req.PullOptions
	anyPlatform := o.Platform.OS == "" && o.Platform.Architecture == "" && o.Platform.Variant == ""
	if req.Pull == imgcopy.PullNever || anyPlatform && (req.Pull == "" || req.Pull == imgcopy.PullMissing) {
		image, err := e.lookupFor(req.Image, o.Platform)
		if err == nil && !anyPlatform {
			if other, err := e.platformMismatch(image.ID, o.Platform); other != "" || err != nil {
				return image, errors.Join(err, errdef.Newf(errdef.ErrNotFound, "%s: image not known for this platform: %s", req.Image, other))
			}
		}
		if err == nil || !isNotFound(err) || req.Pull == imgcopy.PullNever {
			return image, err
		}
	}
	o.Policy, o.Choose = first(req.Pull, imgcopy.PullMissing), cliout.NewChooser(os.Stdin, os.Stdout)
	if o.Progress == nil {
		o.Progress = cliout.NewProgress(os.Stderr, "auto")
	}
	id, mismatch, err := e.PullImage(ctx, req.Image, o)
	if err != nil {
		return store.Image{}, err
	}
	if mismatch != "" {
		cliout.Warn(os.Stderr, "%s", mismatch)
	}
	return e.Store.Image(id)
}

// store writes the container. A name that is taken belongs to a container
// that --replace removes first.
func (e *Engine) store(ctx context.Context, c *container.Config, image store.Image, replace bool) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write container configuration: %w", err)
	}
	metadata, err := json.Marshal(c.Summary())
	if err != nil {
		return fmt.Errorf("write container summary: %w", err)
	}
	bigData, err := e.secretData(c)
	if err != nil {
		return err
	}
	bigData[container.ConfigKey] = data
	for {
		n := store.NewContainer{ID: c.ID, Names: []string{c.Name}, ImageID: image.ID, Metadata: string(metadata), Volatile: c.AutoRemove, BigData: bigData}
		if c.UserNS.Mode == container.UserAuto {
			n.Auto = &store.AutoIDs{Size: c.UserNS.Size, Least: c.UserNS.Least, Maps: c.UserNS.Maps}
		} else if !c.UserNS.Maps.Identity() {
			n.IDMaps = c.UserNS.Maps
		}
		_, err = e.Store.CreateContainer(n)
		taken := new(store.ConflictError)
		switch {
		case !errors.As(err, &taken):
			return err
		case !replace:
			return errdef.Newf(errdef.ErrConflict, "creating container storage: the container name %q is already in use by %s. You have to remove that container to be able to reuse that name: that name is already in use, or use --replace to instruct Podman to do so.", c.Name, taken.Owner)
		}
		if err := e.Remove(ctx, taken.Owner, RemoveRequest{Force: true}); err != nil && !isNotFound(err) {
			return err
		}
	}
}

// configure makes the configuration of the request and its image.
func (e *Engine) configure(id string, req *CreateRequest, image store.Image) (*container.Config, error) {
	var file v1.ConfigFile
	var check struct {
		Config struct{ Healthcheck *HealthCheck }
	} // with what the other's lacks
	if image.ID != "" { // a pod's infra container has none
		raw, err := e.Store.ImageConfig(image.ID)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &file); err != nil {
			return nil, fmt.Errorf("read configuration of image %q: %w", req.Image, err)
		}
		if file.Config.Healthcheck != nil {
			if err := json.Unmarshal(raw, &check); err != nil {
				return nil, fmt.Errorf("read configuration of image %q: %w", req.Image, err)
			}
		}
	}
	root, err := rootOf(req)
	if err != nil {
		return nil, err
	}
	c := &container.Config{Rootfs: root, ID: id, Name: req.Name, Image: imageName(req.Image, image), ImageID: image.ID, RawImage: req.Image,
		Created: time.Now(), CreatedBy: req.CreatedBy, Terminal: req.Terminal, Stdin: req.Interactive, AutoRemove: req.AutoRemove,
		StopTimeout: req.StopTimeout, DetachKeys: req.DetachKeys, Hostname: req.Hostname, User: first(req.User, file.Config.User), Groups: req.Groups,
		WorkDir: first(req.WorkDir, file.Config.WorkingDir, "/"), Runtime: e.Config.Engine.RuntimeFor(path.Join(file.OS, file.Architecture, file.Variant))}
	if req.CIDFile != "" {
		if c.CIDFile, err = filepath.Abs(req.CIDFile); err != nil {
			return nil, fmt.Errorf("find container id file %q: %w", req.CIDFile, err)
		}
	}
	if c.Name == "" {
		c.Name = e.freeName()
	} else if !container.ValidName(c.Name) {
		return nil, errdef.Newf(errdef.ErrInvalid, "running container create option: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument")
	}
	if !path.IsAbs(c.WorkDir) {
		return nil, errdef.Newf(errdef.ErrInvalid, "workdir %q must be an absolute path", c.WorkDir)
	}
	if req.Rootfs {
		c.Image, c.RawImage = "", ""
	}
	c.WorkDirAsked = req.WorkDir != ""
	if c.StopSignal, err = ParseSignal(first(req.StopSignal, file.Config.StopSignal, "SIGTERM")); err != nil {
		return nil, err
	}
	if err := setRestart(c, req); err != nil {
		return nil, err
	}
	if err := setHealth(c, &req.Health, check.Config.Healthcheck); err != nil {
		return nil, err
	}
	if err := setCommand(c, req, &file.Config); err != nil {
		return nil, err
	}
	steps := []func(*container.Config, *CreateRequest, *v1.Config) error{
		e.setEnvironment, setLabels, e.setLog, e.setNetwork, setSecurity, e.setCgroups, e.setResources, e.setUserNS, e.setNamespaces, e.setInit, setUsers, e.setHostname, e.setUmask,
		e.setSecrets, e.setRequires, e.setRun, setSystemd, setNotify,
	}
	for _, step := range steps {
		if err := step(c, req, &file.Config); err != nil {
			return nil, err
		}
	}
	// What can be known to be wrong is an error before anything is made.
	if _, err := e.capabilities(&c.Security, 0); err != nil {
		return nil, err
	}
	if _, err := e.runtime(c.Runtime); err != nil {
		return nil, err
	}
	if err := e.findShared(c); err != nil {
		return nil, err
	}
	if err := e.checkPivot(); err != nil {
		return nil, err
	}
	c.Mounts, err = e.mounts(req, file.Config.Volumes)
	return c, err
}

// findShared makes sure that the containers are there of which this one shares
// namespaces.
func (e *Engine) findShared(c *container.Config) error {
	for _, ns := range []struct{ kind, mode string }{{"net", c.Network.Mode}, {"pid", c.PIDMode}, {"ipc", c.IPCMode}, {"uts", c.UTSMode}, {"cgroup", c.CgroupNSMode}} {
		if other, ok := strings.CutPrefix(ns.mode, "container:"); ok {
			if _, err := e.Lookup(other); err != nil {
				return fmt.Errorf("looking up container to share %s namespace with: %w", ns.kind, err)
			}
		}
	}
	return nil
}

// setCommand joins entry point and command: an entry point of the user's puts
// the image's command out of force.
func setCommand(c *container.Config, req *CreateRequest, image *v1.Config) error {
	c.Entry, c.Command = image.Entrypoint, image.Cmd
	if req.Entrypoint != nil {
		c.Entry, c.Command = nil, nil
		if text := *req.Entrypoint; strings.HasPrefix(text, "[") {
			if err := json.Unmarshal([]byte(text), &c.Entry); err != nil {
				return errdef.Newf(errdef.ErrInvalid, "parse entrypoint %q: %w", text, err)
			}
		} else if text != "" {
			c.Entry = []string{text}
		}
	}
	if len(req.Command) > 0 {
		c.Command = req.Command
	}
	if len(c.Entry)+len(c.Command) == 0 {
		return errdef.Newf(errdef.ErrInvalid, "no command or entrypoint provided, and no CMD or ENTRYPOINT from image")
	}
	return nil
}

// rootOf is the directory of --rootfs; "" for an image.
func rootOf(req *CreateRequest) (string, error) {
	if !req.Rootfs {
		return "", nil
	}
	dir, option, _ := strings.Cut(req.Image, ":")
	if option != "" {
		return "", errdef.Newf(errdef.ErrUnsupported, "--rootfs %s: option %q is not supported: mount an overlay yourself, or import the directory as an image", dir, option)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errdef.Newf(errdef.ErrInvalid, "%q is not a directory", dir)
	}
	if err != nil {
		return "", fmt.Errorf("running container create option: open rootfs: %w", err)
	}
	if dir == "/" {
		return "", errdef.Newf(errdef.ErrInvalid, "the host's own root can't be a container's")
	}
	return dir, nil
}

// mountRoot mounts the container's layer, if it has one, and tells where its
// root is.
func (e *Engine) mountRoot(c *container.Config) (string, error) {
	if c.Rootfs != "" {
		return c.Rootfs, nil
	}
	return e.Store.Mount(c.ID)
}

// freeName makes a random name that nobody has now; the store has the last
// word when the container is written.
func (e *Engine) freeName() string {
	for {
		name := container.RandomName()
		if _, err := e.Store.Container(name); err != nil {
			return name
		}
	}
}

// imageName is the name that ps shows: the one the user's word stands for, or
// the image's ID where it has none.
func imageName(asked string, image store.Image) string {
	if len(image.Names) == 0 || strings.HasPrefix(image.ID, strings.TrimPrefix(asked, "sha256:")) && asked != "" {
		if len(image.Names) > 0 {
			return image.Names[0]
		}
		return image.ID
	}
	for _, name := range image.Names {
		if name == asked || strings.HasSuffix(name, "/"+asked) || strings.HasSuffix(name, "/"+asked+":latest") {
			return name
		}
	}
	return image.Names[0]
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func isNotFound(err error) bool {
	return errors.Is(err, errdef.ErrNotFound) || errors.Is(err, fs.ErrNotExist)
}
