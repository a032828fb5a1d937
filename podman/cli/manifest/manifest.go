package manifest

import (
	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/manifestcmd"
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/image"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/manifestlist"
)

// New is `podman manifest`.
func New(a *app.App) *cobra.Command {
	return manifestcmd.New(manifestcmd.Host{
		Program: "podman",
		Lists: func() (manifestlist.Lists, func(), error) {
			e, err := a.Engine()
			if err != nil {
				return manifestlist.Lists{}, nil, err
			}
			return e.Lists(), func() { e.Close() }, nil
		},
		Remove: func(cmd *cobra.Command, lists []string, ignoreMissing bool) error {
			e, err := a.Engine()
			if err != nil {
				return err
			}
			defer e.Close()
			return image.Remove(cmd, e, engine.RemoveImagesRequest{Lists: true, Names: lists, Ignore: ignoreMissing})
		},
	})
}
