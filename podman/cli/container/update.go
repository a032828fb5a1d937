package container

import (
	"fmt"
	"io"
	"strings"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewUpdate is `podman update`.
func NewUpdate(a *app.App) *cobra.Command {
	var pick choose
	var req engine.UpdateRequest
	cmd := &cobra.Command{
		Use:   "update [options] CONTAINER",
		Short: "Update an existing container",
		Long: `Changes a container that is there. Limits and labels change at once; environment, user limits, published ports and mounts
  from its next start on. It keeps its name, ID and files.`,
		Example: "  podman update --cpus 2 --memory 1g web\n  podman update --env LEVEL=debug --pids-limit 100 web\n  podman update --publish-rm 80 --publish 8081:80 --volume data:/data web && podman restart web",
	}
	pick.bindLatest(cmd)
	bindResources(cmd, &req.Resources)
	bindHealth(cmd, &req.Health)
	cmd.Flags().StringArrayVarP(&req.Env, "env", "e", nil, "Set environment variables in container")
	cmd.Flags().StringArrayVar(&req.UnsetEnv, "unsetenv", nil, "Unset environment default variables in container")
	cmd.Flags().StringArrayVar(&req.Labels, "label", nil, "Set metadata on container")
	cmd.Flags().StringArrayVar(&req.Unlabel, "unsetlabel", nil, "Remove the label of this name")
	cmd.Flags().StringSliceVarP(&req.Publish, "publish", "p", nil, "Publish a container's port, or a range of ports, to the host")
	cmd.Flags().StringSliceVar(&req.Unpublish, "publish-rm", nil, "Publish a port no longer: the container's (80/tcp), or also the host's ([[IP:]8080:]80)")
	cmd.Flags().StringArrayVarP(&req.Volumes, "volume", "v", nil, "Bind mount a volume into the container, in the place of what is mounted there")
	cmd.Flags().StringArrayVar(&req.Mounts, "mount", nil, "Attach a filesystem mount to the container, in the place of what is mounted there")
	cmd.Flags().StringArrayVar(&req.Unmount, "mount-rm", nil, "Mount nothing any longer at this destination")
	cmd.Flags().StringVar(&req.Restart, "restart", "", `Restart policy to apply when a container exits ("always"|"no"|"never"|"on-failure"|"unless-stopped")`)
	cmd.Flags().StringSliceVar(&req.Ulimits, "ulimit", nil, "Ulimit options")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		name, rest, err := pick.one(e, args, "update requires the name or ID of a container or the --latest flag")
		if err != nil {
			return err
		}
		if len(rest) > 0 {
			return errdef.Newf(errdef.ErrInvalid, "update takes one container: %s is too much", strings.Join(rest, " "))
		}
		req.Resources.PidsLimitSet = cmd.Flags().Changed("pids-limit")
		id, later, err := e.Update(cmd.Context(), name, req)
		if err != nil {
			return err
		}
		if later {
			fmt.Fprintf(cmd.ErrOrStderr(), "Container %s runs: its ports and mounts change when it is started next (podman restart %s)\n", name, name)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
		return err
	})
	return cmd
}

// NewClone is `podman container clone`.
func NewClone(a *app.App) *cobra.Command {
	var req engine.CloneRequest
	cmd := &cobra.Command{
		Use:     "clone [options] CONTAINER [NAME] [IMAGE]",
		Short:   "Clone an existing container",
		Long:    "Makes a container with the configuration of another, with limits and an image of its own where they are given.",
		Args:    cobra.RangeArgs(1, 3),
		Example: "  podman container clone web\n  podman container clone --run web web2\n  podman container clone --destroy --force web web localhost/new",
	}
	fl := cmd.Flags()
	fl.BoolVar(&req.Destroy, "destroy", false, "destroy the original container")
	fl.BoolVarP(&req.Force, "force", "f", false, "force the existing container to be destroyed")
	fl.BoolVar(&req.Run, "run", false, "run the new container")
	fl.StringVar(&req.Name, "name", "", "Assign a name to the container")
	fl.StringVar(&req.Pod, "pod", "", "Create the clone in an existing pod, with the namespaces that it shares")
	bindResources(cmd, &req.Resources)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if req.Force && !req.Destroy {
			return errdef.Newf(errdef.ErrInvalid, "cannot set --force without --destroy")
		}
		req.Source = args[0]
		if len(args) > 1 {
			if req.Name != "" {
				return errdef.Newf(errdef.ErrInvalid, "the new name is given twice: %q and --name %q", args[1], req.Name)
			}
			req.Name = args[1]
		}
		if len(args) > 2 {
			req.Image = args[2]
		}
		c, err := e.Clone(cmd.Context(), req)
		if c != nil {
			fmt.Fprintln(cmd.OutOrStdout(), c.ID)
		}
		return err
	})
	return cmd
}

// NewPrune is `podman container prune`.
func NewPrune(a *app.App) *cobra.Command {
	var filters []string
	var force bool
	cmd := &cobra.Command{
		Use:     "prune [options]",
		Short:   "Remove all non running containers",
		Long:    "Removes all containers that don't run.\n\n  The command prompts for confirmation which can be overridden with the --force flag.",
		Args:    cobra.NoArgs,
		Example: "  podman container prune --force\n  podman container prune --filter until=24h",
	}
	cmd.Flags().StringArrayVar(&filters, "filter", nil, "Provide filter values (e.g. 'label=<key>=<value>')")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation.  The default is false")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error {
		if !force {
			yes, err := say.Confirm(cmd.InOrStdin(), cmd.OutOrStdout(), "WARNING! This will remove all non running containers.")
			if !yes || err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
		removed, errs := e.PruneContainers(cmd.Context(), filters)
		for _, r := range removed {
			fmt.Fprintln(cmd.OutOrStdout(), r.ID)
		}
		return say.Errors(errs)
	})
	return cmd
}
