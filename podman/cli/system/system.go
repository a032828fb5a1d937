package system

import (
	"fmt"
	"io"
	"time"

	"github.com/docker/go-units"
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/spf13/cobra"
)

// NewSystem is `podman system`; info is the constructor of its info.
func NewSystem(info func(*app.App) *cobra.Command) func(*app.App) *cobra.Command {
	return func(a *app.App) *cobra.Command {
		cmd := &cobra.Command{Use: "system", Short: "Manage podman", Long: "Manage podman"}
		for _, add := range []func(*app.App) *cobra.Command{newCheck, newDf, NewEvents, info, newMigrate, newPrune, newRenumber, newReset} {
			cmd.AddCommand(add(a))
		}
		return cmd
	}
}

// confirmed asks, unless force. No answer is a no.
func confirmed(cmd *cobra.Command, force bool, warning string) (bool, error) {
	if force {
		return true, nil
	}
	yes, err := say.Confirm(cmd.InOrStdin(), cmd.OutOrStdout(), warning)
	if err == io.EOF {
		return false, nil
	}
	return yes, err
}

func newPrune(a *app.App) *cobra.Command {
	var req engine.SystemPruneRequest
	var force bool
	cmd := &cobra.Command{
		Use:     "prune [options]",
		Short:   "Remove unused podman data",
		Long:    "Removes all containers that don't run, and images without a name; with --all every image that no container uses, with --volumes every volume that none does.",
		Args:    cobra.NoArgs,
		Example: "  podman system prune --force\n  podman system prune --all --volumes",
	}
	cmd.Flags().BoolVarP(&req.All, "all", "a", false, "Remove all unused data")
	cmd.Flags().StringArrayVar(&req.Filters, "filter", nil, "Provide filter values (e.g. 'label=<key>=<value>')")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation.  The default is false")
	cmd.Flags().BoolVar(&req.Volumes, "volumes", false, "Prune volumes")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error {
		warning := "WARNING! This command removes:\n\t- all stopped containers"
		if req.Volumes {
			warning += "\n\t- all volumes not used by at least one container"
		}
		if req.All {
			warning += "\n\t- all images without at least one container associated with them"
		} else {
			warning += "\n\t- all dangling images"
		}
		if yes, err := confirmed(cmd, force, warning+"\n"); !yes || err != nil {
			return err
		}
		done, errs := e.SystemPrune(cmd.Context(), req)
		out := cmd.OutOrStdout()
		for _, part := range []struct {
			title string
			ids   []string
		}{{"Deleted Pods", done.Pods}, {"Deleted Containers", done.Containers}, {"Deleted Volumes", done.Volumes}, {"Deleted Images", done.Images}} {
			if len(part.ids) == 0 {
				continue
			}
			fmt.Fprintln(out, part.title)
			for _, id := range part.ids {
				fmt.Fprintln(out, id)
			}
		}
		if len(errs) == 0 || done.Size > 0 {
			fmt.Fprintf(out, "Total reclaimed space: %s\n", units.HumanSize(float64(done.Size)))
		}
		return say.Errors(errs)
	})
	return cmd
}

func newReset(a *app.App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "reset [options]",
		Short:   "Reset podman storage",
		Long:    "Removes all containers, images, volumes and secrets, and the directories that they lie in.",
		Args:    cobra.NoArgs,
		Example: "  podman system reset",
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error {
		warning := fmt.Sprintf("WARNING! This will remove:\n\t- all containers\n\t- all images\n\t- all volumes\n\t- all secrets\n"+
			"\t- the graphRoot directory: %q\n\t- the runRoot directory: %q", e.Store.GraphRoot(), e.Store.RunRoot())
		if yes, err := confirmed(cmd, force, warning); !yes || err != nil {
			return err
		}
		return e.Reset(cmd.Context())
	})
	return cmd
}

func newCheck(a *app.App) *cobra.Command {
	var o store.CheckOptions
	var repair, force bool
	var age time.Duration
	cmd := &cobra.Command{
		Use:     "check [options]",
		Short:   "Check storage consistency",
		Long:    "Looks for damaged layers, images and containers in the store, and removes them if asked to.",
		Args:    cobra.NoArgs,
		Example: "  podman system check --quick\n  podman system check --repair --force",
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "remove containers which depend on damaged images and layers")
	cmd.Flags().DurationVarP(&age, "max", "m", 24*time.Hour, "maximum allowed age of unreferenced layers")
	cmd.Flags().BoolVarP(&o.Quick, "quick", "q", false, "skip time-consuming checks")
	cmd.Flags().BoolVarP(&repair, "repair", "r", false, "remove damaged images and layers")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error {
		if force && !repair {
			return errdef.Newf(errdef.ErrInvalid, "--force needs --repair")
		}
		o.MaxAge = &age
		damage, err := e.Store.Check(o)
		if err != nil {
			return err
		}
		for _, text := range damage.Problems {
			fmt.Fprintln(cmd.OutOrStdout(), text)
		}
		if len(damage.Problems) == 0 {
			return nil
		}
		if repair {
			return e.Store.Repair(damage, force)
		}
		return errdef.Newf(errdef.ErrConflict, "damage detected in local storage")
	})
	return cmd
}

func newMigrate(a *app.App) *cobra.Command {
	var runtime string
	var database bool
	cmd := &cobra.Command{
		Use:     "migrate [options]",
		Short:   "Migrate containers",
		Long:    "Brings existing containers to the form of this version, which they have already. With a runtime they are stopped and get that one.",
		Args:    cobra.NoArgs,
		Example: "  podman system migrate --new-runtime crun",
	}
	cmd.Flags().StringVar(&runtime, "new-runtime", "", "Specify a new runtime for all containers")
	cmd.Flags().BoolVar(&database, "migrate-db", false, "Migrate to SQLite database backend: there is no database, so this does nothing")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error { return e.Migrate(cmd.Context(), runtime) })
	return cmd
}

func newRenumber(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "renumber",
		Short:   "Migrate lock numbers",
		Long:    "Gives containers, pods and volumes new lock numbers. Locks have no numbers here, so nothing has to change.",
		Args:    cobra.NoArgs,
		Example: "  podman system renumber",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, _ []string) error {
			e.Renumber()
			return nil
		}),
	}
}
