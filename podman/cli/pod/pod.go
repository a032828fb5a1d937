package pod

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewPod is `podman pod`.
func NewPod(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pod",
		Short: "Manage pods",
		Long:  "Pods are a group of one or more containers sharing the same network, pid and ipc namespaces.",
	}
	for _, add := range []func(*app.App) *cobra.Command{
		newClone, newCreate, newExists, newInspect, newKill, newLogs, newPause, newPs, newPrune, newRemove, newRestart, newStart, newStats, newStop, newTop, newUnpause,
	} {
		cmd.AddCommand(add(a))
	}
	return cmd
}

// choose finds the pods that a command is about.
type choose struct {
	all, latest, ignore bool
	files               []string
	missing             string // what to say where none is given; "" is the usual
}

func (c *choose) bind(cmd *cobra.Command, action string) {
	cmd.Flags().BoolVarP(&c.all, "all", "a", false, action+" all pods")
	c.bindLatest(cmd)
}

func (c *choose) bindLatest(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.latest, "latest", "l", false, "Act on the latest pod podman is aware of")
}

func (c *choose) bindFiles(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&c.files, "pod-id-file", nil, "Read the pod ID from the file")
}

func (c *choose) bindIgnore(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.ignore, "ignore", "i", false, "Ignore errors when a specified pod is missing")
}

// check refuses contradictions before anything is opened.
func (c *choose) check(args []string) error {
	switch {
	case c.all && c.latest:
		return errdef.Newf(errdef.ErrInvalid, "--all and --latest cannot be used together")
	case (c.all || c.latest) && len(args) > 0:
		return errdef.Newf(errdef.ErrInvalid, "no arguments are needed with %s", map[bool]string{true: "--all", false: "--latest"}[c.all])
	case (c.all || c.latest) && len(c.files) > 0:
		return errdef.Newf(errdef.ErrInvalid, "--all, --latest, and --pod-id-file cannot be used together")
	case !c.all && !c.latest && len(args)+len(c.files) == 0:
		if c.missing != "" {
			return errdef.Newf(errdef.ErrInvalid, "%s", c.missing)
		}
		return errdef.Newf(errdef.ErrInvalid, "you must provide at least one name or id")
	}
	return nil
}

// names lists them; keep chooses among all.
func (c *choose) names(e *engine.Engine, args []string, keep func(*engine.Pod) bool) ([]string, error) {
	if c.latest {
		p, err := e.LatestPod()
		if err != nil {
			return nil, err
		}
		return []string{p.ID}, nil
	}
	names := args
	if c.all {
		pods, err := e.ListPods()
		if err != nil {
			return nil, err
		}
		for _, p := range pods {
			if keep == nil || keep(p) {
				names = append(names, p.ID)
			}
		}
	}
	for _, file := range c.files {
		id, err := engine.ReadPodIDFile(file)
		if c.ignore && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		names = append(names, id)
	}
	return names, nil
}

// each does something to every pod, prints what do returns, and goes on after
// an error; the errors come together at the end.
func (c *choose) each(w io.Writer, names []string, do func(name string) (string, []error)) error {
	var all []error
	for _, name := range names {
		done, errs := do(name)
		if (c.ignore || c.all) && len(errs) == 1 && errors.Is(errs[0], errdef.ErrNotFound) {
			continue // of all, one may have gone meanwhile
		}
		if len(errs) > 0 {
			all = append(all, errs...)
			continue
		}
		fmt.Fprintln(w, done)
	}
	return say.Errors(all)
}

// newExists is `podman pod exists`.
func newExists(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "exists POD",
		Short:   "Check if a pod exists in local storage",
		Long:    "If the named pod exists in local storage, podman pod exists exits with 0, otherwise the exit code will be 1.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman pod exists web",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, args []string) error {
			_, err := e.Pods().Find(args[0])
			if errors.Is(err, errdef.ErrNotFound) {
				return &errdef.Exit{Code: 1}
			}
			return err
		}),
	}
}

// newInspect is `podman pod inspect`.
func newInspect(a *app.App) *cobra.Command {
	var format string
	pick := choose{missing: "no names or ids specified"}
	cmd := &cobra.Command{
		Use:     "inspect [options] POD [POD...]",
		Short:   "Display a pod configuration",
		Long:    "Displays the configuration for a pod by name or id. By default, this will render all results in a JSON array.",
		Example: "  podman pod inspect web\n  podman pod inspect --format '{{.State}}' web",
	}
	cmd.Flags().StringVarP(&format, "format", "f", "json", "Format the output to a Go template or json")
	pick.bindLatest(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := pick.check(args); err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		names, err := pick.names(e, args, nil)
		if err != nil {
			return err
		}
		return app.PrintObjects(cmd, names, format, func(name string) (any, error) {
			info, err := e.InspectPod(name)
			if errors.Is(err, errdef.ErrNotFound) {
				return nil, errdef.Newf(errdef.ErrNotFound, "no such pod %s", name)
			}
			return app.Found(info, err)
		})
	}
	return cmd
}
