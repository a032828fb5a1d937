package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/spf13/cobra"
)

// row is a network as a table shows it.
type row struct {
	network.Network
	whole bool
}

// ID is the network's ID, in short where that was not ruled out.
func (r row) ID() string {
	if r.whole || len(r.Network.ID) < 12 {
		return r.Network.ID
	}
	return r.Network.ID[:12]
}

// Labels joins the labels with commas.
func (r row) Labels() string {
	var all []string
	for key, value := range r.Network.Labels {
		all = append(all, key+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

func newList(a *app.App) *cobra.Command {
	var filters []string
	var format string
	var noTrunc, noHeading, quiet bool
	cmd := &cobra.Command{
		Use:     "ls [options]",
		Aliases: []string{"list"},
		Short:   "List networks",
		Long:    "List networks",
		Args:    cobra.NoArgs,
		Example: "  podman network ls\n  podman network ls --filter driver=macvlan",
	}
	cmd.Flags().StringArrayVarP(&filters, "filter", "f", nil, "Provide filter values (e.g. 'name=podman')")
	cmd.Flags().StringVar(&format, "format", "", "Pretty-print networks to JSON or using a Go template")
	cmd.Flags().BoolVar(&noTrunc, "no-trunc", false, "Do not truncate the network ID")
	cmd.Flags().BoolVarP(&noHeading, "noheading", "n", false, "Do not print headers")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Display only names")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if quiet && format != "" {
			return errdef.Newf(errdef.ErrInvalid, "quiet and format flags cannot be used together")
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		networks, err := e.ListNetworks(filters)
		if err != nil {
			return err
		}
		if quiet {
			for _, n := range networks {
				fmt.Fprintln(cmd.OutOrStdout(), n.Name)
			}
			return nil
		}
		rows := make([]row, len(networks))
		for i, n := range networks {
			rows[i] = row{n, noTrunc}
		}
		return cliout.Rows(cmd.OutOrStdout(), format, "table {{.ID}}\t{{.Name}}\t{{.Driver}}", map[string]string{"ID": "NETWORK ID"}, rows,
			cliout.RowsOptions{NoHeading: noHeading, Name: "list", JSON: networks})
	}
	return cmd
}

func newInspect(a *app.App) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "inspect [options] NETWORK [NETWORK...]",
		Short:   "Inspect network",
		Long:    "Displays the network configuration for one or more networks.",
		Args:    cobra.MinimumNArgs(1),
		Example: "  podman network inspect podman",
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "Pretty-print network to JSON or using a Go template")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		found := []engine.NetworkInspection{}
		var errs []error
		for _, name := range args {
			n, err := e.InspectNetwork(name)
			if err != nil {
				errs = append(errs, fmt.Errorf("network %s: %w", name, err))
				continue
			}
			found = append(found, n)
		}
		out := cmd.OutOrStdout()
		if format == "json" || format == "" {
			if err := cliout.JSON(out, found, 5); err != nil {
				return err
			}
			return say.Errors(errs)
		}
		for _, n := range found {
			if err := cliout.Template(out, "network inspect", format, n); err != nil {
				return err
			}
		}
		return say.Errors(errs)
	})
	return cmd
}
