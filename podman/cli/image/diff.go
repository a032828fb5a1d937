package image

import (
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/spf13/cobra"
)

// NewDiff is `podman image diff`.
func NewDiff(a *app.App) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "diff [options] IMAGE [IMAGE]",
		Short:   "Inspect changes to the image's file systems",
		Long:    "Displays changes to the image's file system. The image is compared to its parent layer or the second argument when given.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  podman image diff myImage\n  podman image diff --format json redis:alpine",
	}
	cmd.Flags().StringVar(&format, "format", "", "Change the output format (json)")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if err := app.CheckChangesFormat(format); err != nil {
			return err
		}
		all, err := e.DiffImages(args[0], append(args, "")[1])
		if err != nil {
			return err
		}
		return app.PrintChanges(cmd, all, format)
	})
	return cmd
}
