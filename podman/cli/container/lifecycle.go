package container

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewStart is `podman start`.
func NewStart(a *app.App) *cobra.Command {
	pick := choose{missing: "start requires at least one argument"}
	var attach, interactive, proxy bool
	var keys string
	cmd := &cobra.Command{
		Use:     "start [options] CONTAINER [CONTAINER...]",
		Short:   "Start one or more containers",
		Long:    "Starts one or more containers.  The container name or ID can be used.",
		Example: "  podman start --latest\n  podman start -ai web",
	}
	pick.bindAll(cmd, "") // -a is --attach here
	cmd.Flags().BoolVarP(&attach, "attach", "a", false, "Attach container's STDOUT and STDERR")
	cmd.Flags().BoolVarP(&interactive, "interactive", "i", false, "Make STDIN available to the contained process")
	cmd.Flags().StringVar(&keys, "detach-keys", "ctrl-p,ctrl-q", "Override the key sequence for detaching a container. Format is a single character `[a-Z]` or a comma separated sequence of ctrl-<value>")
	cmd.Flags().BoolVar(&proxy, "sig-proxy", true, "Proxy received signals to the process (default true if attaching, false otherwise)")
	pick.bindFilter(cmd, "f")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, func(c *engine.Container) bool { return !c.Running() || c.State == engine.Initialized })
		if err != nil {
			return err
		}
		attach = attach || interactive
		if attach && len(names) > 1 {
			return errdef.Newf(errdef.ErrInvalid, "you cannot start and attach multiple containers at once")
		}
		if !attach && cmd.Flags().Changed("sig-proxy") && proxy {
			return errdef.Newf(errdef.ErrInvalid, "you cannot use sig-proxy without --attach: invalid argument")
		}
		streams := engine.Streams{DetachKeys: keys, SigProxy: proxy}
		if attach {
			streams.Out, streams.Err = os.Stdout, os.Stderr
		}
		if interactive {
			streams.In = os.Stdin
		}
		status := 0
		err = pick.each(quietIf(cmd, attach), names, func(name string) error {
			c, err := e.Lookup(name)
			if err != nil {
				return err
			}
			if attach && e.Running(c.ID) {
				status, err = e.Attach(cmd.Context(), c.ID, streams)
				return err
			}
			status, err = e.Start(cmd.Context(), c.ID, engine.StartRequest{Attach: attach, Streams: streams})
			if err != nil {
				return &errdef.Exit{Code: 125, Err: fmt.Errorf("unable to start container %q: %w", c.ID, err)}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return exitWith(status)
	})
	return cmd
}

// NewStop is `podman stop`.
func NewStop(a *app.App) *cobra.Command {
	var pick choose
	var timeout int
	cmd := &cobra.Command{
		Use:     "stop [options] CONTAINER [CONTAINER...]",
		Short:   "Stop one or more containers",
		Long:    "Stops one or more running containers: its stop signal first, SIGKILL when the time is out.",
		Example: "  podman stop web\n  podman stop --time 2 web db\n  podman stop --all",
	}
	pick.bind(cmd)
	pick.bindIgnore(cmd)
	pick.bindCIDFile(cmd)
	pick.bindFilter(cmd, "f")
	BindTime(cmd, &timeout)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, (*engine.Container).Active)
		if err != nil {
			return err
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error {
			_, err := e.Stop(cmd.Context(), name, StopTime(cmd, timeout))
			return err
		})
	})
	return cmd
}

// NewRestart is `podman restart`.
func NewRestart(a *app.App) *cobra.Command {
	var pick choose
	var timeout int
	var running bool
	cmd := &cobra.Command{
		Use:     "restart [options] CONTAINER [CONTAINER...]",
		Short:   "Restart one or more containers",
		Long:    "Stops the containers that run, then starts all that are named.",
		Example: "  podman restart web\n  podman restart --latest\n  podman restart --running",
	}
	pick.bind(cmd)
	pick.bindCIDFile(cmd)
	pick.bindFilter(cmd, "f")
	BindTime(cmd, &timeout)
	cmd.Flags().BoolVar(&running, "running", false, "Restart only running containers")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if running && len(args) == 0 && !pick.latest {
			pick.all = true
		}
		names, err := pick.names(e, args, func(c *engine.Container) bool { return !running || c.State == engine.Running })
		if err != nil {
			return err
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error { return e.Restart(cmd.Context(), name, StopTime(cmd, timeout)) })
	})
	return cmd
}

// NewKill is `podman kill`.
func NewKill(a *app.App) *cobra.Command {
	var pick choose
	var name string
	cmd := &cobra.Command{
		Use:     "kill [options] CONTAINER [CONTAINER...]",
		Short:   "Kill one or more running containers with a specific signal",
		Long:    "The main process inside each container specified is sent SIGKILL, or any signal specified with option --signal.",
		Example: "  podman kill web\n  podman kill --signal TERM web",
	}
	pick.bind(cmd)
	pick.bindCIDFile(cmd)
	cmd.Flags().StringVarP(&name, "signal", "s", "KILL", "Signal to send to the container")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		signal, err := engine.ParseSignal(name)
		if err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		names, err := pick.names(e, args, (*engine.Container).Active)
		if err != nil {
			return err
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error {
			_, err := e.Kill(name, signal)
			return err
		})
	}
	return cmd
}

// NewRemove is `podman rm`.
func NewRemove(a *app.App) *cobra.Command {
	var pick choose
	var req engine.RemoveRequest
	var timeout int
	cmd := &cobra.Command{
		Use:     "rm [options] CONTAINER [CONTAINER...]",
		Short:   "Remove one or more containers",
		Long:    "Removes one or more containers from the host. The container name or ID can be used. A running container is removed with --force only.",
		Example: "  podman rm web\n  podman rm --force --all\n  podman rm -v web",
	}
	pick.bind(cmd)
	pick.bindIgnore(cmd)
	pick.bindCIDFile(cmd)
	pick.bindFilter(cmd, "")
	cmd.Flags().BoolVar(&req.Depend, "depend", false, "Remove container and all containers that depend on the selected container")
	cmd.Flags().BoolVarP(&req.Force, "force", "f", false, "Force removal of a running container")
	cmd.Flags().BoolVarP(&req.Volumes, "volumes", "v", false, "Remove anonymous volumes associated with the container")
	BindTime(cmd, &timeout)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		// With all of its containers goes a pod, after them.
		var infra []string
		names, err := pick.names(e, args, func(c *engine.Container) bool {
			if c.Infra {
				infra = append(infra, c.ID)
			}
			return !c.Infra
		})
		if err != nil {
			return err
		}
		if pick.all {
			req.Pod = true
			names = append(names, infra...)
		}
		pick.ignore = pick.ignore || req.Force
		req.Timeout = StopTime(cmd, timeout)
		for _, name := range names { // a misspelt name is noticed while everything is there
			if _, err := e.Lookup(name); errors.Is(err, errdef.ErrNotFound) && !pick.ignore {
				return removeStatus(name, err)
			}
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error {
			return removeStatus(name, e.Remove(cmd.Context(), name, req))
		})
	})
	return cmd
}

// removeStatus gives an error of a removal the status that scripts know: 1
// for a container that isn't there, 2 for one that runs.
func removeStatus(name string, err error) error {
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return &errdef.Exit{Code: 1, Err: errdef.Newf(errdef.ErrNotFound, "no container with ID or name %q found: no such container", name)}
	case errors.Is(err, errdef.ErrBusy):
		return &errdef.Exit{Code: 2, Err: err}
	}
	return err
}

// NewPause is `podman pause`.
func NewPause(a *app.App) *cobra.Command {
	return newFreeze(a, "pause", "Pause all the processes in one or more containers", func(c *engine.Container) bool { return c.State == engine.Running },
		(*engine.Engine).Pause)
}

// NewUnpause is `podman unpause`.
func NewUnpause(a *app.App) *cobra.Command {
	return newFreeze(a, "unpause", "Unpause the processes in one or more containers", func(c *engine.Container) bool { return c.State == engine.Paused },
		(*engine.Engine).Unpause)
}

func newFreeze(a *app.App, name, short string, keep func(*engine.Container) bool, do func(*engine.Engine, context.Context, string) error) *cobra.Command {
	var pick choose
	cmd := &cobra.Command{
		Use:     name + " [options] CONTAINER [CONTAINER...]",
		Short:   short,
		Long:    short + ". The container name or ID can be used.",
		Example: "  podman " + name + " web\n  podman " + name + " --all",
	}
	pick.bind(cmd)
	pick.bindCIDFile(cmd)
	pick.bindFilter(cmd, "f")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, keep)
		if err != nil {
			return err
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error { return do(e, cmd.Context(), name) })
	})
	return cmd
}

// NewCleanup is `podman container cleanup`, which a container's monitor runs
// when nobody is left who would.
func NewCleanup(a *app.App) *cobra.Command {
	var pick choose
	var req engine.CleanupRequest
	var session string
	cmd := &cobra.Command{
		Use:     "cleanup [options] CONTAINER [CONTAINER...]",
		Short:   "Clean up network and mountpoints of one or more containers",
		Long:    "Cleans up what the run of a container that has ended left: mounts, network, runtime state. A running container is left alone.",
		Example: "  podman container cleanup web\n  podman container cleanup --all",
	}
	pick.bind(cmd)
	cmd.Flags().BoolVar(&req.Remove, "rm", false, "After cleanup, remove the container entirely")
	cmd.Flags().BoolVar(&req.RemoveImage, "rmi", false, "After cleanup, remove the image entirely")
	cmd.Flags().StringVar(&session, "exec", "", "Clean up the given exec session instead of the container")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, nil)
		if err != nil {
			return err
		}
		if session != "" && (len(names) != 1 || req.Remove || req.RemoveImage) {
			return errdef.Newf(errdef.ErrInvalid, "--exec takes one container, and neither --rm nor --rmi")
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error {
			if session != "" {
				return e.CleanupExec(name, session)
			}
			return e.CleanupContainer(cmd.Context(), name, req)
		})
	})
	return cmd
}

// NewInit is `podman init`.
func NewInit(a *app.App) *cobra.Command {
	var pick choose
	cmd := &cobra.Command{
		Use:     "init [options] CONTAINER [CONTAINER...]",
		Short:   "Initialize one or more containers",
		Long:    "Brings containers up to the point where their command would begin: mounted, connected, with their first process.",
		Example: "  podman init web\n  podman init --all",
	}
	pick.bind(cmd)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, func(c *engine.Container) bool { return c.State == engine.Created || c.State == engine.Exited })
		if err != nil {
			return err
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error { return e.Init(cmd.Context(), name) })
	})
	return cmd
}

// NewRename is `podman rename`.
func NewRename(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "rename CONTAINER NAME",
		Short:   "Rename an existing container",
		Long:    "Gives an existing container another name.",
		Args:    cobra.ExactArgs(2),
		Example: "  podman rename web old-web",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, args []string) error {
			return e.Rename(args[0], args[1])
		}),
	}
}

// BindTime declares how long containers have to stop.
func BindTime(cmd *cobra.Command, timeout *int) {
	cmd.Flags().IntVarP(timeout, "time", "t", 10, "Seconds to wait for stop before killing the container")
}

// StopTime is the time to stop in that was asked for; nil is each container's
// own. A negative one is as long as it takes.
func StopTime(cmd *cobra.Command, seconds int) *uint {
	if !cmd.Flags().Changed("time") {
		return nil
	}
	t := uint(math.MaxInt32)
	if seconds >= 0 {
		t = uint(seconds)
	}
	return &t
}
