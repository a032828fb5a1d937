package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

type rmiFlags struct{ all, force, prune bool }

func newRmi(a *app) *cobra.Command {
	o := &rmiFlags{}
	cmd := &cobra.Command{
		Use:     "rmi IMAGE...",
		Short:   "Remove one or more images from local storage",
		Long:    "Removes one or more locally stored images.",
		Example: "buildah rmi imageID\nbuildah rmi --all --force\nbuildah rmi imageID1 imageID2 imageID3",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.all && o.prune:
				return errdef.Newf(errdef.ErrInvalid, "when using the --all switch, you may not use --prune switch")
			case o.all && len(args) > 0:
				return errdef.Newf(errdef.ErrInvalid, "when using the --all switch, you may not pass any images names or IDs")
			case o.prune && len(args) > 0:
				return errdef.Newf(errdef.ErrInvalid, "when using the --prune switch, you may not pass any images names or IDs")
			case len(args) == 0 && !o.all && !o.prune:
				return errdef.Newf(errdef.ErrInvalid, "image name or ID must be specified")
			}
			return a.removing(cmd, o, func(r *remover) error {
				switch {
				case o.all:
					return r.many(func(store.Image) bool { return true })
				case o.prune:
					return r.many(func(image store.Image) bool { return len(image.Names) == 0 })
				}
				return r.named(args)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.all, "all", "a", false, "remove all images")
	f.BoolVarP(&o.force, "force", "f", false, "force removal of the image and any containers using the image")
	f.BoolVarP(&o.prune, "prune", "p", false, "prune dangling images")
	return cmd
}

func newPrune(a *app) *cobra.Command {
	o := &rmiFlags{}
	cmd := &cobra.Command{
		Use:     "prune",
		Short:   "Cleanup intermediate images as well as build and mount cache",
		Long:    "Removes images without a name that nothing is built on, and what steps of builds keep in cache mounts.",
		Example: "buildah prune\nbuildah prune --force",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.removing(cmd, o, func(r *remover) error {
				r.st.Sweep()
				mounts, err := build.PruneMounts(cmd.Context(), r.st)
				for _, name := range mounts {
					fmt.Fprintf(r.out, "removed cache mount: %s\n", name)
				}
				if err != nil {
					return err
				}
				return r.many(func(image store.Image) bool { return o.all || len(image.Names) == 0 })
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.all, "all", "a", false, "remove all unused images")
	f.BoolVarP(&o.force, "force", "f", false, "force removal of the image and any containers using the image")
	return cmd
}

// remover removes images.
type remover struct {
	st    *store.Store
	cfg   *config.Config
	out   io.Writer
	force bool // containers that use an image go with it
}

// removing opens the store for a command that removes images.
func (a *app) removing(cmd *cobra.Command, o *rmiFlags, run func(*remover) error) error {
	st, cfg, err := a.open()
	if err != nil {
		return err
	}
	defer st.Close()
	rt, err := runtime.Open(cfg.Engine.Runtime, filepath.Join(cfg.Storage.RunRoot, "build-runtime"), runtime.Options{})
	if err != nil {
		return err
	}
	// What a killed build left would keep its base image in use.
	if err := build.Heal(cmd.Context(), st, cfg, rt); err != nil {
		return err
	}
	return run(&remover{st, cfg, cmd.OutOrStdout(), o.force})
}

func (r *remover) named(names []string) error {
	var failed []error
	for _, name := range names {
		if err := r.name(name); err != nil {
			failed = append(failed, err)
		}
	}
	return listed(failed)
}

// many removes the images that are wanted and that nothing uses; with force,
// also those that working containers use.
func (r *remover) many(wanted func(store.Image) bool) error {
	images, err := r.st.Images()
	if err != nil {
		return err
	}
	var failed []error
	for _, image := range images {
		if image.ReadOnly || !wanted(image) {
			continue
		}
		err := r.image(image)
		var used *store.InUseError
		if errors.As(err, &used) && !r.force {
			continue
		}
		if err != nil && !errors.Is(err, errdef.ErrNotFound) {
			failed = append(failed, err)
		}
	}
	return listed(failed)
}

// image removes the image with all of its names.
func (r *remover) image(image store.Image) error {
	_, err := r.st.RemoveImage(image.ID)
	var used *store.InUseError
	if errors.As(err, &used) && r.force {
		for _, id := range used.Containers {
			if _, err := build.Remove(r.st, id); err != nil {
				return fmt.Errorf("remove image %q: %w", image.ID, err)
			}
		}
		_, err = r.st.RemoveImage(image.ID)
	}
	if err != nil {
		return err
	}
	for _, name := range image.Names {
		fmt.Fprintf(r.out, "untagged: %s\n", name)
	}
	fmt.Fprintln(r.out, image.ID)
	return nil
}

// listed joins errors the way the user sees them, one a line.
func listed(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	noun := "error"
	if len(errs) > 1 {
		noun = "errors"
	}
	text := fmt.Sprintf("%d %s occurred:", len(errs), noun)
	for _, err := range errs {
		text += "\n\t* " + err.Error()
	}
	return errors.New(text + "\n")
}

// name takes the name away, and the image with its last name.
func (r *remover) name(name string) error {
	image, err := imgcopy.ResolveLocal(r.st, r.cfg, name)
	if err != nil {
		return err
	}
	byID := strings.HasPrefix(image.ID, strings.TrimPrefix(name, "sha256:"))
	if !byID && len(image.Names) > 1 {
		full, err := build.MatchName(image, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(r.out, "untagged: %s\n", full)
		return r.st.RemoveImageName(image.ID, full)
	}
	if byID && len(image.Names) > 1 && !r.force {
		return errdef.Newf(errdef.ErrConflict, "unable to delete image %q by ID with more than one tag (%v): use force removal", image.ID, image.Names)
	}
	return r.image(image)
}
