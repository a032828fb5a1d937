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
	var pick choose
	var size bool
	cmd := &cobra.Command{
		Use:     "inspect [options] CONTAINER [CONTAINER...]",
		Short:   "Display the configuration of a container",
		Long:    "Displays the low-level information on a container identified by name or ID.",
		Example: "  podman container inspect web\n  podman container inspect --format '{{.State.Status}}' web",
	}
	cmd.Flags().StringVarP(&format, "format", "f", "json", "Format the output to a Go template or json")
	cmd.Flags().BoolVarP(&size, "size", "s", false, "Display total file size")
	pick.bindLatest(cmd)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, nil)
		if err != nil {
			return err
		}
		return app.PrintObjects(cmd, names, format, func(name string) (any, error) {
			info, err := inspectContainer(e, name, size)
			if errors.Is(err, errdef.ErrNotFound) {
				return nil, errdef.Newf(errdef.ErrNotFound, "no such container %q", name)
			}
			return info, err
		})
	})
	return cmd
}

func inspectContainer(e *engine.Engine, name string, size bool) (any, error) {
	info, err := e.Inspect(name)
	if err == nil && size {
		err = e.AddSize(info)
	}
	return app.Found(info, err)
}

// NewInspectAny is `podman inspect`: containers first, then images,
// volumes and pods.
func NewInspectAny(a *app.App) *cobra.Command {
	var format, kind string
	var pick choose
	var size bool
	cmd := &cobra.Command{
		Use:     "inspect [options] {ARTIFACT|CONTAINER|IMAGE|POD|NETWORK|VOLUME} [...]",
		Short:   "Display the configuration of object denoted by ID",
		Long:    "Displays the low-level information on an object identified by name or ID. Containers are looked for first, then images, volumes, networks and pods.",
		Example: "  podman inspect web\n  podman inspect --type image --format '{{.Id}}' localhost/web",
	}
	cmd.Flags().StringVarP(&format, "format", "f", "json", "Format the output to a Go template or json")
	cmd.Flags().StringVarP(&kind, "type", "t", "all", `Specify inspect-object type ("image"|"container"|"volume"|"network"|"pod"|"all")`)
	cmd.Flags().BoolVarP(&size, "size", "s", false, "Display total file size")
	pick.bindLatest(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 && !pick.latest {
			return errdef.Newf(errdef.ErrInvalid, "no names or ids specified")
		}
		if size && kind != "all" && kind != "container" {
			return errdef.Newf(errdef.ErrInvalid, "size is not supported for type %q", kind)
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		names, err := pick.names(e, args, nil)
		if err != nil {
			return err
		}
		lookups, err := lookupsOf(e, kind, size)
		if err != nil {
			return err
		}
		return app.PrintObjects(cmd, names, format, func(name string) (any, error) {
			for _, lookup := range lookups {
				object, err := lookup(name)
				if err == nil || !errors.Is(err, errdef.ErrNotFound) {
					return object, err
				}
			}
			return nil, errdef.Newf(errdef.ErrNotFound, "no such object: %q", name)
		})
	}
	return cmd
}

// lookupsOf lists the ways to find an object of the kind.
func lookupsOf(e *engine.Engine, kind string, size bool) ([]func(string) (any, error), error) {
	lookups := []struct {
		kind string
		find func(string) (any, error)
	}{
		{"container", func(name string) (any, error) { return inspectContainer(e, name, size) }},
		{"image", func(name string) (any, error) { return e.InspectImage(name) }},
		{"volume", func(name string) (any, error) { return e.InspectVolume(name) }},
		{"network", func(name string) (any, error) { return e.InspectNetwork(name) }},
		{"pod", func(name string) (any, error) { return app.Found(e.InspectPod(name)) }},
	}
	var list []func(string) (any, error)
	for _, l := range lookups {
		if kind == l.kind || kind == "all" {
			list = append(list, l.find)
		}
	}
	if list == nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid type %q: must be \"image\", \"container\", \"volume\", \"network\", \"pod\" or \"all\"", kind)
	}
	return list, nil
}

// NewPort is `podman port`.
func NewPort(a *app.App) *cobra.Command {
	var pick choose
	cmd := &cobra.Command{
		Use:     "port [options] CONTAINER [PORT]",
		Short:   "List port mappings or a specific mapping for the container",
		Long:    "Lists the port mappings of the container, or where one of its ports, PORT[/PROTOCOL], is published.",
		Args:    cobra.MaximumNArgs(2),
		Example: "  podman port web\n  podman port web 80/tcp\n  podman port --all",
	}
	pick.bind(cmd)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if pick.all {
			return portAll(cmd, e, &pick, args)
		}
		name, rest, err := pick.one(e, args, "you must supply a running container name or id")
		if err != nil {
			return err
		}
		return printPorts(cmd, e, name, rest)
	})
	return cmd
}

// portAll lists the ports of all running containers, each behind its ID.
func portAll(cmd *cobra.Command, e *engine.Engine, pick *choose, args []string) error {
	names, err := pick.names(e, args, func(c *engine.Container) bool { return c.State == engine.Running })
	if err != nil {
		return err
	}
	for _, name := range names {
		ports, err := e.Ports(name)
		if errors.Is(err, errdef.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		for _, p := range ports {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s -> %s\n", shorten(name, 12, false), p.Container, p.Host)
		}
	}
	return nil
}

// printPorts lists a container's ports, or where the one is published.
func printPorts(cmd *cobra.Command, e *engine.Engine, name string, wanted []string) error {
	if len(wanted) > 1 {
		return errdef.Newf(errdef.ErrInvalid, "only one port can be asked for")
	}
	ports, err := e.Ports(name)
	if err != nil {
		return err
	}
	found := len(wanted) == 0
	for _, p := range ports {
		switch {
		case len(wanted) == 0:
			fmt.Fprintf(cmd.OutOrStdout(), "%s -> %s\n", p.Container, p.Host)
		case wanted[0] == p.Container || wanted[0]+"/tcp" == p.Container:
			found = true
			fmt.Fprintln(cmd.OutOrStdout(), p.Host)
		}
	}
	if !found {
		return errdef.Newf(errdef.ErrNotFound, "failed to find published port %q", wanted[0])
	}
	return nil
}
