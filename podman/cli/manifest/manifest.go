package manifest

import (
	"errors"
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/image"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// New is `podman manifest`.
func New(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Manipulate manifest lists and image indexes",
		Long:  "Creates, modifies, and pushes manifest lists and image indexes.",
		Example: "  podman manifest add mylist:v1.11 image:v1.11-amd64\n  podman manifest create localhost/list\n  podman manifest inspect localhost/list\n" +
			"  podman manifest annotate --annotation left=right mylist:v1.11 sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736\n" +
			"  podman manifest push mylist:v1.11 docker://quay.io/myuser/image:v1.11\n" +
			"  podman manifest remove mylist:v1.11 sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736\n  podman manifest rm mylist:v1.11",
	}
	for _, add := range []func(*app.App) *cobra.Command{newAdd, newAnnotate, newCreate, newExists, newInspect, newPush, newRemove, newRm} {
		cmd.AddCommand(add(a))
	}
	return cmd
}

// newExists is `podman manifest exists`.
func newExists(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "exists MANIFEST",
		Short:   "Check if a manifest list exists in local storage",
		Long:    "If the manifest list exists in local storage, podman manifest exists exits with 0, otherwise the exit code will be 1.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman manifest exists mylist",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, args []string) error {
			_, err := e.Lists().Find(args[0])
			if errors.Is(err, errdef.ErrNotFound) {
				return &errdef.Exit{Code: 1}
			}
			return err
		}),
	}
}

// newRemove is `podman manifest remove`.
func newRemove(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "remove LIST DIGEST",
		Short:   "Remove an item from a manifest list or image index",
		Long:    "Removes an item from a manifest list or image index.",
		Args:    cobra.ExactArgs(2),
		Example: "  podman manifest remove mylist:v1.11 sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736",
		RunE: a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
			id, err := e.Lists().Remove(args[0], args[1])
			return printID(cmd, id, err)
		}),
	}
}

// newRm is `podman manifest rm`.
func newRm(a *app.App) *cobra.Command {
	req := engine.RemoveImagesRequest{Lists: true}
	cmd := &cobra.Command{
		Use:     "rm [options] LIST [LIST...]",
		Short:   "Remove manifest list or image index from local storage",
		Long:    "Remove manifest list or image index from local storage.",
		Args:    cobra.MinimumNArgs(1),
		Example: "  podman manifest rm mylist:v1.11",
	}
	cmd.Flags().BoolVarP(&req.Ignore, "ignore", "i", false, "Ignore errors when a specified manifest is missing")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		req.Names = args
		return image.Remove(cmd, e, req)
	})
	return cmd
}

// printID prints the ID of a list that was changed, if it was.
func printID(cmd *cobra.Command, id string, err error) error {
	if err == nil {
		fmt.Fprintln(cmd.OutOrStdout(), id)
	}
	return err
}

// indentList is how far the JSON of a list is indented.
const indentList = 4
