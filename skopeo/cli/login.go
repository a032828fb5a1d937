package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/login"
)

func newLogin(g *global) *cobra.Command {
	var r login.Request
	var tlsVerify optionalBool
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
			r.Registry, r.TLSVerify = args[0], tlsVerify.value
			return login.Run(cmd.Context(), g.cfg, r, os.Stdin, cmd.OutOrStdout())
		},
		DisableFlagsInUseLine: true,
	}
	f := cmd.Flags()
	f.StringVar(&r.AuthFile, "authfile", "", "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	f.StringVar(&r.CompatFile, "compat-auth-file", "", "path of a Docker-compatible config file to update instead")
	f.StringVar(&r.CertDir, "cert-dir", "", "use certificates at the specified path to access the registry")
	f.BoolVar(&r.GetLogin, "get-login", false, "Return the current login user for the registry")
	f.StringVarP(&r.Username, "username", "u", "", "Username for registry")
	f.StringVarP(&r.Password, "password", "p", "", "Password for registry")
	f.BoolVar(&r.PasswordStdin, "password-stdin", false, "Take the password from stdin")
	f.BoolVarP(&r.Verbose, "verbose", "v", false, "Write more detailed information to stdout")
	f.VarPF(&tlsVerify, "tls-verify", "", "require HTTPS and verify certificates when accessing the registry").NoOptDefVal = "true"
	return cmd
}

func newLogout(g *global) *cobra.Command {
	var authFile, compatFile string
	var all bool
	cmd := &cobra.Command{
		Use:     "logout [command options] REGISTRY",
		Short:   "Logout of a container registry",
		Long:    "Logout of a container registry on a specified server.",
		Example: "skopeo logout registry.example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return invalid("--all takes no arguments")
			case !all && len(args) == 0:
				return invalid("please provide a registry to log out from")
			case len(args) > 1:
				return invalid("logout accepts only one registry to logout from")
			}
			key := ""
			if !all {
				key = args[0]
			}
			return login.Out(cmd.Context(), g.cfg, key, all, authFile, compatFile, cmd.OutOrStdout())
		},
		DisableFlagsInUseLine: true,
	}
	f := cmd.Flags()
	f.BoolVarP(&all, "all", "a", false, "Remove the cached credentials for all registries in the auth file")
	f.StringVar(&authFile, "authfile", "", "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	f.StringVar(&compatFile, "compat-auth-file", "", "path of a Docker-compatible config file to update instead")
	return cmd
}
