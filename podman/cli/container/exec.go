package container

import (
	"fmt"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewAttach is `podman attach`.
func NewAttach(a *app.App) *cobra.Command {
	var pick choose
	var noStdin bool
	streams := engine.Streams{Out: os.Stdout, Err: os.Stderr}
	cmd := &cobra.Command{
		Use:     "attach [options] CONTAINER",
		Short:   "Attach to a running container",
		Long:    "Connects this terminal to the output of a running container, and its input to the container's.",
		Args:    cobra.MaximumNArgs(1),
		Example: "  podman attach web\n  podman attach --no-stdin web",
	}
	cmd.Flags().BoolVar(&noStdin, "no-stdin", false, "Do not attach STDIN. The default is false")
	cmd.Flags().StringVar(&streams.DetachKeys, "detach-keys", "ctrl-p,ctrl-q", "Override the key sequence for detaching a container. Format is a single character `[a-Z]` or a comma separated sequence of ctrl-<value>")
	cmd.Flags().BoolVar(&streams.SigProxy, "sig-proxy", true, "Proxy received signals to the process")
	pick.bindLatest(cmd)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		name, rest, err := pick.one(e, args, fmt.Sprintf("%q requires a name, id, or the \"--latest\" flag", cmd.CommandPath()))
		if err != nil {
			return err
		}
		if len(rest) > 0 {
			return errdef.Newf(errdef.ErrInvalid, "no arguments are needed with --latest")
		}
		if !noStdin {
			streams.In = os.Stdin
		}
		c, err := e.Lookup(name)
		if err != nil {
			return err
		}
		status, err := e.Attach(cmd.Context(), c.ID, streams)
		if err != nil {
			return err
		}
		return exitWith(status)
	})
	return cmd
}

// NewExec is `podman exec`.
func NewExec(a *app.App) *cobra.Command {
	var pick choose
	var req engine.ExecRequest
	var cidFile string
	cmd := &cobra.Command{
		Use:     "exec [options] CONTAINER COMMAND [ARG...]",
		Short:   "Run a process in a running container",
		Long:    "Executes a command inside a running container.",
		Example: "  podman exec -it web sh\n  podman exec web cat /etc/hosts\n  podman exec -d web touch /tmp/file",
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.StringVar(&cidFile, "cidfile", "", "File to read the container ID from")
	f.BoolVarP(&req.Detach, "detach", "d", false, "Run the exec session in detached mode (backgrounded)")
	f.StringVar(&req.Streams.DetachKeys, "detach-keys", "ctrl-p,ctrl-q", "Select the key sequence for detaching a container")
	f.StringArrayVarP(&req.Env, "env", "e", nil, "Set environment variables")
	f.StringArrayVar(&req.EnvFiles, "env-file", nil, "Read in a file of environment variables")
	f.BoolVarP(&req.Interactive, "interactive", "i", false, "Make STDIN available to the contained process")
	f.BoolVar(&req.NoSession, "no-session", false, "Keep no record of the session: inspect doesn't show it")
	f.UintSliceVar(&req.PreserveFD, "preserve-fd", nil, "Pass a list of additional file descriptors to the container")
	f.UintVar(&req.PreserveFDs, "preserve-fds", 0, "Pass N additional file descriptors to the container")
	f.BoolVar(&req.Privileged, "privileged", false, "Give the process extended Linux capabilities inside the container")
	f.BoolVarP(&req.Terminal, "tty", "t", false, "Allocate a pseudo-TTY. The default is false")
	f.StringVarP(&req.User, "user", "u", "", "Sets the username or UID used and optionally the groupname or GID for the specified command")
	f.StringVarP(&req.WorkDir, "workdir", "w", "", "Working directory inside the container")
	pick.bindLatest(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cidFile != "" {
			if pick.latest {
				return errdef.Newf(errdef.ErrInvalid, "--cidfile and --latest cannot be used together")
			}
			id, err := readIDFile(cidFile)
			if err != nil {
				return err
			}
			args = append([]string{id}, args...)
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		name, command, err := pick.one(e, args, "exec requires the name or ID of a container or the --latest flag")
		if err != nil {
			return err
		}
		req.Command = command
		req.Streams.Out, req.Streams.Err, req.Streams.SigProxy = os.Stdout, os.Stderr, true
		if req.Interactive {
			req.Streams.In = os.Stdin
		}
		if req.Detach {
			req.Started = func(id string) { fmt.Fprintln(cmd.OutOrStdout(), id) }
		}
		status, err := e.Exec(cmd.Context(), name, req)
		if err != nil {
			return err
		}
		return exitWith(status)
	}
	return cmd
}

// NewExists is `podman container exists`.
func NewExists(a *app.App) *cobra.Command {
	var external bool
	cmd := &cobra.Command{
		Use:     "exists [options] CONTAINER",
		Short:   "Check if a container exists in local storage",
		Long:    "Ends with status 0 if the container exists and 1 if it doesn't.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman container exists web || podman create --name web localhost/web",
	}
	cmd.Flags().BoolVar(&external, "external", false, "Check external storage containers as well as Podman containers")
	cmd.RunE = a.With(func(_ *cobra.Command, e *engine.Engine, args []string) error {
		_, err := e.Lookup(args[0])
		if err != nil && external {
			_, err = e.Store.Container(args[0])
		}
		if err != nil {
			return &errdef.Exit{Code: 1}
		}
		return nil
	})
	return cmd
}
