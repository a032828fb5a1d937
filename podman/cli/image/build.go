package image

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/buildcmd"
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

// NewBuild is `podman build`, which is buildah's.
func NewBuild(a *app.App) *cobra.Command {
	return buildcmd.New(buildcmd.Host{
		Podman: true, Version: builderVersion,
		Open: func() (*store.Store, *config.Config, error) {
			e, err := a.Engine()
			if err != nil {
				return nil, nil, err
			}
			return e.Store, e.Config, nil
		},
		Runtime: func(c *config.Config, flags []string) (runtime.Runtime, error) {
			rt, err := runtime.Open(c.Engine.Runtime, filepath.Join(c.Storage.RunRoot, "build-runtime"), runtime.Options{CgroupParent: "/buildah", Flags: flags})
			if err != nil {
				return nil, err
			}
			return rt, runtime.SetSubreaper()
		},
	})
}

// builderVersion is the builder's that an image names in its label.
const builderVersion = "1.43.2"
