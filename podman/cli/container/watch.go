package container

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

func quietIf(cmd *cobra.Command, quiet bool) io.Writer {
	if quiet {
		return io.Discard
	}
	return cmd.OutOrStdout()
}

// changed is the flag's value where the user gave it, else nil.
func changed[T any](cmd *cobra.Command, flag string, value *T) *T {
	if cmd.Flags().Changed(flag) {
		return value
	}
	return nil
}

// NewLogs is `podman logs`.
func NewLogs(a *app.App) *cobra.Command {
	var req engine.LogRequest
	var since, until string
	var stamps, names bool
	cmd := &cobra.Command{
		Use:     "logs [options] CONTAINER [CONTAINER...]",
		Short:   "Fetch the logs of one or more containers",
		Long:    "Retrieves logs for one or more containers.",
		Args:    cobra.MinimumNArgs(1),
		Example: "  podman logs web\n  podman logs --tail 2 -f web\n  podman logs --since 10m web",
	}
	cmd.Flags().BoolVarP(&req.Follow, "follow", "f", false, "Follow log output")
	cmd.Flags().IntVar(&req.Tail, "tail", -1, "Output the specified number of LINES at the end of the logs.  Defaults to -1, which prints all lines")
	cmd.Flags().StringVar(&since, "since", "", "Show logs since TIMESTAMP")
	cmd.Flags().StringVar(&until, "until", "", "Show logs until TIMESTAMP")
	cmd.Flags().BoolVarP(&stamps, "timestamps", "t", false, "Output the timestamps in the log")
	cmd.Flags().BoolVarP(&names, "names", "n", false, "Output the container name in the log")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, t := range []struct {
			flag, text string
			to         *time.Time
		}{{"since", since, &req.Since}, {"until", until, &req.Until}} {
			if t.text == "" {
				continue
			}
			var err error
			if *t.to, err = parseTime(t.text); err != nil {
				return errdef.Newf(errdef.ErrInvalid, "parsing --%s %q: unable to interpret time value", t.flag, t.text)
			}
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		for _, name := range args {
			begun := map[string]bool{} // streams in the middle of a line
			err := e.Logs(ctx, name, req, func(l engine.LogLine) error {
				return printLog(l, name, stamps, names, begun)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func printLog(l engine.LogLine, name string, stamps, names bool, begun map[string]bool) error {
	var b strings.Builder
	if !begun[l.Stream] {
		if names {
			b.WriteString(name + " ")
		}
		if stamps {
			b.WriteString(l.Time.Format("2006-01-02T15:04:05.000000000-07:00") + " ")
		}
	}
	b.WriteString(l.Text)
	if begun[l.Stream] = l.Partial; !l.Partial {
		b.WriteByte('\n')
	}
	out := os.Stdout
	if l.Stream == "stderr" {
		out = os.Stderr
	}
	_, err := out.WriteString(b.String())
	return err
}

// parseTime reads a point in time: RFC 3339, a date, seconds since 1970, or
// how long ago it was (10m).
func parseTime(s string) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return time.Now().Add(-d), nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return time.Unix(0, int64(f*float64(time.Second))), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errdef.Newf(errdef.ErrInvalid, "unable to interpret time value %q", s)
}

// NewWait is `podman wait`.
func NewWait(a *app.App) *cobra.Command {
	var ignore bool
	cmd := &cobra.Command{
		Use:     "wait [options] CONTAINER [CONTAINER...]",
		Short:   "Block on one or more containers",
		Long:    "Waits until the containers have stopped, and prints the exit status of each.",
		Args:    cobra.MinimumNArgs(1),
		Example: "  podman wait web",
	}
	cmd.Flags().BoolVar(&ignore, "ignore", false, "Ignore if a container does not exist")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		for _, name := range args {
			status, err := e.Wait(name)
			if err != nil && !ignore {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), status)
		}
		return nil
	})
	return cmd
}

// NewAttach is `podman attach`.
func NewAttach(a *app.App) *cobra.Command {
	var noStdin bool
	streams := engine.Streams{Out: os.Stdout, Err: os.Stderr}
	cmd := &cobra.Command{
		Use:     "attach [options] CONTAINER",
		Short:   "Attach to a running container",
		Long:    "Connects this terminal to the output of a running container, and its input to the container's.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman attach web\n  podman attach --no-stdin web",
	}
	cmd.Flags().BoolVar(&noStdin, "no-stdin", false, "Do not attach STDIN. The default is false")
	cmd.Flags().StringVar(&streams.DetachKeys, "detach-keys", "ctrl-p,ctrl-q", "Override the key sequence for detaching a container")
	cmd.Flags().BoolVar(&streams.SigProxy, "sig-proxy", true, "Proxy received signals to the process")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if !noStdin {
			streams.In = os.Stdin
		}
		c, err := e.Lookup(args[0])
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
	var req engine.ExecRequest
	cmd := &cobra.Command{
		Use:     "exec [options] CONTAINER COMMAND [ARG...]",
		Short:   "Run a process in a running container",
		Long:    "Executes a command inside a running container.",
		Args:    cobra.MinimumNArgs(1),
		Example: "  podman exec -it web sh\n  podman exec web cat /etc/hosts\n  podman exec -d web touch /tmp/file",
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.BoolVarP(&req.Detach, "detach", "d", false, "Run the exec session in detached mode (backgrounded)")
	f.StringVar(&req.Streams.DetachKeys, "detach-keys", "ctrl-p,ctrl-q", "Override the key sequence for detaching a container")
	f.StringArrayVarP(&req.Env, "env", "e", nil, "Set environment variables")
	f.StringArrayVar(&req.EnvFiles, "env-file", nil, "Read in a file of environment variables")
	f.BoolVarP(&req.Interactive, "interactive", "i", false, "Make STDIN available to the contained process")
	f.BoolVar(&req.Privileged, "privileged", false, "Give the process extended Linux capabilities inside the container")
	f.BoolVarP(&req.Terminal, "tty", "t", false, "Allocate a pseudo-TTY. The default is false")
	f.StringVarP(&req.User, "user", "u", "", "Sets the username or UID used and optionally the groupname or GID for the specified command")
	f.StringVarP(&req.WorkDir, "workdir", "w", "", "Working directory inside the container")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		req.Command = args[1:]
		req.Streams.Out, req.Streams.Err, req.Streams.SigProxy = os.Stdout, os.Stderr, true
		if req.Interactive {
			req.Streams.In = os.Stdin
		}
		status, err := e.Exec(cmd.Context(), args[0], req)
		if err != nil {
			return err
		}
		return exitWith(status)
	})
	return cmd
}

// NewExists is `podman container exists`.
func NewExists(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "exists CONTAINER",
		Short:   "Check if a container exists in local storage",
		Long:    "Ends with status 0 if the container exists and 1 if it doesn't.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman container exists web || podman create --name web localhost/web",
		RunE: a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
			if _, err := e.Lookup(args[0]); err != nil {
				return &errdef.Exit{Code: 1}
			}
			return nil
		}),
	}
}
