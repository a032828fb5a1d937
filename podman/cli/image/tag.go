package image

import (
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewTag is `podman tag`.
func NewTag(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "tag IMAGE TARGET_NAME [TARGET_NAME...]",
		Short:   "Add an additional name to a local image",
		Long:    "Adds one or more additional names to locally-stored image.",
		Args:    atLeast(2),
		Example: "  podman tag 0e3bbc2 fedora:latest\n  podman tag imageID:latest myNewImage:newTag\n  podman tag httpd myregistryhost:5000/fedora/httpd:v2",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, args []string) error {
			return e.TagImage(args[0], args[1:])
		}),
	}
}

// NewUntag is `podman untag`.
func NewUntag(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "untag IMAGE [NAME...]",
		Short:   "Remove a name from a local image",
		Long:    "Removes one or more names from a locally-stored image, all of them if none is given.",
		Args:    atLeast(1),
		Example: "  podman untag 0e3bbc2\n  podman untag imageID:latest otherImageName:latest\n  podman untag httpd myregistryhost:5000/fedora/httpd:v2",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, args []string) error {
			return e.UntagImage(args[0], args[1:])
		}),
	}
}

// NewExists is `podman image exists`.
func NewExists(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "exists IMAGE",
		Short:   "Check if an image exists in local storage",
		Long:    "If the named image exists in local storage, podman image exists exits with 0, otherwise the exit code will be 1.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman image exists ID\n  podman image exists IMAGE && podman pull IMAGE",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, args []string) error {
			found, err := e.ImageExists(args[0])
			if err == nil && !found {
				err = &errdef.Exit{Code: 1}
			}
			return err
		}),
	}
}
