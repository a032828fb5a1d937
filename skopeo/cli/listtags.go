package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
)

// tagList is what list-tags prints.
type tagList struct {
	Repository string `json:"Repository,omitempty"`
	Tags       []string
}

func newListTags(g *global) *cobra.Command {
	var flags registryFlags
	var retry retryFlags
	cmd := &cobra.Command{
		Use:   "list-tags [command options] SOURCE-IMAGE",
		Short: "List tags in the transport/repository specified by the SOURCE-IMAGE",
		Long: `Return the list of tags from the transport/repository "SOURCE-IMAGE"

Supported transports:
docker

See skopeo-list-tags(1) section "REPOSITORY NAMES" for the expected format`,
		Example: "skopeo list-tags docker://registry.example.com/app",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cliout.UsageError(cmd, invalid("Exactly one non-option argument expected"))
			}
			name, err := repository(args[0])
			if err != nil {
				return err
			}
			o, err := flags.options(g, retry, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			client, err := registry.Open(g.cfg, name, o.Registry)
			if err != nil {
				return err
			}
			defer client.Close()
			tags, err := client.Tags(cmd.Context())
			if err != nil {
				return fmt.Errorf("Error listing repository tags: %w", err)
			}
			if tags == nil {
				tags = []string{}
			}
			return cliout.JSON(cmd.OutOrStdout(), tagList{name.String(), tags})
		},
		DisableFlagsInUseLine: true,
	}
	flags.add(cmd, "")
	retry.add(cmd.Flags())
	return cmd
}

// repository reads the name of a repository in a registry.
func repository(arg string) (ref.Name, error) {
	if !ref.HasTransport(arg) {
		return ref.Name{}, invalid("Invalid %q: does not specify a transport", arg)
	}
	l, err := ref.ParseTransport(arg)
	if err != nil {
		return ref.Name{}, err
	}
	if l.Transport != ref.Docker {
		return ref.Name{}, invalid("Unsupported transport '%s' for tag listing. Only supported: docker", l.Transport)
	}
	bare, err := ref.ParseNormalized(arg[len("docker://"):])
	if err != nil {
		return ref.Name{}, err
	}
	if bare.Tag != "" || bare.Digest != "" {
		return ref.Name{}, invalid("No tag or digest allowed in reference")
	}
	return bare, nil
}
