package image

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

// NewRmi is `podman rmi`.
func NewRmi(a *app.App) *cobra.Command { return newRemove(a, "rmi") }

// NewRemove is `podman image rm`.
func NewRemove(a *app.App) *cobra.Command { return newRemove(a, "rm") }

func newRemove(a *app.App, name string) *cobra.Command {
	var req engine.RemoveImagesRequest
	cmd := &cobra.Command{
		Use:     name + " [options] IMAGE [IMAGE...]",
		Short:   "Remove one or more images from local storage",
		Long:    "Removes one or more previously pulled or locally created images.",
		Example: "  podman rmi imageID\n  podman rmi --force alpine\n  podman rmi c4dfb1609ee2 93fd78260bd1 c0ed59d05ff7",
	}
	f := cmd.Flags()
	f.BoolVarP(&req.All, "all", "a", false, "Remove all images")
	f.BoolVarP(&req.Force, "force", "f", false, "Force Removal of the image")
	f.BoolVarP(&req.Ignore, "ignore", "i", false, "Ignore errors if a specified image does not exist")
	f.BoolVar(&req.NoPrune, "no-prune", false, "Do not remove dangling images")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 && !req.All:
			return errdef.Newf(errdef.ErrInvalid, "image name or ID must be specified")
		case len(args) > 0 && req.All:
			return errdef.Newf(errdef.ErrInvalid, "when using the --all switch, you may not pass any images names or IDs")
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		req.Names = args
		return Remove(cmd, e, req)
	}
	return cmd
}

// Remove removes images and prints what is gone.
func Remove(cmd *cobra.Command, e *engine.Engine, req engine.RemoveImagesRequest) error {
	ctx, stop := cliout.Interruptible(cmd.Context())
	defer stop()
	removed, errs := e.RemoveImages(ctx, req)
	for _, name := range removed.Untagged {
		fmt.Fprintln(cmd.OutOrStdout(), "Untagged: "+name)
	}
	for _, id := range removed.Deleted {
		fmt.Fprintln(cmd.OutOrStdout(), "Deleted: "+id)
	}
	return removeStatus(errs)
}

// removeStatus gives the errors of a removal the status that scripts know: 2
// when an image is in use, 1 when all that failed isn't there.
func removeStatus(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	status := 1
	for _, err := range errs {
		if errors.Is(err, errdef.ErrBusy) {
			status = 2
			break
		}
		if !errors.Is(err, errdef.ErrNotFound) {
			status = 125
		}
	}
	return &errdef.Exit{Code: status, Err: engine.JoinErrors(errs)}
}

// NewPrune is `podman image prune`.
func NewPrune(a *app.App) *cobra.Command {
	var req engine.PruneImagesRequest
	var force bool
	cmd := &cobra.Command{
		Use:     "prune [options]",
		Short:   "Remove unused images",
		Long:    "Removes dangling or unused images from local storage.",
		Args:    cobra.NoArgs,
		Example: "  podman image prune\n  podman image prune --all --force",
	}
	f := cmd.Flags()
	f.BoolVarP(&req.All, "all", "a", false, "Remove all images not in use by containers, not just dangling ones")
	f.BoolVar(&req.BuildCache, "build-cache", false, "Remove persistent build cache created by --mount=type=cache")
	f.BoolVar(&req.External, "external", false, "Remove images even when they are used by external containers (e.g., by build containers)")
	f.StringArrayVar(&req.Filters, "filter", nil, "Provide filter values (e.g. 'label=<key>=<value>')")
	f.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !force {
			warning := "WARNING! This command removes all dangling images."
			if req.All {
				warning = "WARNING! This command removes all images without at least one container associated with them."
			}
			if yes, err := say.Confirm(cmd.InOrStdin(), cmd.OutOrStdout(), warning); !yes || err != nil {
				return err
			}
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		ids, err := e.PruneImages(ctx, req)
		for _, id := range ids {
			fmt.Fprintln(cmd.OutOrStdout(), id)
		}
		return err
	}
	return cmd
}
