package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/podsuite/podsuite/shared/auth"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
)

// loginRequest is the command line of skopeo login.
type loginRequest struct {
	authFile, compatFile, certDir string
	username, password            string
	stdin, getLogin, verbose      bool
	tlsVerify                     optionalBool
}

func newLogin(g *global) *cobra.Command {
	r := &loginRequest{}
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
			return r.run(cmd, g, args[0])
		},
		DisableFlagsInUseLine: true,
	}
	f := cmd.Flags()
	f.StringVar(&r.authFile, "authfile", "", "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	f.StringVar(&r.compatFile, "compat-auth-file", "", "path of a Docker-compatible config file to update instead")
	f.StringVar(&r.certDir, "cert-dir", "", "use certificates at the specified path to access the registry")
	f.BoolVar(&r.getLogin, "get-login", false, "Return the current login user for the registry")
	f.StringVarP(&r.username, "username", "u", "", "Username for registry")
	f.StringVarP(&r.password, "password", "p", "", "Password for registry")
	f.BoolVar(&r.stdin, "password-stdin", false, "Take the password from stdin")
	f.BoolVarP(&r.verbose, "verbose", "v", false, "Write more detailed information to stdout")
	f.VarPF(&r.tlsVerify, "tls-verify", "", "require HTTPS and verify certificates when accessing the registry").NoOptDefVal = "true"
	return cmd
}

// openAuth opens the file that login and logout change.
func openAuth(g *global, authFile, compatFile string) (*auth.Store, error) {
	if authFile != "" && compatFile != "" {
		return nil, invalid("options for paths to the credential file and to the Docker-compatible credential file can not be set simultaneously")
	}
	if compatFile != "" {
		return auth.OpenCompat(compatFile), nil
	}
	return auth.Open(g.cfg, authFile)
}

// loginKey reads the registry, or the namespace of one, to log in to.
func loginKey(arg string) (key string, name ref.Name, err error) {
	key = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(arg, "https://"), "http://"), "/")
	host, path, _ := strings.Cut(key, "/")
	if !ref.ValidDomain(host) {
		return "", name, invalid("%q is not the name of a registry", arg)
	}
	return key, ref.Name{Domain: host, Path: path}, nil
}

func (r *loginRequest) run(cmd *cobra.Command, g *global, arg string) error {
	key, name, err := loginKey(arg)
	if err != nil {
		return err
	}
	files, err := openAuth(g, r.authFile, r.compatFile)
	if err != nil {
		return err
	}
	have, err := files.Lookup(cmd.Context(), key)
	if err != nil {
		return err
	}
	if r.getLogin {
		if have.IsZero() {
			return invalid("not logged into %s", key)
		}
		fmt.Fprintln(cmd.OutOrStdout(), have.Username)
		return nil
	}
	creds, err := r.ask(cmd, have)
	if err != nil {
		return fmt.Errorf("getting username and password: %w", err)
	}
	client, err := registry.Open(g.cfg, name, registry.Options{Credentials: &creds, CertDir: r.certDir, TLSVerify: r.tlsVerify.value, Log: g.logTo(cmd.ErrOrStderr())})
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.CheckLogin(cmd.Context()); err != nil {
		if isDenied(err) {
			return fmt.Errorf("logging into %q: %w", key, err)
		}
		return fmt.Errorf("authenticating creds for %q: %w", key, err)
	}
	if err := files.Set(cmd.Context(), key, creds); err != nil {
		return err
	}
	if r.verbose {
		fmt.Fprintf(cmd.OutOrStdout(), "Used: %s\n", files.Path())
	}
	fmt.Fprintln(cmd.OutOrStdout(), "Login Succeeded!")
	return nil
}

// ask completes the credentials from standard input.
func (r *loginRequest) ask(cmd *cobra.Command, have auth.Credentials) (auth.Credentials, error) {
	c := auth.Credentials{Username: r.username, Password: r.password}
	if r.stdin {
		switch {
		case r.password != "":
			return c, invalid("Can't specify both --password-stdin and --password")
		case r.username == "":
			return c, invalid("Must provide --username with --password-stdin")
		}
		data, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 64<<10))
		c.Password = strings.TrimRight(string(data), "\r\n")
		return c, err
	}
	in := bufio.NewReader(cmd.InOrStdin())
	if c.Username == "" {
		prompt := "Username: "
		if have.Username != "" {
			prompt = fmt.Sprintf("Username (%s): ", have.Username)
		}
		fmt.Fprint(cmd.OutOrStdout(), prompt)
		line, err := in.ReadString('\n')
		if err != nil && line == "" {
			return c, fmt.Errorf("reading username: %w", err)
		}
		if c.Username = strings.TrimSpace(line); c.Username == "" {
			c.Username = have.Username
		}
	}
	if c.Password == "" {
		fmt.Fprint(cmd.OutOrStdout(), "Password: ")
		password, err := readPassword(in)
		if err != nil {
			return c, fmt.Errorf("reading password: %w", err)
		}
		c.Password = password
		fmt.Fprintln(cmd.OutOrStdout())
	}
	return c, nil
}

// readPassword reads a line, without echo on a terminal.
func readPassword(in *bufio.Reader) (string, error) {
	if fd := int(os.Stdin.Fd()); cliout.IsTerminal(os.Stdin) {
		data, err := term.ReadPassword(fd)
		return string(data), err
	}
	line, err := in.ReadString('\n')
	if line != "" {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
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
			files, err := openAuth(g, authFile, compatFile)
			if err != nil {
				return err
			}
			if all {
				if err := files.RemoveAll(); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "Removed login credentials for all registries")
				return nil
			}
			key, _, err := loginKey(args[0])
			if err != nil {
				return err
			}
			if err := files.Remove(cmd.Context(), key); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Removed login credentials for %s\n", key)
			return nil
		},
		DisableFlagsInUseLine: true,
	}
	f := cmd.Flags()
	f.BoolVarP(&all, "all", "a", false, "Remove the cached credentials for all registries in the auth file")
	f.StringVar(&authFile, "authfile", "", "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	f.StringVar(&compatFile, "compat-auth-file", "", "path of a Docker-compatible config file to update instead")
	return cmd
}
