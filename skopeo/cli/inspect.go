package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
)

// imageInfo is what inspect prints.
type imageInfo struct {
	Name          string `json:",omitempty"`
	Tag           string `json:",omitempty"`
	Digest        digest.Digest
	RepoTags      []string
	Created       *time.Time
	DockerVersion string
	Labels        map[string]string
	Architecture  string
	Variant       string `json:",omitempty"`
	Os            string
	Layers        []string
	LayersData    []layerInfo
	Env           []string
}

type layerInfo struct {
	MIMEType    types.MediaType
	Digest      digest.Digest
	Size        int64
	Annotations map[string]string
}

// inspectRequest is the command line of skopeo inspect.
type inspectRequest struct {
	flags               place
	retry               cliflag.Retry
	raw, config, noTags bool
	format              string
}

func newInspect(g *global) *cobra.Command {
	r := &inspectRequest{}
	cmd := &cobra.Command{
		Use:   "inspect [command options] IMAGE-NAME",
		Short: "Inspect image IMAGE-NAME",
		Long: `Return low-level information about "IMAGE-NAME" in a registry/transport

Supported transports:
containers-storage, dir, docker, docker-archive, oci, oci-archive

See skopeo(1) section "IMAGE NAMES" for the expected format`,
		Example: "skopeo inspect docker://registry.example.com/app:v1\nskopeo inspect --config docker://registry.example.com/app:v1\n" +
			`skopeo inspect --format "Name: {{.Name}} Digest: {{.Digest}}" docker://registry.example.com/app:v1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return invalid("Exactly one argument expected")
			}
			return r.run(cmd, g, args[0])
		},
		DisableFlagsInUseLine: true,
	}
	r.flags.bind(cmd, "")
	r.flags.bindOthers(cmd, "")
	r.retry.BindTimes(cmd.Flags())
	cmd.Flags().BoolVar(&r.raw, "raw", false, "output raw manifest or configuration")
	cmd.Flags().BoolVar(&r.config, "config", false, "output configuration")
	cmd.Flags().BoolVarP(&r.noTags, "no-tags", "n", false, "Do not list the available tags from the repository in the output")
	cmd.Flags().StringVarP(&r.format, "format", "f", "", "Format the output to a Go template")
	return cmd
}

func (r *inspectRequest) run(cmd *cobra.Command, g *global, name string) error {
	if r.raw && r.format != "" {
		return invalid("raw output does not support format option")
	}
	wrong := func(err error) error { return fmt.Errorf("Error parsing image name %q: %w", name, err) }
	l, err := ref.ParseTransport(name)
	if err != nil {
		return wrong(err)
	}
	o, err := r.flags.options(g, r.retry, cmd.ErrOrStderr())
	if err != nil {
		return wrong(err)
	}
	if err := enter(l); err != nil {
		return err
	}
	src, err := transport.OpenSource(cmd.Context(), l, o)
	if err != nil {
		if l.Transport == ref.Dir {
			return fmt.Errorf("Error retrieving manifest for image: %w", err)
		}
		return missing(wrong(err), l)
	}
	defer src.Close()
	m, err := src.Manifest(cmd.Context(), "")
	if err != nil {
		return fmt.Errorf("Error retrieving manifest for image: %w", err)
	}
	if r.raw && !r.config {
		_, err := cmd.OutOrStdout().Write(m.Bytes)
		return err
	}
	return r.image(cmd, g, l, src, m)
}

// image shows one image; of a list it is the one for the platform.
func (r *inspectRequest) image(cmd *cobra.Command, g *global, l ref.Location, src transport.Source, m transport.Manifest) error {
	ctx := cmd.Context()
	one := m
	if m.MediaType.IsIndex() {
		index, err := transport.ParseIndex(m.Bytes)
		if err != nil {
			return err
		}
		d, err := imgcopy.Choose(index, g.platform)
		if err != nil {
			return fmt.Errorf("Error parsing manifest for image: choosing image instance: %w", err)
		}
		if one, err = src.Manifest(ctx, transport.Digest(d)); err != nil {
			return fmt.Errorf("Error parsing manifest for image: %w", err)
		}
	}
	parsed, err := transport.ParseImage(one.Bytes)
	if err != nil {
		return fmt.Errorf("Error parsing manifest for image: %w", err)
	}
	conf, err := imgcopy.ReadConfig(ctx, src, parsed.Config)
	if err != nil {
		return fmt.Errorf("Error reading config blob: %w", err)
	}
	if r.config {
		return r.showConfig(cmd.OutOrStdout(), conf)
	}
	info, err := describe(m, parsed, conf)
	if err != nil {
		return err
	}
	if l.Transport == ref.Docker {
		info.Name = l.Name.Repository().String()
		if client, ok := transport.RegistryOf(src); ok && !r.noTags {
			if info.RepoTags, err = listTags(cmd, client); err != nil {
				return fmt.Errorf("Error determining repository tags: %w", err)
			}
		}
	}
	return r.show(cmd.OutOrStdout(), *info)
}

// show prints in the format that was asked for. A table of one line has no
// heading.
func (r *inspectRequest) show(w io.Writer, v any) error {
	if r.format != "" {
		return cliout.Template(w, "skopeo inspect", strings.TrimPrefix(r.format, "table "), v)
	}
	return cliout.JSON(w, v)
}

// listTags lists the tags beside the image; a registry that does not let one
// list them has none to show.
func listTags(cmd *cobra.Command, client *registry.Client) ([]string, error) {
	tags, err := client.Tags(cmd.Context())
	if err != nil && isDenied(err) {
		cliout.Warn(cmd.ErrOrStderr(), "Registry disallows tag list retrieval; skipping")
		return []string{}, nil
	}
	return tags, err
}

func (r *inspectRequest) showConfig(w io.Writer, conf []byte) error {
	if r.raw {
		_, err := w.Write(conf)
		return err
	}
	var c ocispec.Image
	if err := json.Unmarshal(conf, &c); err != nil {
		return fmt.Errorf("Error parsing OCI-formatted configuration data: %w", err)
	}
	return r.show(w, c)
}

func describe(m transport.Manifest, parsed *v1.Manifest, conf []byte) (*imageInfo, error) {
	var c struct {
		Created       *time.Time `json:"created"`
		DockerVersion string     `json:"docker_version"`
		Architecture  string     `json:"architecture"`
		Variant       string     `json:"variant"`
		OS            string     `json:"os"`
		Config        struct {
			Labels map[string]string `json:"Labels"`
			Env    []string          `json:"Env"`
		} `json:"config"`
	}
	if err := json.Unmarshal(conf, &c); err != nil {
		return nil, fmt.Errorf("Error parsing the image's configuration: %w", err)
	}
	info := &imageInfo{
		Digest: m.Digest, RepoTags: []string{}, Created: c.Created, DockerVersion: c.DockerVersion, Labels: c.Config.Labels,
		Architecture: c.Architecture, Variant: c.Variant, Os: c.OS, Env: c.Config.Env, Layers: []string{}, LayersData: []layerInfo{},
	}
	for _, l := range parsed.Layers {
		info.Layers = append(info.Layers, l.Digest.String())
		info.LayersData = append(info.LayersData, layerInfo{l.MediaType, transport.Digest(l), l.Size, l.Annotations})
	}
	return info, nil
}
