package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// CommitRequest makes an image of a container.
type CommitRequest struct {
	Container      string
	Name           string // of the image, or ""
	Author         string
	Message        string   // docker images alone can keep one
	Changes        []string // instructions of a Containerfile
	Config         []byte   // an image configuration, JSON, that goes over the container's
	Format         string   // oci or docker; "" is the configured one
	IncludeVolumes bool     // the container's volumes become the image's
	Pause          bool     // freeze the container meanwhile
	Squash         bool     // all layers become one
}

// Commit makes an image of what the container has changed, on top of its
// image's layers, and returns the image's ID.
func (e *Engine) Commit(ctx context.Context, req CommitRequest) (id string, err error) {
	req.Format = first(req.Format, e.Config.Engine.BuildFormat())
	if err := req.check(); err != nil {
		return "", err
	}
	var names []string
	if req.Name != "" {
		if _, err := parseName("parsing reference", req.Name); err != nil {
			return "", err
		}
		name, err := newImageName(req.Name)
		if err != nil {
			return "", err
		}
		names = []string{name}
	}
	err = e.withContainer(req.Container, func(c *container.Config) error {
		if c.Rootfs != "" {
			return errdef.Newf(errdef.ErrUnsupported, "cannot commit a container that uses an exploded rootfs: import %s instead", c.Rootfs)
		}
		id, err = e.commit(ctx, c, &req, names)
		if err == nil {
			e.event(containerEvent(c, "commit"))
		}
		return err
	})
	return id, err
}

func (req *CommitRequest) check() error {
	switch req.Format {
	case "oci":
		if req.Message != "" {
			return errdef.Newf(errdef.ErrInvalid, "messages are only compatible with the docker image format (-f docker)")
		}
	case "docker":
	default:
		return errdef.Newf(errdef.ErrInvalid, "unrecognized image format %q", req.Format)
	}
	return applyChanges(new(spec.ImageConfig), req.Changes)
}

func (e *Engine) commit(ctx context.Context, c *container.Config, req *CommitRequest, names []string) (string, error) {
	doc, err := e.commitDoc(c, req)
	if err != nil {
		return "", err
	}
	thaw, err := e.pauseFor(ctx, c, req.Pause)
	if err != nil {
		return "", err
	}
	layers, err := e.commitLayers(ctx, c, doc, req.Squash)
	if err = errors.Join(err, thaw()); err != nil {
		return "", err
	}
	now := time.Now().UTC()
	doc.Created, doc.Author = v1.Time{Time: now}, req.Author
	doc.History = append(doc.History, v1.History{Author: req.Author, Created: v1.Time{Time: now}, Comment: req.Message,
		CreatedBy: strings.Join(c.Args(), " ")})
	return e.writeCommit(doc, layers, names, req.Format)
}

// pauseFor freezes a running container; thaw lets it go on.
func (e *Engine) pauseFor(ctx context.Context, c *container.Config, pause bool) (thaw func() error, err error) {
	none := func() error { return nil }
	if !pause || e.status(c.ID).State != Running {
		return none, nil
	}
	rt, err := e.runtime(c.Runtime)
	if err != nil {
		return none, err
	}
	if err := rt.Pause(ctx, c.ID); err != nil {
		return none, err
	}
	return func() error { return rt.Resume(context.WithoutCancel(ctx), c.ID) }, nil
}

// commitDoc makes the image's configuration: the base's, with what the
// container was told and the changes over it.
func (e *Engine) commitDoc(c *container.Config, req *CommitRequest) (*v1.ConfigFile, error) {
	doc := &v1.ConfigFile{Architecture: runtime.GOARCH, OS: "linux"}
	if raw, err := e.Store.ImageConfig(c.ImageID); err == nil {
		if err := json.Unmarshal(raw, doc); err != nil {
			return nil, fmt.Errorf("read configuration of image %q: %w", c.ImageID, err)
		}
	} else if !isNotFound(err) {
		return nil, err
	}
	conf := &doc.Config
	conf.User, conf.Env, conf.Cmd, conf.WorkingDir, conf.Entrypoint, conf.Labels = c.User, c.Env, c.Command, c.WorkDir, c.Entry, maps.Clone(c.Labels)
	if req.IncludeVolumes {
		for _, m := range c.Mounts {
			if m.Type == "volume" {
				put(&conf.Volumes, m.Destination, struct{}{})
			}
		}
	}
	for _, port := range exposedPorts(c) {
		put(&conf.ExposedPorts, port, struct{}{})
	}
	if len(req.Config) > 0 {
		if err := json.Unmarshal(req.Config, conf); err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "read image configuration: %w", err)
		}
	}
	return doc, changeDoc(conf, req.Changes)
}

// changeDoc makes the changes on what both kinds of configuration have.
func changeDoc(conf *v1.Config, changes []string) error {
	c := spec.ImageConfig{User: conf.User, ExposedPorts: conf.ExposedPorts, Env: conf.Env, Entrypoint: conf.Entrypoint, Cmd: conf.Cmd,
		Volumes: conf.Volumes, WorkingDir: conf.WorkingDir, Labels: conf.Labels, StopSignal: conf.StopSignal}
	if err := applyChanges(&c, changes); err != nil {
		return err
	}
	conf.User, conf.ExposedPorts, conf.Env, conf.Entrypoint, conf.Cmd = c.User, c.ExposedPorts, c.Env, c.Entrypoint, c.Cmd
	conf.Volumes, conf.WorkingDir, conf.Labels, conf.StopSignal = c.Volumes, c.WorkingDir, c.Labels, c.StopSignal
	return nil
}

// commitLayers makes the layers, the lowest first, and notes them.
func (e *Engine) commitLayers(ctx context.Context, c *container.Config, doc *v1.ConfigFile, squash bool) ([]store.Layer, error) {
	if squash {
		return e.squashLayers(ctx, c, doc)
	}
	staged, err := e.Store.CommitChanges(c.ID, false)
	if err != nil {
		return nil, err
	}
	own, err := e.Store.Container(c.ID)
	if err != nil {
		staged.Discard()
		return nil, err
	}
	below, err := e.Store.Layer(own.LayerID)
	if err != nil {
		staged.Discard()
		return nil, err
	}
	chain, err := e.Store.LayerChain(below.Parent)
	if err != nil {
		staged.Discard()
		return nil, err
	}
	layer, err := commitStaged(staged, below.Parent)
	if err != nil {
		return nil, err
	}
	chain = append(chain, layer)
	setDiffIDs(doc, chain)
	return chain, nil
}

func commitStaged(staged *store.StagedLayer, parent string) (store.Layer, error) {
	layer, err := staged.Commit(parent)
	if err == nil {
		layer.DiffID, layer.UncompressedSize = staged.DiffID(), staged.UncompressedSize()
	}
	return layer, err
}

func setDiffIDs(doc *v1.ConfigFile, layers []store.Layer) {
	doc.RootFS = v1.RootFS{Type: "layers"}
	for _, l := range layers {
		doc.RootFS.DiffIDs = append(doc.RootFS.DiffIDs, v1.Hash{Algorithm: "sha256", Hex: l.DiffID.Encoded()})
	}
}

// writeCommit records the image.
func (e *Engine) writeCommit(doc *v1.ConfigFile, layers []store.Layer, names []string, format string) (string, error) {
	configType, layerType, manifestType := types.OCIConfigJSON, types.OCIUncompressedLayer, types.OCIManifestSchema1
	if format == "docker" {
		configType, layerType, manifestType = types.DockerConfigJSON, types.DockerUncompressedLayer, types.DockerManifestSchema2
	} else {
		// What the OCI's configuration has no place for.
		doc.Config.Healthcheck, doc.Config.OnBuild, doc.Config.Shell = nil, nil, nil
	}
	config, err := json.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("write image configuration: %w", err)
	}
	sum := digest.FromBytes(config)
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: manifestType, Config: v1.Descriptor{MediaType: configType,
		Size: int64(len(config)), Digest: v1.Hash{Algorithm: "sha256", Hex: sum.Encoded()}}}
	top := ""
	for _, l := range layers {
		manifest.Layers = append(manifest.Layers, v1.Descriptor{MediaType: layerType, Size: l.UncompressedSize,
			Digest: v1.Hash{Algorithm: "sha256", Hex: l.DiffID.Encoded()}})
		top = l.ID
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		return "", fmt.Errorf("write manifest: %w", err)
	}
	if err := e.Store.Sync(); err != nil { // the container may go next
		return "", err
	}
	image, err := e.Store.CreateImage(store.NewImage{Names: names, Manifest: text, Config: config, TopLayer: top, Created: doc.Created.Time})
	return image.ID, err
}
