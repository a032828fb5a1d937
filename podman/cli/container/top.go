package container

import (
	"os"
	"strings"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine/process"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
)

// NewTop is `podman top`.
func NewTop(a *app.App) *cobra.Command {
	var pick choose
	var list bool
	cmd := &cobra.Command{
		Use:   "top [options] CONTAINER [FORMAT-DESCRIPTORS|ARGS...]",
		Short: "Display the running processes of a container",
		Long: "Displays the running processes of a container. Format descriptors choose the columns; anything else is given to the ps of the container as its arguments.\n\n" +
			"  Format descriptors:\n    " + process.Descriptors,
		Example: "  podman top web\n  podman top web pid seccomp args %C\n  podman top web -eo user,pid,comm",
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&list, "list-descriptors", false, "List the format descriptors")
	_ = cmd.Flags().MarkHidden("list-descriptors")
	pick.bindLatest(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if list {
			_, err := cmd.OutOrStdout().Write([]byte(strings.ReplaceAll(process.Descriptors, ",", "\n") + "\n"))
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		name, rest, err := pick.one(e, args, "you must provide the name or id of a running container")
		if err != nil {
			return err
		}
		if len(rest) > 0 && !process.Known(rest) {
			status, err := e.TopPs(cmd.Context(), name, rest, os.Stdout, os.Stderr)
			if err != nil {
				return err
			}
			return exitWith(status)
		}
		rows, err := e.Top(cmd.Context(), name, rest)
		if err != nil {
			return err
		}
		return cliout.Columns(cmd.OutOrStdout(), rows)
	}
	return cmd
}
