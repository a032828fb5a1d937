package container

import (
	"fmt"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

type runFlags struct {
	createFlags
	detach     bool
	detachKeys string
	sigProxy   bool
	attach     []string
}

// NewRun is `podman run`.
func NewRun(a *app.App) *cobra.Command {
	f := new(runFlags)
	cmd := &cobra.Command{
		Use:   "run [options] IMAGE [COMMAND [ARG...]]",
		Short: "Run a command in a new container",
		Long:  "Runs a command in a new container from the given image.",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return f.run(cmd, a, args) },
		Example: "  podman run --rm -it alpine sh\n  podman run -d --name web -p 8080:80 localhost/web\n" +
			"  podman run --network none --read-only alpine ls",
	}
	f.bind(cmd)
	cmd.Flags().BoolVarP(&f.detach, "detach", "d", false, "Run container in background and print container ID")
	cmd.Flags().StringVar(&f.detachKeys, "detach-keys", "ctrl-p,ctrl-q", "Override the key sequence for detaching a container. Format is a single character [a-Z] or a comma separated sequence of ctrl-<value>")
	cmd.Flags().BoolVar(&f.sigProxy, "sig-proxy", true, "Proxy received signals to the process")
	cmd.Flags().StringSliceVarP(&f.attach, "attach", "a", nil, "Attach to STDIN, STDOUT or STDERR")
	cmd.Flags().BoolVar(&f.req.RemoveImage, "rmi", false, "Remove image unless used by other containers, implies --rm")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, a *app.App, args []string) error {
	req, err := f.request(cmd, args)
	if err != nil {
		return err
	}
	req.DetachKeys = f.detachKeys
	req.AutoRemove = req.AutoRemove || req.RemoveImage
	streams, err := f.streams()
	if err != nil {
		return err
	}
	e, err := a.Engine()
	if err != nil {
		return err
	}
	defer e.Close()
	c, status, err := e.Run(cmd.Context(), req, engine.StartRequest{Attach: !f.detach, Streams: streams})
	if c == nil {
		return errdefExit(err, 125)
	}
	if err != nil {
		if req.AutoRemove {
			// Its process never was: with --rm nothing stays behind.
			e.Remove(cmd.Context(), c.ID, engine.RemoveRequest{Force: true, Volumes: true})
		}
		return errdefExit(err, 126)
	}
	if f.detach {
		fmt.Fprintln(cmd.OutOrStdout(), c.ID)
		return nil
	}
	return exitWith(status)
}

// streams chooses what of this command's is attached.
func (f *runFlags) streams() (engine.Streams, error) {
	s := engine.Streams{DetachKeys: f.detachKeys, SigProxy: f.sigProxy, Out: os.Stdout, Err: os.Stderr}
	if f.detach && len(f.attach) > 0 {
		return s, errdef.Newf(errdef.ErrInvalid, "cannot specify both --attach and --detach")
	}
	if f.req.Interactive {
		s.In = os.Stdin
	}
	if len(f.attach) > 0 {
		s.In, s.Out, s.Err = nil, nil, nil
		for _, name := range f.attach {
			switch name {
			case "stdin", "STDIN":
				s.In = os.Stdin
			case "stdout", "STDOUT":
				s.Out = os.Stdout
			case "stderr", "STDERR":
				s.Err = os.Stderr
			default:
				return s, errdef.Newf(errdef.ErrInvalid, "invalid stream %q for --attach - must be one of stdin, stdout, or stderr", name)
			}
		}
	}
	if f.req.Terminal && f.req.Interactive && !f.detach && !cliout.IsTerminal(os.Stdin) {
		cliout.Warn(os.Stderr, "The input device is not a TTY. The --tty and --interactive flags might not work properly")
	}
	return s, nil
}
