package container

import (
	"errors"
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewInspect is `podman container inspect`.
func NewInspect(a *app.App) *cobra.Command {
	var format string
	var latest bool
	cmd := &cobra.Command{
		Use:     "inspect [options] CONTAINER [CONTAINER...]",
		Short:   "Display the configuration of a container",
		Long:    "Displays the low-level information on a container identified by name or ID.",
		Example: "  podman container inspect web\n  podman container inspect --format '{{.State.Status}}' web",
	}
	cmd.Flags().StringVarP(&format, "format", "f", "json", "Format the output to a Go template or json")
	cmd.Flags().BoolVarP(&latest, "latest", "l", false, "Act on the latest container podman is aware of")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := (&choose{latest: latest}).names(e, args, nil)
		if err != nil {
			return err
		}
		return app.PrintObjects(cmd, names, format, func(name string) (any, error) {
			info, err := e.Inspect(name)
			if errors.Is(err, errdef.ErrNotFound) {
				return nil, errdef.Newf(errdef.ErrNotFound, "no such container %q", name)
			}
			return app.Found(info, err)
		})
	})
	return cmd
}

// NewInspectAny is `podman inspect`: containers first, then images and
// volumes.
func NewInspectAny(a *app.App) *cobra.Command {
	var format, kind string
	cmd := &cobra.Command{
		Use:   "inspect [options] {CONTAINER|IMAGE|VOLUME} [...]",
		Short: "Display the configuration of object denoted by ID",
		Long:  "Displays the low-level information on an object identified by name or ID. Containers are looked for first, then images, then volumes.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errdef.Newf(errdef.ErrInvalid, "no names or ids specified")
			}
			return nil
		},
		Example: "  podman inspect web\n  podman inspect --type image --format '{{.Id}}' localhost/web",
	}
	cmd.Flags().StringVarP(&format, "format", "f", "json", "Format the output to a Go template or json")
	cmd.Flags().StringVarP(&kind, "type", "t", "all", `Specify inspect-object type ("image"|"container"|"volume"|"all")`)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		lookups, err := lookupsOf(e, kind)
		if err != nil {
			return err
		}
		return app.PrintObjects(cmd, args, format, func(name string) (any, error) {
			for _, lookup := range lookups {
				object, err := lookup(name)
				if err == nil || !errors.Is(err, errdef.ErrNotFound) {
					return object, err
				}
			}
			return nil, errdef.Newf(errdef.ErrNotFound, "no such object: %q", name)
		})
	})
	return cmd
}

// lookupsOf lists the ways to find an object of the kind.
func lookupsOf(e *engine.Engine, kind string) ([]func(string) (any, error), error) {
	containers := func(name string) (any, error) { return app.Found(e.Inspect(name)) }
	images := func(name string) (any, error) { return e.InspectImage(name) }
	volumes := func(name string) (any, error) { return e.Volumes().Get(name) }
	switch kind {
	case "all":
		return []func(string) (any, error){containers, images, volumes}, nil
	case "container":
		return []func(string) (any, error){containers}, nil
	case "image":
		return []func(string) (any, error){images}, nil
	case "volume":
		return []func(string) (any, error){volumes}, nil
	}
	return nil, errdef.Newf(errdef.ErrInvalid, "invalid type %q: must be \"image\", \"container\", \"volume\" or \"all\"", kind)
}

// NewPort is `podman port`.
func NewPort(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "port CONTAINER [PORT[/PROTOCOL]]",
		Short:   "List port mappings or a specific mapping for the container",
		Long:    "Lists the port mappings of the container, or where one of its ports is published.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  podman port web\n  podman port web 80/tcp",
		RunE: a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
			ports, err := e.Ports(args[0])
			if err != nil {
				return err
			}
			found := len(args) == 1
			for _, p := range ports {
				if len(args) == 2 && args[1] != p.Container && args[1]+"/tcp" != p.Container {
					continue
				}
				if found = true; len(args) == 2 {
					fmt.Fprintln(cmd.OutOrStdout(), p.Host)
				} else {
					fmt.Fprintf(cmd.OutOrStdout(), "%s -> %s\n", p.Container, p.Host)
				}
			}
			if !found {
				return errdef.Newf(errdef.ErrNotFound, "failed to find published port %q", args[1])
			}
			return nil
		}),
	}
}
