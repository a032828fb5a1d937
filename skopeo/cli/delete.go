package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
)

func newDelete(g *global) *cobra.Command {
	var flags place
	var retry cliflag.Retry
	cmd := &cobra.Command{
		Use:   "delete [command options] IMAGE-NAME",
		Short: "Delete image IMAGE-NAME",
		Long: `Delete an "IMAGE_NAME" from a transport

Supported transports:
containers-storage, docker, oci

A registry forgets every tag of the image; it may free the space later. An OCI
layout loses the blobs that none of its other images has, unless they lie in a
shared directory.`,
		Example: "skopeo delete docker://registry.example.com/app:v1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return invalid("Usage: delete imageReference")
			}
			l, err := ref.ParseTransport(args[0])
			if err != nil {
				return fmt.Errorf("Invalid source name %s: %w", args[0], err)
			}
			o, err := flags.options(g, retry, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := enter(l); err != nil {
				return err
			}
			return missing(deleteImage(cmd, l, o), l)
		},
		DisableFlagsInUseLine: true,
	}
	flags.bind(cmd, "")
	flags.bindOthers(cmd, "")
	retry.BindTimes(cmd.Flags())
	return cmd
}

func deleteImage(cmd *cobra.Command, l ref.Location, o transport.Options) error {
	switch l.Transport {
	case ref.Docker:
		client, err := registry.Open(o.Config, l.Name, o.Registry)
		if err != nil {
			return err
		}
		defer client.Close()
		return client.DeleteManifest(cmd.Context(), l.Name.Identifier())
	case ref.ContainersStorage:
		return transport.DeleteStored(l, o)
	case ref.OCI:
		return transport.DeleteLayout(l, o)
	}
	return invalid("Deleting images not implemented for %s: images%s", l.Transport, otherWay(l))
}

// otherWay is how to be rid of an image that cannot be deleted here.
func otherWay(l ref.Location) string {
	switch l.Transport {
	case ref.Dir:
		return fmt.Sprintf(" (the directory is the image: remove %q)", l.Path)
	case ref.OCIArchive, ref.DockerArchive, ref.Tarball:
		return fmt.Sprintf(" (archives are not changed: remove %q)", l.Path)
	case ref.DockerDaemon:
		return " (docker rmi does it)"
	}
	return ""
}
