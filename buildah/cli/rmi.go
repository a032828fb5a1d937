package cli

import (
	"errors"
	"fmt"
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

func newRmi(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "rmi IMAGE...",
		Short:   "Remove one or more images from local storage",
		Long:    "Removes one or more locally stored images.",
		Example: "buildah rmi imageID\nbuildah rmi imageID1 imageID2 imageID3",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errdef.Newf(errdef.ErrInvalid, "image name or ID must be specified")
			}
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
			var failed []error
			for _, name := range args {
				if err := removeImage(cmd, st, cfg, name); err != nil {
					failed = append(failed, err)
				}
			}
			return listed(failed)
		},
	}
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

// removeImage takes the name away, and the image with its last name.
func removeImage(cmd *cobra.Command, st *store.Store, cfg *config.Config, name string) error {
	image, err := imgcopy.ResolveLocal(st, cfg, name)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	byID := strings.HasPrefix(image.ID, strings.TrimPrefix(name, "sha256:"))
	if !byID && len(image.Names) > 1 {
		full, err := build.MatchName(image, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "untagged: %s\n", full)
		return st.RemoveImageName(image.ID, full)
	}
	if byID && len(image.Names) > 1 {
		return errdef.Newf(errdef.ErrConflict, "unable to delete image %q by ID with more than one tag (%v): use force removal", image.ID, image.Names)
	}
	if _, err := st.RemoveImage(image.ID); err != nil {
		return err
	}
	for _, n := range image.Names {
		fmt.Fprintf(out, "untagged: %s\n", n)
	}
	fmt.Fprintln(out, image.ID)
	return nil
}
