package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
)

// tagList is what list-tags prints.
type tagList struct {
	Repository string `json:"Repository,omitempty"`
	Tags       []string
}

func newListTags(g *global) *cobra.Command {
	var flags place
	var retry cliflag.Retry
	cmd := &cobra.Command{
		Use:   "list-tags [command options] SOURCE-IMAGE",
		Short: "List tags in the transport/repository specified by the SOURCE-IMAGE",
		Long: `Return the list of tags from the transport/repository "SOURCE-IMAGE"

Supported transports:
docker docker-archive

See skopeo-list-tags(1) section "REPOSITORY NAMES" for the expected format`,
		Example: "skopeo list-tags docker://registry.example.com/app",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cliout.UsageError(cmd, invalid("Exactly one non-option argument expected"))
			}
			o, err := flags.options(g, retry, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			list, err := tagsOf(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			return cliout.JSON(cmd.OutOrStdout(), list)
		},
		DisableFlagsInUseLine: true,
	}
	flags.bind(cmd, "")
	retry.BindTimes(cmd.Flags())
	return cmd
}

// tagsOf lists the tags of a repository or the names in an archive.
func tagsOf(ctx context.Context, arg string, o transport.Options) (tagList, error) {
	if !ref.HasTransport(arg) {
		return tagList{}, invalid("Invalid %q: does not specify a transport", arg)
	}
	l, err := ref.ParseTransport(arg)
	if err != nil {
		return tagList{}, err
	}
	switch l.Transport {
	case ref.DockerArchive:
		list := tagList{Tags: []string{}}
		images, err := transport.ArchiveTags(l, o)
		for _, names := range images {
			list.Tags = append(list.Tags, names...)
		}
		return list, err
	case ref.Docker:
		return repositoryTags(ctx, arg, o)
	}
	return tagList{}, invalid("Unsupported transport '%s' for tag listing. Only supported: docker, docker-archive", l.Transport)
}

func repositoryTags(ctx context.Context, arg string, o transport.Options) (tagList, error) {
	name, err := ref.ParseNormalized(strings.TrimPrefix(arg, "docker://"))
	if err != nil {
		return tagList{}, err
	}
	if name.Tag != "" || name.Digest != "" {
		return tagList{}, invalid("No tag or digest allowed in reference")
	}
	client, err := registry.Open(o.Config, name, o.Registry)
	if err != nil {
		return tagList{}, err
	}
	defer client.Close()
	tags, err := client.Tags(ctx)
	if err != nil {
		return tagList{}, fmt.Errorf("Error listing repository tags: %w", err)
	}
	if tags == nil {
		tags = []string{}
	}
	return tagList{name.String(), tags}, nil
}
