package pod

import (
	"fmt"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// newClone is `podman pod clone`.
func newClone(a *app.App) *cobra.Command {
	f := new(createFlags)
	var req engine.ClonePodRequest
	cmd := &cobra.Command{
		Use:     "clone [options] POD NAME",
		Short:   "Clone an existing pod",
		Long:    "Creates a pod like another, with a clone of each of its containers. Options say what is to be otherwise.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  podman pod clone web\n  podman pod clone --start --memory 1g web web2\n  podman pod clone --destroy --name web2 web",
	}
	f.bind(cmd)
	cmd.Flags().StringVarP(&f.req.Name, "name", "n", "", "Name the new pod")
	cmd.Flags().BoolVar(&req.Destroy, "destroy", false, "Destroy the original pod")
	cmd.Flags().BoolVar(&req.Start, "start", false, "Start the new pod")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		req.Source = args[0]
		if len(args) > 1 {
			if f.req.Name != "" {
				return errdef.Newf(errdef.ErrInvalid, "cannot specify --name and NAME at the same time")
			}
			f.req.Name = args[1]
		}
		if err := f.check(); err != nil {
			return err
		}
		f.req.CreatedBy = os.Args
		req.Pod = f.req
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		p, err := e.ClonePod(cmd.Context(), &req)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), p.ID)
		return nil
	}
	return cmd
}
