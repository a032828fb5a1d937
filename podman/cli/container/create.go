package container

import (
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/spf13/cobra"
)

// NewCreate is `podman create`.
func NewCreate(a *app.App) *cobra.Command {
	f := new(createFlags)
	var attach []string
	cmd := &cobra.Command{
		Use:   "create [options] IMAGE [COMMAND [ARG...]]",
		Short: "Create but do not start a container",
		Long:  "Creates a new container from the given image and leaves it ready to be started.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := f.request(cmd, args)
			if err != nil {
				return err
			}
			if req.Attach, err = streamNames(attach); err != nil {
				return err
			}
			e, err := a.Engine()
			if err != nil {
				return err
			}
			defer e.Close()
			if req.PullOptions.Keys, err = f.decryption.Value(); err != nil {
				return err
			}
			c, err := e.Create(cmd.Context(), req)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), c.ID)
			return nil
		},
		Example: "  podman create alpine ls\n  podman create --name web -p 8080:80 localhost/web",
	}
	f.bind(cmd)
	cmd.Flags().StringSliceVarP(&attach, "attach", "a", nil, "Attach to STDIN, STDOUT or STDERR")
	return cmd
}
