package volume

import (
	"errors"
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewVolume is `podman volume`.
func NewVolume(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "volume",
		Short: "Manage volumes",
		Long:  "Volumes are created in and can be shared between containers",
	}
	for _, add := range []func(*app.App) *cobra.Command{newCreate, newExists, newExport, newImport, newInspect, newList, newMount, newPrune, newReload, newRemove, newUnmount} {
		cmd.AddCommand(add(a))
	}
	return cmd
}

func newCreate(a *app.App) *cobra.Command {
	var req engine.CreateVolumeRequest
	cmd := &cobra.Command{
		Use:     "create [options] [NAME]",
		Short:   "Create a new volume",
		Long:    "The volume will be created on the host in the volumes directory under container storage. Without a name it gets a random one.",
		Args:    cobra.MaximumNArgs(1),
		Example: "  podman volume create myvol\n  podman volume create\n  podman volume create --label foo=bar myvol",
	}
	cmd.Flags().StringVarP(&req.Driver, "driver", "d", "local", "Specify volume driver name")
	cmd.Flags().BoolVar(&req.Ignore, "ignore", false, "Don't fail if volume already exists")
	cmd.Flags().StringArrayVarP(&req.Labels, "label", "l", nil, "Set metadata for a volume")
	cmd.Flags().StringArrayVarP(&req.Opts, "opt", "o", nil, "Set driver specific options")
	var uid, gid int64
	cmd.Flags().Int64Var(&uid, "uid", 0, "Set the UID of the volume owner")
	cmd.Flags().Int64Var(&gid, "gid", 0, "Set the GID of the volume owner")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		for _, id := range []struct {
			flag  string
			value *int64
			to    **int64
		}{{"uid", &uid, &req.UID}, {"gid", &gid, &req.GID}} {
			if cmd.Flags().Changed(id.flag) {
				if *id.value < 0 {
					return errdef.Newf(errdef.ErrInvalid, "invalid --%s %d: it must not be negative", id.flag, *id.value)
				}
				*id.to = id.value
			}
		}
		req.Name = append(args, "")[0]
		v, err := e.CreateVolume(req)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), v.Name)
		return nil
	})
	return cmd
}

func newExists(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "exists VOLUME",
		Short:   "Check if volume exists",
		Long:    "If the given volume exists, podman volume exists exits with 0, otherwise the exit code will be 1.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman volume exists myvol",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, args []string) error {
			_, err := e.LookupVolume(args[0])
			if errors.Is(err, errdef.ErrNotFound) {
				return &errdef.Exit{Code: 1}
			}
			return err
		}),
	}
}

func newInspect(a *app.App) *cobra.Command {
	var all bool
	var format string
	cmd := &cobra.Command{
		Use:     "inspect [options] VOLUME [VOLUME...]",
		Short:   "Display detailed information on one or more volumes",
		Long:    "Display detailed information on one or more volumes.\n\n  Use a Go template to change the format from JSON.",
		Example: "  podman volume inspect myvol\n  podman volume inspect --all\n  podman volume inspect --format \"{{.Driver}} {{.Scope}}\" myvol",
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Inspect all volumes")
	cmd.Flags().StringVarP(&format, "format", "f", "json", "Format volume output using Go template")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if all == (len(args) > 0) {
			return errdef.Newf(errdef.ErrInvalid, "provide one or more volume names or use --all")
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		volumes := []engine.Volume{}
		var errs []error
		if all {
			if volumes, err = e.ListVolumes(nil); err != nil {
				return err
			}
		}
		for _, name := range args {
			v, err := e.InspectVolume(name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			volumes = append(volumes, v)
		}
		out := cmd.OutOrStdout()
		if format == "json" || format == "" {
			if err := cliout.JSON(out, volumes, cliout.IndentInspect); err != nil {
				return err
			}
			return say.Errors(errs)
		}
		for _, v := range volumes {
			if err := cliout.Template(out, "volume inspect", format, v); err != nil {
				return err
			}
		}
		return say.Errors(errs)
	}
	return cmd
}

func newList(a *app.App) *cobra.Command {
	var filters []string
	var format string
	var noHeading, quiet bool
	cmd := &cobra.Command{
		Use:     "ls [options]",
		Aliases: []string{"list"},
		Short:   "List volumes",
		Long:    "List all available volumes. The output of the volumes can be filtered and the output format can be changed to JSON or a user specified Go template.",
		Args:    cobra.NoArgs,
		Example: "  podman volume ls\n  podman volume ls --filter label=project --quiet",
	}
	cmd.Flags().StringArrayVarP(&filters, "filter", "f", nil, "Filter volume output")
	cmd.Flags().StringVar(&format, "format", "", "Format volume output using Go template")
	cmd.Flags().BoolVarP(&noHeading, "noheading", "n", false, "Do not print headers")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Print volume output in quiet mode")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if quiet && format != "" {
			return errdef.Newf(errdef.ErrInvalid, "quiet and format flags cannot be used together")
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		volumes, err := e.ListVolumes(filters)
		if err != nil {
			return err
		}
		if quiet {
			format = "{{.Name}}"
		}
		return cliout.Rows(cmd.OutOrStdout(), format, "table {{.Driver}}\t{{.Name}}", map[string]string{"Name": "VOLUME NAME"}, volumes,
			cliout.RowsOptions{NoHeading: noHeading, Name: "list"})
	}
	return cmd
}

func newRemove(a *app.App) *cobra.Command {
	var req engine.RemoveVolumesRequest
	var timeout uint
	cmd := &cobra.Command{
		Use:     "rm [options] VOLUME [VOLUME...]",
		Aliases: []string{"remove"},
		Short:   "Remove one or more volumes",
		Long:    "Remove one or more existing volumes.\n\n  By default only volumes that are not being used by any containers will be removed. To remove the volumes anyways, use the --force flag.",
		Example: "  podman volume rm myvol1 myvol2\n  podman volume rm --all\n  podman volume rm --force myvol",
	}
	cmd.Flags().BoolVarP(&req.All, "all", "a", false, "Remove all volumes")
	cmd.Flags().BoolVarP(&req.Force, "force", "f", false, "Remove a volume by force, even if it is being used by a container")
	cmd.Flags().UintVarP(&timeout, "time", "t", 10, "Seconds to wait for running containers to stop before killing the container")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if req.All == (len(args) > 0) {
			return errdef.Newf(errdef.ErrInvalid, "choose either one or more volumes or all")
		}
		if cmd.Flags().Changed("time") {
			if !req.Force {
				return errdef.Newf(errdef.ErrInvalid, "--force option must be specified to use the --time option")
			}
			req.Timeout = &timeout
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		req.Names = args
		removed, errs := e.RemoveVolumes(cmd.Context(), req)
		for _, name := range removed {
			fmt.Fprintln(cmd.OutOrStdout(), name)
		}
		return say.RemoveStatus(errs)
	}
	return cmd
}

func newPrune(a *app.App) *cobra.Command {
	var filters []string
	var force bool
	cmd := &cobra.Command{
		Use:     "prune [options]",
		Short:   "Remove all unused volumes",
		Long:    "Volumes that are not currently owned by a container will be removed.\n\n  The command prompts for confirmation which can be overridden with the --force flag.\n  Note all data will be destroyed.",
		Args:    cobra.NoArgs,
		Example: "  podman volume prune --force\n  podman volume prune --filter label=project",
	}
	cmd.Flags().StringArrayVar(&filters, "filter", nil, "Provide filter values (e.g. 'label=<key>=<value>')")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error {
		filters = append(filters, "dangling=true")
		unused, err := e.ListVolumes(filters)
		if err != nil || len(unused) == 0 {
			return err
		}
		names := make([]string, len(unused))
		warning := "WARNING! This will remove all volumes not used by at least one container. The following volumes will be removed:"
		for i, v := range unused {
			names[i] = v.Name
			warning += "\n" + v.Name
		}
		if !force {
			if yes, err := say.Confirm(cmd.InOrStdin(), cmd.OutOrStdout(), warning); !yes || err != nil {
				return err
			}
		}
		removed, errs := e.RemoveVolumes(cmd.Context(), engine.RemoveVolumesRequest{Names: names, Unused: true})
		for _, name := range removed {
			fmt.Fprintln(cmd.OutOrStdout(), name)
		}
		return say.Errors(errs)
	})
	return cmd
}
