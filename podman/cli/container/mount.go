package container

import (
	"errors"
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// mountedJSON is an element of `mount --format json`.
type mountedJSON struct {
	ID         string   `json:"id"`
	Names      []string `json:"Names"`
	Mountpoint string   `json:"mountpoint"`
}

// NewMount is `podman mount`.
func NewMount(a *app.App) *cobra.Command {
	pick := choose{optional: true}
	var format string
	var noTrunc bool
	cmd := &cobra.Command{
		Use:     "mount [options] [CONTAINER...]",
		Short:   "Mount a working container's root filesystem",
		Long:    "Mounts the root file systems of containers in a place that the host can reach, and prints where. Without containers it lists those that are mounted.",
		Example: "  podman mount web\n  podman mount\n  podman mount --all",
	}
	pick.bind(cmd)
	cmd.Flags().StringVar(&format, "format", "", "Print the mounted containers in specified format (json)")
	cmd.Flags().BoolVar(&noTrunc, "no-trunc", false, "Do not truncate output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if format != "" && format != "json" {
			return errdef.Newf(errdef.ErrInvalid, "unknown --format argument: %q", format)
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
		if len(args) == 0 && !pick.all && !pick.latest {
			return listMounted(cmd, e, format, noTrunc)
		}
		var errs []error
		for _, name := range names {
			path, err := e.Mount(name)
			switch {
			case err != nil:
				errs = append(errs, err)
			case len(names) > 1 && !pick.all:
				fmt.Fprintf(cmd.OutOrStdout(), "%-13s %s\n", name, path)
			default:
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
		}
		return errors.Join(errs...)
	}
	return cmd
}

func listMounted(cmd *cobra.Command, e *engine.Engine, format string, noTrunc bool) error {
	list, err := e.MountedContainers()
	if err != nil {
		return err
	}
	if format == "json" {
		all := make([]mountedJSON, len(list))
		for i, m := range list {
			all[i] = mountedJSON{m.ID, []string{m.Name}, m.Path}
		}
		return cliout.JSON(cmd.OutOrStdout(), all, 1)
	}
	lines := make([][]string, len(list))
	for i, m := range list {
		lines[i] = []string{shorten(m.ID, 12, noTrunc), m.Path}
	}
	return cliout.Columns(cmd.OutOrStdout(), lines)
}

// NewUnmount is `podman unmount`.
func NewUnmount(a *app.App) *cobra.Command {
	var pick choose
	var force bool
	cmd := &cobra.Command{
		Use:     "unmount [options] CONTAINER [CONTAINER...]",
		Aliases: []string{"umount"},
		Short:   "Unmount working container's root filesystem",
		Long:    "Takes back mounts of containers' root file systems. What a running container needs stays.",
		Example: "  podman unmount web\n  podman unmount --all",
	}
	pick.bind(cmd)
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Force the complete unmount of all of the currently mounted containers")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, func(c *engine.Container) bool {
			at, err := e.Store.MountPoint(c.ID)
			return err == nil && at != ""
		})
		if err != nil {
			return err
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error { return e.Unmount(name, force) })
	})
	return cmd
}
