package build

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/shared/store"
)

const (
	dockerManifestType = "application/vnd.docker.distribution.manifest.v2+json"
	dockerConfigType   = "application/vnd.docker.container.image.v1+json"
	dockerLayerType    = "application/vnd.docker.image.rootfs.diff.tar"
)

// healthConfig is the health check of the Docker format; times in nanoseconds.
type healthConfig struct {
	Test          []string      `json:",omitempty"`
	Interval      time.Duration `json:",omitempty"`
	Timeout       time.Duration `json:",omitempty"`
	StartPeriod   time.Duration `json:",omitempty"`
	StartInterval time.Duration `json:",omitempty"`
	Retries       int           `json:",omitempty"`
}

// containerConfig holds what both formats know, and what only Docker's keeps.
type containerConfig struct {
	spec.ImageConfig
	Healthcheck *healthConfig `json:",omitempty"`
	OnBuild     []string      `json:",omitempty"`
	Shell       []string      `json:",omitempty"`
	Hostname    string        `json:",omitempty"`
	Domainname  string        `json:",omitempty"`
}

// imageDoc is an image's configuration while it is being built.
type imageDoc struct {
	Created *time.Time `json:"created,omitempty"`
	Author  string     `json:"author,omitempty"`
	Comment string     `json:"comment,omitempty"`
	spec.Platform
	Config  containerConfig `json:"config"`
	RootFS  spec.RootFS     `json:"rootfs"`
	History []spec.History  `json:"history,omitempty"`
}

// clone copies all that the steps of a build change.
func (d *imageDoc) clone() *imageDoc {
	c := *d
	c.Config.Env = slices.Clone(d.Config.Env)
	c.Config.Labels = maps.Clone(d.Config.Labels)
	c.Config.Volumes = maps.Clone(d.Config.Volumes)
	c.Config.ExposedPorts = maps.Clone(d.Config.ExposedPorts)
	c.Config.OnBuild = slices.Clone(d.Config.OnBuild)
	c.RootFS.DiffIDs = slices.Clone(d.RootFS.DiffIDs)
	c.History = slices.Clone(d.History)
	return &c
}

func parseImageDoc(data []byte) (*imageDoc, error) {
	d := &imageDoc{}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, fmt.Errorf("parse image configuration: %w", err)
	}
	return d, nil
}

// dockerConfig is the "config" of the Docker format.
type dockerConfig struct {
	Hostname     string
	Domainname   string
	User         string
	AttachStdin  bool
	AttachStdout bool
	AttachStderr bool
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Tty          bool
	OpenStdin    bool
	StdinOnce    bool
	Env          []string
	Cmd          []string
	Healthcheck  *healthConfig `json:",omitempty"`
	Image        string
	Volumes      map[string]struct{}
	WorkingDir   string
	Entrypoint   []string
	OnBuild      []string
	Labels       map[string]string
	StopSignal   string   `json:",omitempty"`
	Shell        []string `json:",omitempty"`
}

type dockerImage struct {
	Comment         string         `json:"comment,omitempty"`
	Created         *time.Time     `json:"created"`
	ContainerConfig dockerConfig   `json:"container_config"`
	Author          string         `json:"author,omitempty"`
	Config          *dockerConfig  `json:"config,omitempty"`
	Architecture    string         `json:"architecture"`
	Variant         string         `json:"variant,omitempty"`
	OS              string         `json:"os"`
	RootFS          *spec.RootFS   `json:"rootfs,omitempty"`
	History         []spec.History `json:"history,omitempty"`
	OSVersion       string         `json:"os.version,omitempty"`
	OSFeatures      []string       `json:"os.features,omitempty"`
}

// encode writes the configuration in the format.
func (d *imageDoc) encode(format string) ([]byte, error) {
	if format == FormatDocker {
		return json.Marshal(d.docker())
	}
	return json.Marshal(d.oci())
}

func (d *imageDoc) docker() dockerImage {
	c := d.Config
	config := dockerConfig{
		Hostname: c.Hostname, Domainname: c.Domainname,
		User: c.User, ExposedPorts: c.ExposedPorts, Env: c.Env, Cmd: c.Cmd, Healthcheck: c.Healthcheck,
		Volumes: c.Volumes, WorkingDir: c.WorkingDir, Entrypoint: c.Entrypoint, OnBuild: c.OnBuild,
		Labels: c.Labels, StopSignal: c.StopSignal, Shell: c.Shell,
	}
	return dockerImage{
		Comment: d.Comment, Created: d.Created, Author: d.Author, Config: &config, ContainerConfig: config,
		Architecture: d.Architecture, Variant: d.Variant, OS: d.OS, RootFS: &d.RootFS, History: d.History,
		OSVersion: d.OSVersion, OSFeatures: d.OSFeatures,
	}
}

func (d *imageDoc) oci() spec.Image {
	return spec.Image{
		Created: d.Created, Author: d.Author, Platform: d.Platform,
		Config: d.Config.ImageConfig, RootFS: d.RootFS, History: d.History,
	}
}

type dockerManifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        spec.Descriptor   `json:"config"`
	Layers        []spec.Descriptor `json:"layers"`
}

// manifest writes the manifest for a configuration and its layers, which are
// described as they lie in the store: uncompressed.
func manifest(format string, config []byte, layers []store.Layer, annotations map[string]string) ([]byte, error) {
	configType, layerType := spec.MediaTypeImageConfig, spec.MediaTypeImageLayer
	if format == FormatDocker {
		configType, layerType = dockerConfigType, dockerLayerType
	}
	descriptor := spec.Descriptor{MediaType: configType, Digest: digest.FromBytes(config), Size: int64(len(config))}
	descriptors := make([]spec.Descriptor, len(layers))
	for i, l := range layers {
		descriptors[i] = spec.Descriptor{MediaType: layerType, Digest: l.DiffID, Size: l.UncompressedSize}
	}
	if format == FormatDocker {
		return json.Marshal(dockerManifest{2, dockerManifestType, descriptor, descriptors})
	}
	return json.Marshal(spec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: spec.MediaTypeImageManifest,
		Config: descriptor, Layers: descriptors, Annotations: annotations,
	})
}
