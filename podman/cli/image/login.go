package image

import (
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/login"
	"github.com/spf13/cobra"
)

// NewLogin is `podman login`.
func NewLogin(a *app.App) *cobra.Command {
	var req login.Request
	var tlsVerify bool
	cmd := &cobra.Command{
		Use:     "login [options] [REGISTRY]",
		Short:   "Log in to a container registry",
		Long:    "Log in to a container registry on a specified server.",
		Args:    cobra.MaximumNArgs(1),
		Example: "  podman login quay.io\n  podman login --username ... --password ... quay.io\n  podman login --authfile dir/auth.json quay.io",
	}
	f := cmd.Flags()
	f.StringVar(&req.AuthFile, "authfile", "", "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	f.StringVar(&req.CompatFile, "compat-auth-file", "", "path of a Docker-compatible config file to update instead")
	f.StringVar(&req.CertDir, "cert-dir", "", "use certificates at the specified path to access the registry")
	f.BoolVar(&req.GetLogin, "get-login", false, "Return the current login user for the registry")
	f.StringVarP(&req.Password, "password", "p", "", "Password for registry")
	f.BoolVar(&req.PasswordStdin, "password-stdin", false, "Take the password from stdin")
	f.BoolVar(&tlsVerify, "tls-verify", false, "Require HTTPS and verify certificates when contacting registries")
	f.StringVarP(&req.Username, "username", "u", "", "Username for registry")
	f.BoolVarP(&req.Verbose, "verbose", "v", false, "Write more detailed information to stdout")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.Config()
		if err != nil {
			return err
		}
		if cmd.Flags().Changed("tls-verify") {
			req.TLSVerify = &tlsVerify
		}
		if len(args) > 0 {
			req.Registry = args[0]
		}
		return login.Run(cmd.Context(), c, req, os.Stdin, cmd.OutOrStdout())
	}
	return cmd
}

// NewLogout is `podman logout`.
func NewLogout(a *app.App) *cobra.Command {
	var all bool
	var authFile, compatFile string
	cmd := &cobra.Command{
		Use:     "logout [options] [REGISTRY]",
		Short:   "Log out of a container registry",
		Long:    "Remove the cached username and password for the registry.",
		Args:    cobra.MaximumNArgs(1),
		Example: "  podman logout quay.io\n  podman logout --all",
	}
	f := cmd.Flags()
	f.BoolVarP(&all, "all", "a", false, "Remove the cached credentials for all registries in the auth file")
	f.StringVar(&authFile, "authfile", "", "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	f.StringVar(&compatFile, "compat-auth-file", "", "path of a Docker-compatible config file to update instead")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if all && len(args) > 0 {
			return errdef.Newf(errdef.ErrInvalid, "--all takes no arguments")
		}
		c, err := a.Config()
		if err != nil {
			return err
		}
		return login.Out(cmd.Context(), c, append(args, "")[0], all, authFile, compatFile, cmd.OutOrStdout())
	}
	return cmd
}
