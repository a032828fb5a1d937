package container

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// choose finds the containers that a command is about: the arguments, those
// of files with IDs, or with --all, --latest or --filter those of the engine.
type choose struct {
	all, latest bool
	ignore      bool
	cidFiles    []string
	filters     []string

	optional bool   // none is fine
	missing  string // what to say where none is given; "" is the usual
}

func (c *choose) bind(cmd *cobra.Command) { c.bindAll(cmd, "a") }

// bindAll declares --all with the given letter and --latest.
func (c *choose) bindAll(cmd *cobra.Command, letter string) {
	cmd.Flags().BoolVarP(&c.all, "all", letter, false, "Process all containers")
	c.bindLatest(cmd)
}

func (c *choose) bindLatest(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.latest, "latest", "l", false, "Act on the latest container podman is aware of")
}

func (c *choose) bindIgnore(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.ignore, "ignore", "i", false, "Ignore errors when a specified container is missing")
}

func (c *choose) bindCIDFile(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&c.cidFiles, "cidfile", nil, "Read the container ID from the file")
}

// bindFilter declares --filter with the given letter, which some commands use
// for something else.
func (c *choose) bindFilter(cmd *cobra.Command, letter string) {
	cmd.Flags().StringArrayVarP(&c.filters, "filter", letter, nil, "Filter output based on conditions given")
}

// names lists them; keep chooses among all, or among those of the filters.
func (c *choose) names(e *engine.Engine, args []string, keep func(*engine.Container) bool) ([]string, error) {
	switch {
	case c.all && c.latest:
		return nil, errdef.Newf(errdef.ErrInvalid, "--all and --latest cannot be used together")
	case (c.all || c.latest) && len(args) > 0:
		return nil, errdef.Newf(errdef.ErrInvalid, "no arguments are needed with %s", map[bool]string{true: "--all", false: "--latest"}[c.all])
	case len(c.cidFiles) > 0 && (c.all || c.latest):
		return nil, errdef.Newf(errdef.ErrInvalid, "--all, --latest, and --cidfile cannot be used together")
	case len(c.filters) > 0 && (c.latest || len(args) > 0):
		return nil, errdef.Newf(errdef.ErrInvalid, "--filter takes no arguments")
	case c.latest:
		last, err := e.Latest()
		return []string{last.ID}, err
	case c.all, len(c.filters) > 0:
		return c.filtered(e, keep)
	}
	names, err := c.withFiles(args)
	if err == nil && len(names) == 0 && !c.optional && (len(c.cidFiles) == 0 || !c.ignore) {
		return nil, errdef.Newf(errdef.ErrInvalid, "%s", cmp.Or(c.missing, "you must provide at least one name or id"))
	}
	return names, err
}

func (c *choose) filtered(e *engine.Engine, keep func(*engine.Container) bool) ([]string, error) {
	filter, err := e.ParseContainerFilters(c.filters)
	if err != nil {
		return nil, err
	}
	list, err := e.Filter(filter)
	var names []string
	for i := range list {
		if keep == nil || keep(&list[i]) {
			names = append(names, list[i].ID)
		}
	}
	return names, err
}

// withFiles adds to the arguments what the files hold; with --ignore one may
// be missing.
func (c *choose) withFiles(args []string) ([]string, error) {
	for _, file := range c.cidFiles {
		id, err := readIDFile(file)
		if c.ignore && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		args = append(args, id)
	}
	return args, nil
}

// readIDFile reads the first line of a file that --cidfile made.
func readIDFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading CIDFile: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err != nil {
		return "", fmt.Errorf("reading CIDFile: %w", err)
	}
	id, _, _ := strings.Cut(string(text), "\n")
	if id == "" {
		return "", errdef.Newf(errdef.ErrInvalid, "reading CIDFile: %q is empty", path)
	}
	return id, nil
}

// one is the single container of a command that takes one: with --latest the
// latest, else the first argument. rest are the other arguments.
func (c *choose) one(e *engine.Engine, args []string, missing string) (name string, rest []string, err error) {
	if c.latest {
		last, err := e.Latest()
		return last.ID, args, err
	}
	if len(args) == 0 {
		return "", nil, errdef.Newf(errdef.ErrInvalid, "%s", missing)
	}
	return args[0], args[1:], nil
}

// each does something to every container, prints its name when done, and goes
// on after an error; the errors come together at the end.
func (c *choose) each(w io.Writer, names []string, do func(name string) error) error {
	var errs []error
	for _, name := range names {
		err := do(name)
		if (c.ignore || c.all) && errors.Is(err, errdef.ErrNotFound) {
			continue // of all, one may have gone meanwhile
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintln(w, name)
	}
	return say.Errors(errs)
}
