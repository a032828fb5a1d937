package image

import (
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
)

// NewInspect is `podman image inspect`.
func NewInspect(a *app.App) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "inspect [options] IMAGE [IMAGE...]",
		Short:   "Display the configuration of an image",
		Long:    "Displays the low-level information of an image identified by name or ID.",
		Args:    atLeast(1),
		Example: "  podman image inspect alpine\n  podman image inspect --format \"imageId: {{.Id}} size: {{.Size}}\" alpine",
	}
	cmd.Flags().StringVarP(&format, "format", "f", "json", "Format the output to a Go template or json")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		objects := []any{}
		var errs []error
		for _, name := range args {
			info, err := e.InspectImage(name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			objects = append(objects, info)
		}
		out := cmd.OutOrStdout()
		if format == "json" || format == "" {
			if err := cliout.JSON(out, objects, cliout.IndentInspect); err != nil {
				return err
			}
			return say.Errors(errs)
		}
		for _, object := range objects {
			if err := cliout.Template(out, "inspect", format, object); err != nil {
				return err
			}
		}
		return say.Errors(errs)
	})
	return cmd
}
