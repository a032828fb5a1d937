package cli

import (
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/buildcmd"
)

func newBuild(a *app) *cobra.Command {
	cmd := buildcmd.New(buildcmd.Host{Version: version, Open: a.open, Runtime: a.openRuntime})
	cmd.Aliases = []string{"build-using-dockerfile", "bud"}
	cmd.Flags().StringVar(&a.runtime, "runtime", os.Getenv("BUILDAH_RUNTIME"), "`path` to an alternate runtime. Use BUILDAH_RUNTIME environment variable to override.")
	return cmd
}

func envBool(name string) bool {
	value, err := strconv.ParseBool(os.Getenv(name))
	return err == nil && value
}
