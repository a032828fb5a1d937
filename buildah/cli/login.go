package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/login"
)

func newLogin(a *app) *cobra.Command {
	var l cliflag.Login
	cmd := &cobra.Command{
		Use:     "login REGISTRY",
		Short:   "Login to a container registry",
		Long:    "Login to a container registry on a specified server.",
		Example: "buildah login quay.io",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errdef.Newf(errdef.ErrInvalid, "please provide a registry to login to")
			}
			c, err := a.config()
			if err != nil {
				return err
			}
			return login.Run(cmd.Context(), c, l.Request(args[0]), os.Stdin, cmd.OutOrStdout())
		},
	}
	l.Bind(cmd.Flags())
	return cmd
}

func newLogout(a *app) *cobra.Command {
	var l cliflag.Logout
	cmd := &cobra.Command{
		Use:     "logout REGISTRY",
		Short:   "Logout of a container registry",
		Long:    "Remove the cached username and password for the registry.",
		Example: "buildah logout quay.io",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !l.All {
				return errdef.Newf(errdef.ErrInvalid, "registry must be given")
			}
			c, err := a.config()
			if err != nil {
				return err
			}
			return login.Out(cmd.Context(), c, append(args, "")[0], l.All, l.AuthFile, l.CompatFile, cmd.OutOrStdout())
		},
	}
	l.Bind(cmd.Flags())
	return cmd
}
