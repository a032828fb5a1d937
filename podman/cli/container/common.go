package container

import (
	"errors"
	"fmt"
	"io"

	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// exitWith passes a container's exit status on.
func exitWith(status int) error {
	if status == 0 {
		return nil
	}
	return &errdef.Exit{Code: status}
}

// errdefExit gives err the exit status code, unless it has one.
func errdefExit(err error, code int) error {
	var exit *errdef.Exit
	if errors.As(err, &exit) {
		return err
	}
	return &errdef.Exit{Code: code, Err: err}
}

// choose finds the containers that a command is about: the arguments, or with
// --all or --latest those of the engine.
type choose struct {
	all, latest bool
	ignore      bool
}

func (c *choose) bind(cmd *cobra.Command, ignore bool) {
	c.bindAll(cmd, "a")

	if ignore {
		cmd.Flags().BoolVarP(&c.ignore, "ignore", "i", false, "Ignore errors when a specified container is missing")
	}
}

// bindAll declares --all with the given letter and --latest.
func (c *choose) bindAll(cmd *cobra.Command, letter string) {
	cmd.Flags().BoolVarP(&c.all, "all", letter, false, "Process all containers")
	cmd.Flags().BoolVarP(&c.latest, "latest", "l", false, "Act on the latest container podman is aware of")
}

// names lists them; keep chooses among all.
func (c *choose) names(e *engine.Engine, args []string, keep func(*engine.Container) bool) ([]string, error) {
	switch {
	case c.all && c.latest:
		return nil, errdef.Newf(errdef.ErrInvalid, "--all and --latest cannot be used together")
	case (c.all || c.latest) && len(args) > 0:
		return nil, errdef.Newf(errdef.ErrInvalid, "no arguments are needed with %s", map[bool]string{true: "--all", false: "--latest"}[c.all])
	case c.latest:
		last, err := e.Latest()
		return []string{last.ID}, err
	case c.all:
		list, err := e.List(nil)
		var names []string
		for i := range list {
			if keep == nil || keep(&list[i]) {
				names = append(names, list[i].ID)
			}
		}
		return names, err
	case len(args) == 0:
		return nil, errdef.Newf(errdef.ErrInvalid, "you must provide at least one name or id")
	}
	return args, nil
}

// each does something to every container, prints its name when done, and goes
// on after an error; the errors come together at the end.
func (c *choose) each(w io.Writer, names []string, do func(name string) error) error {
	var errs []error
	for _, name := range names {
		err := do(name)
		if c.ignore && errors.Is(err, errdef.ErrNotFound) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintln(w, name)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
