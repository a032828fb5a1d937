package image

import (
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
)

// NewScp is `podman image scp`.
func NewScp(a *app.App) *cobra.Command {
	var req engine.ScpImageRequest
	cmd := &cobra.Command{
		Use:   "scp [options] IMAGE [HOST::]",
		Short: "Securely copy images",
		Long:  "Copies an image to or from another host, or another user of this one. HOST is the name of a connection, USER@HOST[:PORT], or USER@localhost.",
		Args:  cobra.RangeArgs(1, 2),
		Example: "  podman image scp alpine Fedora::\n  podman image scp Fedora::alpine\n  podman image scp Fedora::alpine RHEL::\n" +
			"  podman image scp alpine me@localhost::",
	}
	cmd.Flags().BoolVarP(&req.Quiet, "quiet", "q", false, "Suppress the output")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		req.Source, req.Destination, req.Progress = args[0], append(args, "")[1], cmd.ErrOrStderr()
		said, err := e.ScpImage(ctx, req)
		fmt.Fprint(cmd.OutOrStdout(), said)
		return err
	})
	return cmd
}
