package container

import (
	"fmt"
	"os"
	"strings"

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
	passwd     bool
	attach     []string
	start      engine.StartRequest
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
	cmd.Flags().BoolVar(&f.passwd, "passwd", true, "Add entries to /etc/passwd and /etc/group")
	cmd.Flags().UintSliceVar(&f.start.PreserveFD, "preserve-fd", nil, "Pass a file descriptor into the container")
	cmd.Flags().UintVar(&f.start.PreserveFDs, "preserve-fds", 0, "Pass a number of additional file descriptors into the container")
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
	req.NoPasswd = !f.passwd
	f.start.Attach = !f.detach
	if f.start.Streams, err = f.streams(); err != nil {
		return err
	}
	e, err := a.Engine()
	if err != nil {
		return err
	}
	defer e.Close()
	if req.PullOptions.Keys, err = f.decryption.Value(); err != nil {
		return errdefExit(err, 125)
	}
	c, status, err := e.Run(cmd.Context(), req, f.start)
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
		names, err := streamNames(f.attach)
		if err != nil {
			return s, err
		}
		for _, name := range names {
			switch name {
			case "stdin":
				s.In = os.Stdin
			case "stdout":
				s.Out = os.Stdout
			case "stderr":
				s.Err = os.Stderr
			}
		}
	}
	if f.req.Terminal && f.req.Interactive && !f.detach && !cliout.IsTerminal(os.Stdin) {
		cliout.Warn(os.Stderr, "The input device is not a TTY. The --tty and --interactive flags might not work properly")
	}
	return s, nil
}

// streamNames reads the names of standard streams, in small or capital letters.
func streamNames(asked []string) (names []string, err error) {
	for _, name := range asked {
		switch low := strings.ToLower(name); low {
		case "stdin", "stdout", "stderr":
			names = append(names, low)
		default:
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid stream %q for --attach - must be one of stdin, stdout, or stderr", name)
		}
	}
	return names, nil
}
