package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/login"
)

func newLogin(g *global) *cobra.Command {
	var flags cliflag.Login
	cmd := &cobra.Command{
		Use:     "login [command options] REGISTRY",
		Short:   "Login to a container registry",
		Long:    "Login to a container registry on a specified server.",
		Example: "skopeo login registry.example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return invalid("please provide a registry to log in to")
			}
			if len(args) > 1 {
				return invalid("login accepts only one registry to login to")
			}
			return login.Run(cmd.Context(), g.cfg, flags.Request(args[0]), os.Stdin, cmd.OutOrStdout())
		},
		DisableFlagsInUseLine: true,
	}
	flags.Bind(cmd.Flags())
	return cmd
}

func newLogout(g *global) *cobra.Command {
	var flags cliflag.Logout
	cmd := &cobra.Command{
		Use:     "logout [command options] REGISTRY",
		Short:   "Logout of a container registry",
		Long:    "Logout of a container registry on a specified server.",
		Example: "skopeo logout registry.example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case flags.All && len(args) > 0:
				return invalid("--all takes no arguments")
			case !flags.All && len(args) == 0:
				return invalid("please provide a registry to log out from")
			case len(args) > 1:
				return invalid("logout accepts only one registry to logout from")
			}
			return login.Out(cmd.Context(), g.cfg, append(args, "")[0], flags.All, flags.AuthFile, flags.CompatFile, cmd.OutOrStdout())
		},
		DisableFlagsInUseLine: true,
	}
	flags.Bind(cmd.Flags())
	// Logging out talks to no registry; scripts give it the option of login.
	new(cliflag.OptionalBool).Bind(cmd.Flags(), "tls-verify", "", "require HTTPS and verify certificates when accessing the registry")
	return cmd
}
