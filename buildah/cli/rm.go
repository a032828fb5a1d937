package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

func newRm(a *app) *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use:     "rm CONTAINER...",
		Aliases: []string{"delete"},
		Short:   "Remove one or more working containers",
		Long:    "Removes one or more working containers, unmounting them if necessary.",
		Example: "buildah rm containerID\nbuildah rm containerID1 containerID2 containerID3\nbuildah rm --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return errdef.Newf(errdef.ErrInvalid, "when using the --all switch, you may not pass any containers names or IDs")
			case !all && len(args) == 0:
				return errdef.Newf(errdef.ErrInvalid, "container ID must be specified")
			}
			return a.onStore(func(st *store.Store) error { return runRm(cmd, st, args, all) })
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "remove all containers")
	return cmd
}

func runRm(cmd *cobra.Command, st *store.Store, names []string, all bool) error {
	if all {
		list, err := build.Containers(st, false)
		if err != nil {
			return err
		}
		for _, c := range list {
			names = append(names, c.ID)
		}
	}
	var failed error
	for _, name := range names {
		id, err := build.Remove(st, name)
		if err != nil {
			failed = failAlso(failed, err)
			continue
		}
		fmt.Fprintln(cmd.OutOrStdout(), id)
	}
	return failed
}

func newRename(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "rename CONTAINER NAME",
		Short:   "Rename a container",
		Long:    "Renames a local container.",
		Example: "buildah rename containerName NewName\nbuildah rename containerID NewName",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.onStore(func(st *store.Store) error { return build.Rename(st, args[0], args[1]) })
		},
	}
}
