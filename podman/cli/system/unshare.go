package system

import (
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/spf13/cobra"
)

// NewUnshare is `podman unshare`.
func NewUnshare(a *app.App) *cobra.Command {
	var onBridges bool
	cmd := &cobra.Command{
		Use:     "unshare [options] [COMMAND [ARG...]]",
		Short:   "Run a command in a modified user namespace",
		Long:    "Runs a command, or a shell, where the user's containers run: in their user namespace, with their mounts.",
		Example: "  podman unshare id\n  podman unshare cat /proc/self/uid_map\n  podman unshare --rootless-netns ip address",
	}
	cmd.Flags().BoolVar(&onBridges, "rootless-netns", false, "Join the network namespace that has the bridges of the user's containers")
	cmd.Flags().SetInterspersed(false)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		return e.Unshare(cmd.Context(), args, onBridges)
	})
	return cmd
}
