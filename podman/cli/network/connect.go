package network

import (
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

func newConnect(a *app.App) *cobra.Command {
	var req engine.ConnectRequest
	cmd := &cobra.Command{
		Use:     "connect [options] NETWORK CONTAINER",
		Short:   "Add container to a network",
		Long:    "Add container to a network",
		Args:    cobra.ExactArgs(2),
		Example: "  podman network connect web secondary",
	}
	cmd.Flags().StringSliceVar(&req.Aliases, "alias", nil, "Network scoped alias for container")
	cmd.Flags().IPVar(&req.IP, "ip", nil, "Set a static ipv4 address for this container network")
	cmd.Flags().IPVar(&req.IP6, "ip6", nil, "Set a static ipv6 address for this container network")
	cmd.Flags().StringVar(&req.MAC, "mac-address", "", "Set a static mac address for this container network")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		req.Network, req.Container = args[0], args[1]
		return e.ConnectNetwork(cmd.Context(), req)
	})
	return cmd
}

func newDisconnect(a *app.App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "disconnect [options] NETWORK CONTAINER",
		Short:   "Disconnect a container from a network",
		Long:    "Remove container from a network",
		Args:    cobra.ExactArgs(2),
		Example: "  podman network disconnect web secondary",
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Force removal of container from network")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		return e.DisconnectNetwork(cmd.Context(), args[0], args[1], force)
	})
	return cmd
}

func newReload(a *app.App) *cobra.Command {
	var all, latest bool
	cmd := &cobra.Command{
		Use:     "reload [options] [CONTAINER...]",
		Short:   "Reload firewall rules for one or more containers",
		Long:    "Reload container networks, recreating firewall rules",
		Example: "  podman network reload --all\n  podman network reload test1 test2",
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Reload network configuration of all containers")
	cmd.Flags().BoolVarP(&latest, "latest", "l", false, "Act on the latest container podman is aware of")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case all && latest:
			return errdef.Newf(errdef.ErrInvalid, "--all and --latest cannot be used together")
		case (all || latest) && len(args) > 0:
			return errdef.Newf(errdef.ErrInvalid, "no arguments are needed with --all or --latest")
		case !all && !latest && len(args) == 0:
			return errdef.Newf(errdef.ErrInvalid, "you must provide at least one name or id")
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		reloaded, errs := e.ReloadNetworks(cmd.Context(), engine.ReloadRequest{Names: args, All: all, Latest: latest})
		for _, id := range reloaded {
			fmt.Fprintln(cmd.OutOrStdout(), id)
		}
		return say.Errors(errs)
	}
	return cmd
}
