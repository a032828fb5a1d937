package network

import (
	"errors"
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewNetwork is `podman network`.
func NewNetwork(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "network",
		Short: "Manage networks",
		Long:  "Manage networks",
	}
	for _, add := range []func(*app.App) *cobra.Command{
		newConnect, newCreate, newDisconnect, newExists, newInspect, newList, newPrune, newReload, newRemove, newUpdate,
	} {
		cmd.AddCommand(add(a))
	}
	return cmd
}

func newCreate(a *app.App) *cobra.Command {
	var req engine.CreateNetworkRequest
	cmd := &cobra.Command{
		Use:     "create [options] [NAME]",
		Short:   "Create networks for containers and pods",
		Long:    "Create networks for containers and pods",
		Args:    cobra.MaximumNArgs(1),
		Example: "  podman network create podman1\n  podman network create --subnet 192.168.33.0/24 --gateway 192.168.33.3 lan",
	}
	f := cmd.Flags()
	f.BoolVar(&req.DisableDNS, "disable-dns", false, "Disable the name server of the network")
	f.StringSliceVar(&req.DNS, "dns", nil, "DNS servers this network will use")
	f.StringVarP(&req.Driver, "driver", "d", "bridge", "Driver to manage the network")
	f.IPSliceVar(&req.Gateways, "gateway", nil, "IPv4 or IPv6 gateway for the subnet")
	f.BoolVar(&req.Ignore, "ignore", false, "Don't fail if network already exists")
	f.StringVar(&req.InterfaceName, "interface-name", "", "Interface name which is used by the driver")
	f.BoolVar(&req.Internal, "internal", false, "Restrict external access from this network")
	f.StringArrayVar(&req.Ranges, "ip-range", nil, "Allocate container IP from range")
	f.StringVar(&req.IPAMDriver, "ipam-driver", "", "IP Address Management Driver")
	f.BoolVar(&req.IPv6, "ipv6", false, "Enable IPv6 networking")
	f.StringArrayVar(&req.Labels, "label", nil, "Set metadata on a network")
	f.StringArrayVarP(&req.Options, "opt", "o", nil, "Set driver specific options")
	f.StringArrayVar(&req.Routes, "route", nil, "Static routes")
	f.StringArrayVar(&req.Subnets, "subnet", nil, "Subnets in CIDR format")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		req.Name = append(args, "")[0]
		n, err := e.CreateNetwork(req)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), n.Name)
		return nil
	})
	return cmd
}

func newExists(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "exists NETWORK",
		Short:   "Check if network exists",
		Long:    "If the named network exists, podman network exists exits with 0, otherwise the exit code will be 1.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman network exists net1",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, args []string) error {
			_, err := e.Network(args[0])
			if errors.Is(err, errdef.ErrNotFound) {
				return &errdef.Exit{Code: 1}
			}
			return err
		}),
	}
}

func newUpdate(a *app.App) *cobra.Command {
	var add, drop []string
	cmd := &cobra.Command{
		Use:     "update [options] NETWORK",
		Short:   "Update an existing podman network",
		Long:    "Update an existing podman network",
		Args:    cobra.ExactArgs(1),
		Example: "  podman network update podman1 --dns-add 192.0.2.53",
	}
	cmd.Flags().StringSliceVar(&add, "dns-add", nil, "Add network level nameservers")
	cmd.Flags().StringSliceVar(&drop, "dns-drop", nil, "Remove network level nameservers")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if err := e.UpdateNetwork(args[0], add, drop); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), args[0])
		return nil
	})
	return cmd
}

func newRemove(a *app.App) *cobra.Command {
	var req engine.RemoveNetworksRequest
	var timeout int
	cmd := &cobra.Command{
		Use:     "rm [options] NETWORK [NETWORK...]",
		Aliases: []string{"remove"},
		Short:   "Remove networks",
		Long:    "Remove networks",
		Args:    cobra.MinimumNArgs(1),
		Example: "  podman network rm podman1",
	}
	cmd.Flags().BoolVarP(&req.Force, "force", "f", false, "Remove any containers using network")
	cmd.Flags().IntVarP(&timeout, "time", "t", 10, "Seconds to wait for running containers to stop before killing the container")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("time") {
			if !req.Force {
				return errdef.Newf(errdef.ErrInvalid, "--force option must be specified to use the --time option")
			}
			seconds := uint(1<<31 - 1) // a negative one waits for good
			if timeout >= 0 {
				seconds = uint(timeout)
			}
			req.Timeout = &seconds
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		req.Names = args
		removed, errs := e.RemoveNetworks(cmd.Context(), req)
		for _, name := range removed {
			fmt.Fprintln(cmd.OutOrStdout(), name)
		}
		return say.RemoveStatus(errs)
	}
	return cmd
}

func newPrune(a *app.App) *cobra.Command {
	var filters []string
	var force bool
	cmd := &cobra.Command{
		Use:     "prune [options]",
		Short:   "Prune unused networks",
		Long:    "Prune unused networks",
		Args:    cobra.NoArgs,
		Example: "  podman network prune",
	}
	cmd.Flags().StringArrayVar(&filters, "filter", nil, "Provide filter values (e.g. 'label=<key>=<value>')")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error {
		unused, err := e.ListNetworks(append(filters, "dangling=true"))
		if err != nil {
			return err
		}
		if !force {
			const warning = "WARNING! This will remove all networks not used by at least one container."
			if yes, err := say.Confirm(cmd.InOrStdin(), cmd.OutOrStdout(), warning); !yes || err != nil {
				return err
			}
		}
		req := engine.RemoveNetworksRequest{Unused: true}
		for _, n := range unused {
			req.Names = append(req.Names, n.Name)
		}
		removed, errs := e.RemoveNetworks(cmd.Context(), req)
		for _, name := range removed {
			fmt.Fprintln(cmd.OutOrStdout(), name)
		}
		return say.Errors(errs)
	})
	return cmd
}
