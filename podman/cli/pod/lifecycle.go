package pod

import (
	"context"
	"errors"
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/container"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/podman/engine/pod"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// run makes the RunE of a command that does something to each of its pods.
func (c *choose) run(a *app.App, keep func(*engine.Pod) bool, do func(ctx context.Context, e *engine.Engine, name string) (string, []error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := c.check(args); err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		names, err := c.names(e, args, keep)
		if err != nil {
			return err
		}
		return c.each(cmd.OutOrStdout(), names, func(name string) (string, []error) { return do(cmd.Context(), e, name) })
	}
}

// id is what most commands print: the pod's whole ID.
func id(p *pod.Pod, errs []error) (string, []error) {
	if len(errs) > 0 {
		return "", errs
	}
	return p.ID, nil
}

func active(p *engine.Pod) bool {
	s := p.State()
	return s == engine.PodRunning || s == engine.PodDegraded || s == engine.PodPaused
}

// newStart is `podman pod start`.
func newStart(a *app.App) *cobra.Command {
	var pick choose
	cmd := &cobra.Command{
		Use:     "start [options] POD [POD...]",
		Short:   "Start one or more pods",
		Long:    "Starts the containers of the pods: those that run before the rest first, one after the other to their end.",
		Example: "  podman pod start web\n  podman pod start --all",
	}
	pick.bind(cmd, "Start")
	pick.bindFiles(cmd)
	cmd.RunE = pick.run(a, nil, func(ctx context.Context, e *engine.Engine, name string) (string, []error) {
		_, errs := e.StartPod(ctx, name)
		return name, errs
	})
	return cmd
}

// newStop is `podman pod stop`.
func newStop(a *app.App) *cobra.Command {
	var pick choose
	var timeout int
	cmd := &cobra.Command{
		Use:     "stop [options] POD [POD...]",
		Short:   "Stop one or more pods",
		Long:    "Stops the containers of the pods, all at once, and the infra container when they have ended.",
		Example: "  podman pod stop web\n  podman pod stop --time 2 web\n  podman pod stop --all",
	}
	pick.bind(cmd, "Stop")
	pick.bindIgnore(cmd)
	pick.bindFiles(cmd)
	container.BindTime(cmd, &timeout)
	cmd.RunE = pick.run(a, nil, func(ctx context.Context, e *engine.Engine, name string) (string, []error) {
		_, errs := e.StopPod(ctx, name, container.StopTime(cmd, timeout))
		return name, errs
	})
	return cmd
}

// newRestart is `podman pod restart`.
func newRestart(a *app.App) *cobra.Command {
	var pick choose
	cmd := &cobra.Command{
		Use:     "restart [options] POD [POD...]",
		Short:   "Restart one or more pods",
		Long:    "Stops the containers of the pods that run, then starts all of them.",
		Example: "  podman pod restart web\n  podman pod restart --all",
	}
	pick.bind(cmd, "Restart")
	cmd.RunE = pick.run(a, nil, func(ctx context.Context, e *engine.Engine, name string) (string, []error) {
		return id(e.RestartPod(ctx, name))
	})
	return cmd
}

// newKill is `podman pod kill`.
func newKill(a *app.App) *cobra.Command {
	var pick choose
	var name string
	cmd := &cobra.Command{
		Use:     "kill [options] POD [POD...]",
		Short:   "Send the specified signal or SIGKILL to containers in pod",
		Long:    "Sends the signal to the first process of every container of the pods that runs.",
		Example: "  podman pod kill web\n  podman pod kill --signal TERM web",
	}
	pick.bind(cmd, "Kill")
	cmd.Flags().StringVarP(&name, "signal", "s", "KILL", "Signal to send to the containers in the pod")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		signal, err := engine.ParseSignal(name)
		if err != nil {
			return err
		}
		return pick.run(a, active, func(_ context.Context, e *engine.Engine, name string) (string, []error) {
			return id(e.KillPod(name, signal))
		})(cmd, args)
	}
	return cmd
}

// newPause is `podman pod pause`.
func newPause(a *app.App) *cobra.Command {
	var pick choose
	cmd := &cobra.Command{
		Use:     "pause [options] POD [POD...]",
		Short:   "Pause one or more pods",
		Long:    "Pauses the running containers of the pods.",
		Example: "  podman pod pause web\n  podman pod pause --all",
	}
	pick.bind(cmd, "Pause")
	cmd.RunE = pick.run(a, active, func(ctx context.Context, e *engine.Engine, name string) (string, []error) {
		return id(e.PausePod(ctx, name))
	})
	return cmd
}

// newUnpause is `podman pod unpause`.
func newUnpause(a *app.App) *cobra.Command {
	var pick choose
	cmd := &cobra.Command{
		Use:     "unpause [options] POD [POD...]",
		Short:   "Unpause one or more pods",
		Long:    "Lets the paused containers of the pods go on.",
		Example: "  podman pod unpause web\n  podman pod unpause --all",
	}
	pick.bind(cmd, "Unpause")
	cmd.RunE = pick.run(a, func(p *engine.Pod) bool { return p.State() == engine.PodPaused }, func(ctx context.Context, e *engine.Engine, name string) (string, []error) {
		return id(e.UnpausePod(ctx, name))
	})
	return cmd
}

// newRemove is `podman pod rm`.
func newRemove(a *app.App) *cobra.Command {
	var pick choose
	var req engine.RemovePodRequest
	var timeout int
	cmd := &cobra.Command{
		Use:     "rm [options] POD [POD...]",
		Short:   "Remove one or more pods",
		Long:    "Removes the pods with their containers. Containers that run are removed with --force only.",
		Example: "  podman pod rm web\n  podman pod rm --force --all",
	}
	pick.bind(cmd, "Remove")
	pick.bindIgnore(cmd)
	pick.bindFiles(cmd)
	cmd.Flags().BoolVarP(&req.Force, "force", "f", false, "Force removal of a running pod by first stopping all containers, then removing all containers in the pod.  The default is false")
	container.BindTime(cmd, &timeout)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		pick.ignore = pick.ignore || req.Force
		req.Timeout = container.StopTime(cmd, timeout)
		return pick.run(a, nil, func(ctx context.Context, e *engine.Engine, name string) (string, []error) {
			id, err := e.RemovePod(ctx, name, req)
			if errors.Is(err, errdef.ErrNotFound) {
				err = &errdef.Exit{Code: 1, Err: err}
			}
			if err != nil {
				return "", []error{err}
			}
			return id, nil
		})(cmd, args)
	}
	return cmd
}

// newPrune is `podman pod prune`.
func newPrune(a *app.App) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "prune [options]",
		Short:   "Remove all stopped pods and their containers",
		Long:    "Removes all pods of which nothing runs any more, with their containers.",
		Args:    cobra.NoArgs,
		Example: "  podman pod prune --force",
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation.  The default is false")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !force {
			yes, err := say.Confirm(cmd.InOrStdin(), cmd.OutOrStdout(), "WARNING! This will remove all stopped/exited pods..")
			if err != nil || !yes {
				return err
			}
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		removed, errs := e.PrunePods(cmd.Context())
		for _, id := range removed {
			fmt.Fprintln(cmd.OutOrStdout(), id)
		}
		return say.Errors(errs)
	}
	return cmd
}
