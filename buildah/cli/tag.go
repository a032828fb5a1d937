package cli

import (
	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/imgcopy"
)

func newTag(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "tag IMAGE NAME...",
		Short:   "Add an additional name to a local image",
		Long:    "Adds one or more additional names to locally-stored image.",
		Example: "buildah tag imageName firstNewName\nbuildah tag imageName firstNewName SecondNewName",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			names, err := build.TagNames(args[1:])
			if err != nil {
				return err
			}
			st, cfg, err := a.open()
			if err != nil {
				return err
			}
			defer st.Close()
			image, err := imgcopy.ResolveLocal(st, cfg, args[0])
			if err != nil {
				return err
			}
			return st.AddImageNames(image.ID, names...)
		},
	}
}
