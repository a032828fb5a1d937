package pod

import (
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/container"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/podman/engine/process"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// newLogs is `podman pod logs`.
func newLogs(a *app.App) *cobra.Command {
	f := new(container.LogFlags)
	pick := choose{missing: "specify at least one pod name or ID to log"}
	var only string
	cmd := &cobra.Command{
		Use:     "logs [options] POD",
		Short:   "Fetch logs for pod with one or more containers",
		Long:    "Prints the logs of the pod's containers, each line with the container that it is from.",
		Args:    cobra.MaximumNArgs(1),
		Example: "  podman pod logs web\n  podman pod logs -f --container server web\n  podman pod logs --tail 2 --names web",
	}
	f.Bind(cmd)
	pick.bindLatest(cmd)
	cmd.Flags().StringVarP(&only, "container", "c", "", "Filter logs by container name or id")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := pick.check(args); err != nil {
			return err
		}
		if err := f.Parse(); err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		p, err := pick.one(e, args)
		if err != nil {
			return err
		}
		names, err := logged(e, p, only)
		if err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		return f.Print(ctx, e, names, only == "")
	}
	return cmd
}

// logged are the containers of the pod that say something, or the one.
func logged(e *engine.Engine, p *engine.Pod, only string) ([]string, error) {
	var names []string
	var wanted string
	if only != "" {
		if c, err := e.Lookup(only); err == nil {
			wanted = c.ID
		}
	}
	for _, c := range p.Containers {
		if only == "" && !c.Infra || only != "" && c.ID == wanted {
			names = append(names, c.ID)
		}
	}
	if only != "" && len(names) == 0 {
		return nil, errdef.Newf(errdef.ErrNotFound, "container %s is not in pod %s: no such container", only, p.Name)
	}
	return names, nil
}

// one is the single pod of a command that takes one.
func (c *choose) one(e *engine.Engine, args []string) (*engine.Pod, error) {
	if c.latest {
		return e.LatestPod()
	}
	return e.Pod(args[0])
}

// newTop is `podman pod top`.
func newTop(a *app.App) *cobra.Command {
	pick := choose{missing: "you must provide the name or id of a running pod"}
	cmd := &cobra.Command{
		Use:   "top [options] POD [FORMAT-DESCRIPTORS|ARGS...]",
		Short: "Display the running processes of containers in a pod",
		Long: "Displays the running processes of the containers of a pod. Format descriptors choose the columns; anything else is given to the ps of each container as its arguments.\n\n" +
			"  Format descriptors:\n    " + process.Descriptors,
		Example: "  podman pod top web\n  podman pod top web pid seccomp args %C",
	}
	cmd.Flags().SetInterspersed(false)
	pick.bindLatest(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !pick.latest && len(args) == 0 {
			return pick.check(args)
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		p, err := pick.one(e, args)
		if err != nil {
			return errdef.Newf(errdef.ErrNotFound, "unable to look up requested container: %w", err)
		}
		if !pick.latest {
			args = args[1:]
		}
		return printTop(cmd, e, p, args)
	}
	return cmd
}

func printTop(cmd *cobra.Command, e *engine.Engine, p *engine.Pod, args []string) error {
	var table [][]string
	for _, c := range p.Containers {
		if c.State != engine.Running {
			continue
		}
		if len(args) > 0 && !process.Known(args) {
			if c.Infra {
				continue // there is no ps in it
			}
			if _, err := e.TopPs(cmd.Context(), c.ID, args, os.Stdout, os.Stderr); err != nil {
				return err
			}
			continue
		}
		rows, err := e.Top(cmd.Context(), c.ID, args)
		if err != nil {
			return err
		}
		if len(table) > 0 {
			rows = rows[1:] // the headings are there
		}
		table = append(table, rows...)
	}
	return cliout.Columns(cmd.OutOrStdout(), table)
}
