package generate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/podman/engine/systemd"
	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// New is `podman generate`.
func New(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Generate structured data based on containers, pods or volumes",
		Long:  "Generates structured data (e.g., systemd units) based on containers and pods.",
	}
	cmd.AddCommand(newSystemd(a))
	return cmd
}

// deprecated is said because scripts are told so elsewhere, too.
const deprecated = "\nDEPRECATED command:\nIt works and is kept working, but gets no new features.\n"

// newSystemd is `podman generate systemd`.
func newSystemd(a *app.App) *cobra.Command {
	req := engine.UnitRequest{Split: splitCommand, Asked: map[systemd.DependsOn][]string{}}
	var files, noHeader bool
	var format string
	var stopTimeout uint
	var wants, after, requires []string
	cmd := &cobra.Command{
		Use:   "systemd [options] {CONTAINER|POD}",
		Short: "Generate systemd units",
		Long:  "Generates systemd units for a container or a pod and its containers.\nWith --new the units make them when they start, and remove them when they stop.",
		Args:  cobra.ExactArgs(1),
		Example: "  podman generate systemd web\n  podman generate systemd --new --files --name web\n" +
			"  podman generate systemd --new --name --restart-policy always --stop-timeout 2 mypod",
	}
	f := cmd.Flags()
	f.BoolVarP(&req.Names, "name", "n", false, "Use container/pod names instead of IDs")
	f.BoolVarP(&files, "files", "f", false, "Generate files instead of printing to stdout")
	f.BoolVar(&req.New, "new", false, "Create a new container or pod instead of starting an existing one")
	f.BoolVar(&req.Template, "template", false, "Make it a template file and use %i and %I specifiers. Working only for containers")
	f.BoolVar(&noHeader, "no-header", false, "Skip header generation")
	f.StringVar(&format, "format", "", "Print the created units in specified format (json)")
	f.UintVar(&stopTimeout, "stop-timeout", 10, "Stop timeout override")
	f.UintVarP(&stopTimeout, "time", "t", 10, "Stop timeout override")
	f.MarkHidden("time")
	f.UintVar(&req.StartTimeout, "start-timeout", 0, "Start timeout override")
	f.StringVar(&req.RestartPolicy, "restart-policy", "on-failure", "Systemd restart-policy")
	f.UintVar(&req.RestartSec, "restart-sec", 0, "Systemd restart-sec")
	f.StringVar(&req.ContainerPrefix, "container-prefix", "container", "Systemd unit name prefix for containers")
	f.StringVar(&req.PodPrefix, "pod-prefix", "pod", "Systemd unit name prefix for pods")
	f.StringVar(&req.Separator, "separator", "-", "Systemd unit name separator between name/id and prefix")
	f.StringArrayVar(&wants, "wants", nil, "Add (weak) requirement dependencies to the generated unit file")
	f.StringArrayVar(&after, "after", nil, "Add dependencies order to the generated unit file")
	f.StringArrayVar(&requires, "requires", nil, "Similar to wants, but declares stronger requirement dependencies")
	f.StringArrayVarP(&req.Env, "env", "e", nil, "Set environment variables to the systemd unit files")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		fmt.Fprint(cmd.ErrOrStderr(), deprecated)
		if req.Template {
			if f.Changed("new") && !req.New {
				return errdef.Newf(errdef.ErrInvalid, "--template cannot be set with --new=false")
			}
			req.New = true
		}
		if format != "" && format != "json" {
			return errdef.Newf(errdef.ErrInvalid, "unknown --format argument: %s", format)
		}
		req.Target, req.Header = args[0], !noHeader
		for kind, names := range map[systemd.DependsOn][]string{systemd.Wants: wants, systemd.After: after, systemd.Requires: requires} {
			if len(names) > 0 {
				req.Asked[kind] = names
			}
		}
		forgetDefaults(f, &req, &stopTimeout)
		units, err := e.Units(&req)
		if err != nil {
			return err
		}
		return printUnits(cmd.OutOrStdout(), units, files, format)
	})
	return cmd
}

// forgetDefaults leaves to the containers what was not asked for.
func forgetDefaults(f *pflag.FlagSet, req *engine.UnitRequest, stopTimeout *uint) {
	if f.Changed("stop-timeout") || f.Changed("time") {
		req.StopTimeout = stopTimeout
	}
	if !f.Changed("restart-policy") {
		req.RestartPolicy = ""
	}
}

// printUnits prints the units, or writes them to files here and prints the
// paths.
func printUnits(w io.Writer, units []engine.Unit, files bool, format string) error {
	var errs []error
	if files {
		dir, err := os.Getwd()
		if err != nil {
			return err
		}
		for i, u := range units {
			path := filepath.Join(dir, u.Name+".service")
			errs = append(errs, atomicfile.Write(path, []byte(u.Text), 0o644))
			units[i].Text = path + "\n"
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if format == "json" {
		return unitsJSON(w, units, files)
	}
	for _, u := range units {
		if _, err := io.WriteString(w, u.Text); err != nil {
			return err
		}
	}
	return nil
}

// unitsJSON prints the units, or their paths, by their names.
func unitsJSON(w io.Writer, units []engine.Unit, files bool) error {
	all := make(map[string]string, len(units))
	for _, u := range units {
		all[u.Name] = u.Text
		if files {
			all[u.Name] = u.Text[:len(u.Text)-1]
		}
	}
	return cliout.JSON(w, all, 1)
}
