package container

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewStart is `podman start`.
func NewStart(a *app.App) *cobra.Command {
	var pick choose
	var attach, interactive bool
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
	cmd.Flags().StringVar(&keys, "detach-keys", "ctrl-p,ctrl-q", "Override the key sequence for detaching a container")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, func(c *engine.Container) bool { return !c.Running() })
		if err != nil {
			return err
		}
		attach = attach || interactive
		if attach && len(names) > 1 {
			return errdef.Newf(errdef.ErrInvalid, "you cannot start and attach multiple containers at once")
		}
		streams := engine.Streams{DetachKeys: keys, SigProxy: true}
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
	var timeout uint
	cmd := &cobra.Command{
		Use:     "stop [options] CONTAINER [CONTAINER...]",
		Short:   "Stop one or more containers",
		Long:    "Stops one or more running containers: its stop signal first, SIGKILL when the time is out.",
		Example: "  podman stop web\n  podman stop --time 2 web db\n  podman stop --all",
	}
	pick.bind(cmd, true)
	cmd.Flags().UintVarP(&timeout, "time", "t", 10, "Seconds to wait for stop before killing the container")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, (*engine.Container).Active)
		if err != nil {
			return err
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error {
			_, err := e.Stop(cmd.Context(), name, changed(cmd, "time", &timeout))
			return err
		})
	})
	return cmd
}

// NewRestart is `podman restart`.
func NewRestart(a *app.App) *cobra.Command {
	var pick choose
	var timeout uint
	cmd := &cobra.Command{
		Use:     "restart [options] CONTAINER [CONTAINER...]",
		Short:   "Restart one or more containers",
		Long:    "Stops the containers that run, then starts all that are named.",
		Example: "  podman restart web\n  podman restart --latest",
	}
	pick.bind(cmd, false)
	cmd.Flags().UintVarP(&timeout, "time", "t", 10, "Seconds to wait for stop before killing the container")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, nil)
		if err != nil {
			return err
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error {
			c, err := e.Lookup(name)
			if err != nil {
				return err
			}
			if _, err := e.Stop(cmd.Context(), c.ID, changed(cmd, "time", &timeout)); err != nil {
				return err
			}
			_, err = e.Start(cmd.Context(), c.ID, engine.StartRequest{})
			return err
		})
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
	pick.bind(cmd, false)
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
	var timeout uint
	cmd := &cobra.Command{
		Use:     "rm [options] CONTAINER [CONTAINER...]",
		Short:   "Remove one or more containers",
		Long:    "Removes one or more containers from the host. The container name or ID can be used. A running container is removed with --force only.",
		Example: "  podman rm web\n  podman rm --force --all\n  podman rm -v web",
	}
	pick.bind(cmd, true)
	cmd.Flags().BoolVarP(&req.Force, "force", "f", false, "Force removal of a running container")
	cmd.Flags().BoolVarP(&req.Volumes, "volumes", "v", false, "Remove anonymous volumes associated with the container")
	cmd.Flags().UintVarP(&timeout, "time", "t", 10, "Seconds to wait for stop before killing the container")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, nil)
		if err != nil {
			return err
		}
		pick.ignore = pick.ignore || req.Force
		req.Timeout = changed(cmd, "time", &timeout)
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
	pick.bind(cmd, false)
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
	cmd := &cobra.Command{
		Use:   "cleanup [options] CONTAINER [CONTAINER...]",
		Short: "Clean up network and mountpoints of one or more containers",
		Long:  "Cleans up what the run of a container that has ended left: mounts, network, runtime state. A running container is left alone.",
	}
	pick.bind(cmd, false)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		names, err := pick.names(e, args, nil)
		if err != nil {
			return err
		}
		return pick.each(cmd.OutOrStdout(), names, func(name string) error {
			c, err := e.Lookup(name)
			if err != nil {
				return err
			}
			return e.Cleanup(cmd.Context(), c.ID)
		})
	})
	return cmd
}
