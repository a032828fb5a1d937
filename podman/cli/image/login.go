package image

import (
	"os"
	"strings"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/login"
	"github.com/spf13/cobra"
)

// NewLogin is `podman login`.
func NewLogin(a *app.App) *cobra.Command {
	var flags cliflag.Login
	cmd := &cobra.Command{
		Use:     "login [options] [REGISTRY]",
		Short:   "Log in to a container registry",
		Long:    "Log in to a container registry on a specified server.",
		Args:    cobra.MaximumNArgs(1),
		Example: "  podman login quay.io\n  podman login --username ... --password ... quay.io\n  podman login --authfile dir/auth.json quay.io",
	}
	var secret string
	flags.Bind(cmd.Flags())
	cmd.Flags().StringVar(&secret, "secret", "", "Retrieve password from a podman secret")
	cmd.MarkFlagsMutuallyExclusive("secret", "password")
	cmd.MarkFlagsMutuallyExclusive("secret", "password-stdin")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.Config()
		if err != nil {
			return err
		}
		req := flags.Request(append(args, "")[0])
		if secret != "" {
			if req.Password, err = secretPassword(a, secret); err != nil {
				return err
			}
			if req.Username == "" {
				req.Username = secret
			}
		}
		return login.Run(cmd.Context(), c, req, os.Stdin, cmd.OutOrStdout())
	}
	return cmd
}

// secretPassword reads a password out of a secret. The store is opened for it
// alone: a login without one needs none.
func secretPassword(a *app.App, name string) (string, error) {
	e, err := a.Engine()
	if err != nil {
		return "", err
	}
	defer e.Close()
	found, err := e.Secrets().Find(name)
	if err != nil {
		return "", err
	}
	data, err := e.Secrets().Data(found)
	if err == nil && len(data) == 0 {
		err = errdef.Newf(errdef.ErrInvalid, "the secret %q is empty", name)
	}
	return strings.TrimRight(string(data), "\r\n"), err
}

// NewLogout is `podman logout`.
func NewLogout(a *app.App) *cobra.Command {
	var flags cliflag.Logout
	cmd := &cobra.Command{
		Use:     "logout [options] [REGISTRY]",
		Short:   "Log out of a container registry",
		Long:    "Remove the cached username and password for the registry.",
		Args:    cobra.MaximumNArgs(1),
		Example: "  podman logout quay.io\n  podman logout --all",
	}
	flags.Bind(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if flags.All && len(args) > 0 {
			return errdef.Newf(errdef.ErrInvalid, "--all takes no arguments")
		}
		c, err := a.Config()
		if err != nil {
			return err
		}
		return login.Out(cmd.Context(), c, append(args, "")[0], flags.All, flags.AuthFile, flags.CompatFile, cmd.OutOrStdout())
	}
	return cmd
}
