package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliout"
)

func newVersion() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Display the Buildah version information",
		Long:  "Displays Buildah version information.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return cliout.JSON(cmd.OutOrStdout(), map[string]string{
					"version": version, "goversion": runtime.Version(), "imagespec": "1.1.1", "runtimespec": "1.3.0",
					"osarch": runtime.GOOS + "/" + runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(),
				"Version:         %s\nGo Version:      %s\nImage Spec:      1.1.1\nRuntime Spec:    1.3.0\nOS/Arch:         %s/%s\n",
				version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "output in JSON")
	return cmd
}
