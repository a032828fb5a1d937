package container

import (
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/spf13/cobra"
)

// NewDiff is `podman diff`.
func NewDiff(a *app.App) *cobra.Command {
	var pick choose
	var format string
	cmd := &cobra.Command{
		Use:     "diff [options] {CONTAINER|IMAGE} [{CONTAINER|IMAGE}]",
		Short:   "Display the changes to the object's file system",
		Long:    "Lists what a container has changed (C), added (A) and deleted (D) in its image, or what an image's last layer did. With two the second is what the first is compared with.",
		Args:    cobra.MaximumNArgs(2),
		Example: "  podman diff web\n  podman diff --format json web\n  podman diff localhost/new localhost/old",
	}
	cmd.Flags().StringVar(&format, "format", "", "Change the output format (json)")
	pick.bindLatest(cmd)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if err := app.CheckChangesFormat(format); err != nil {
			return err
		}
		name, rest, err := pick.one(e, args, fmt.Sprintf("%q requires a name, id, or the \"--latest\" flag", cmd.CommandPath()))
		if err != nil {
			return err
		}
		all, err := e.Diff(name, append(rest, "")[0])
		if err != nil {
			return err
		}
		return app.PrintChanges(cmd, all, format)
	})
	return cmd
}
