package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
)

func newInspect(a *app) *cobra.Command {
	format, kind := "", ""
	cmd := &cobra.Command{
		Use:     "inspect CONTAINER|IMAGE",
		Short:   "Inspect the configuration of a container or image",
		Long:    "Inspects a build container's or built image's configuration.",
		Example: "buildah inspect containerID\nbuildah inspect --type image imageID\nbuildah inspect --format '{{.OCIv1.Config.Env}}' alpine",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errdef.Newf(errdef.ErrInvalid, "container or image name must be specified")
			case len(args) > 1:
				return errdef.Newf(errdef.ErrInvalid, "too many arguments specified")
			}
			return runInspect(cmd, a, args[0], kind, format)
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", os.Getenv("BUILDAH_FORMAT"), "use `format` as a Go template to format the output")
	cmd.Flags().StringVarP(&kind, "type", "t", "container", "look at the item of the specified `type` (container or image) and name")
	return cmd
}

func runInspect(cmd *cobra.Command, a *app, name, kind, format string) error {
	st, cfg, err := a.open()
	if err != nil {
		return err
	}
	defer st.Close()
	var result build.Inspection
	switch kind {
	case "container":
		result, err = build.Inspect(st, name)
		if err == nil || cmd.Flags().Changed("type") || !errors.Is(err, errdef.ErrNotFound) {
			break
		}
		fallthrough
	case "image":
		image, lookErr := imgcopy.ResolveLocal(st, cfg, name)
		if lookErr != nil {
			return fmt.Errorf("importing settings: %w", lookErr)
		}
		result, err = build.InspectImage(build.WorkRequest{Store: st, Config: cfg}, image)
	default:
		return errdef.Newf(errdef.ErrInvalid, "the only recognized types are \"container\" and \"image\"")
	}
	if err != nil {
		return err
	}
	if format != "" {
		return cliout.Template(cmd.OutOrStdout(), "inspect", format, result)
	}
	return cliout.JSON(cmd.OutOrStdout(), result)
}
