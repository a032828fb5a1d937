package container

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

type psFlags struct {
	all, latest, noTrunc, quiet, noHeading bool
	external, ns, pod, size, sync          bool
	last                                   int
	watch                                  uint
	format, sort                           string
	filters                                []string
}

// NewPs is `podman ps`.
func NewPs(a *app.App) *cobra.Command {
	f := new(psFlags)
	cmd := &cobra.Command{
		Use:     "ps [options]",
		Short:   "List containers",
		Long:    "Prints out information about the containers",
		Args:    cobra.NoArgs,
		RunE:    a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error { return f.run(cmd, e) }),
		Example: "  podman ps -a\n  podman ps --filter status=exited --format '{{.Names}} {{.Status}}'\n  podman ps --format json",
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "Show all the containers, default is only running containers")
	fl.StringArrayVarP(&f.filters, "filter", "f", nil, "Filter output based on conditions given")
	fl.StringVar(&f.format, "format", "", "Pretty-print containers to JSON or using a Go template")
	fl.IntVarP(&f.last, "last", "n", -1, "Print the n last created containers (all states)")
	fl.BoolVarP(&f.latest, "latest", "l", false, "Show the latest container created (all states)")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "Display the extended information")
	fl.BoolVar(&f.noHeading, "noheading", false, "Do not print headers")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Print the numeric IDs of the containers only")
	fl.StringVar(&f.sort, "sort", "created", "Sort output by: command, created, id, image, names, pod, runningfor, size, status")
	fl.BoolVar(&f.external, "external", false, "Show containers in storage not controlled by Podman")
	fl.BoolVar(&f.ns, "ns", false, "Display namespace information")
	fl.BoolVarP(&f.pod, "pod", "p", false, "Print the ID and name of the pod the containers are associated with")
	fl.BoolVarP(&f.size, "size", "s", false, "Display the total file sizes")
	fl.BoolVar(&f.sync, "sync", false, "Sync container state with OCI runtime: the state that is shown is always the present one, so this changes nothing")
	fl.UintVarP(&f.watch, "watch", "w", 0, "Watch the ps output on an interval in seconds")
	return cmd
}

// NewList is `podman container list`, which is ps.
func NewList(a *app.App) *cobra.Command {
	cmd := NewPs(a)
	cmd.Use, cmd.Aliases = "list [options]", []string{"ls"}
	cmd.Example = strings.ReplaceAll(cmd.Example, "podman ps", "podman container list")
	return cmd
}

func (f *psFlags) run(cmd *cobra.Command, e *engine.Engine) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	if f.watch == 0 {
		return f.print(cmd, e)
	}
	ctx, stop := cliout.Interruptible(cmd.Context())
	defer stop()
	screen := cliout.NewScreen(cmd.OutOrStdout())
	return cliout.Repeat(ctx, time.Duration(f.watch)*time.Second, func() error {
		screen.Begin()
		return f.print(cmd, e)
	})
}

// check refuses what contradicts itself.
func (f *psFlags) check(cmd *cobra.Command) error {
	switch {
	case f.quiet && f.size:
		return errdef.Newf(errdef.ErrInvalid, "quiet conflicts with size")
	case f.quiet && f.ns:
		return errdef.Newf(errdef.ErrInvalid, "quiet conflicts with namespace")
	case f.size && f.ns:
		return errdef.Newf(errdef.ErrInvalid, "size and namespace options conflict")
	case f.ns && f.format != "" && f.format != "json" && cmd.Flags().Changed("sort"):
		return errdef.Newf(errdef.ErrInvalid, "--ns can't be sorted")
	case f.latest && cmd.Flags().Changed("last"):
		return errdef.Newf(errdef.ErrInvalid, "last and latest are mutually exclusive")
	case cmd.Flags().Changed("last") && f.last >= 0 && f.all:
		return errdef.Newf(errdef.ErrInvalid, "--all and --last cannot be used together")
	case cmd.Flags().Changed("watch") && f.watch == 0:
		return errdef.Newf(errdef.ErrInvalid, "invalid value for --watch: it must be at least one second")
	}
	return nil
}

func (f *psFlags) print(cmd *cobra.Command, e *engine.Engine) error {
	keep, err := e.ParseContainerFilters(f.filters)
	if err != nil {
		return err
	}
	list, err := e.Filter(keep)
	if err != nil {
		return err
	}
	last := f.last
	if f.latest {
		last = 1
	}
	if !f.all && last < 0 && !keep.States {
		list = slices.DeleteFunc(list, func(c engine.Container) bool { return c.State != engine.Running })
	}
	if last >= 0 && len(list) > last {
		list = list[len(list)-last:]
	}
	rows := make([]psRow, len(list))
	for i := range list {
		rows[i] = psRow{c: &list[i], e: e, whole: f.noTrunc, sized: f.size}
		if f.size {
			// A container that goes meanwhile has no size to be told.
			if rows[i].size, err = e.ContainerSize(list[i].ID); err != nil && !errors.Is(err, errdef.ErrNotFound) {
				return err
			}
		}
	}
	if f.external {
		external, err := e.ExternalContainers()
		if err != nil {
			return err
		}
		for i := range external {
			rows = append(rows, psRow{c: &external[i], e: e, whole: f.noTrunc})
		}
	}
	if err := sortRows(rows, f.sort); err != nil {
		return err
	}
	headers := map[string]string{"ID": "CONTAINER ID", "CreatedHuman": "CREATED", "ImageID": "IMAGE ID", "RunningFor": "CREATED", "PodName": "PODNAME", "Pod": "POD ID",
		"CGROUPNS": "CGROUPNS", "PIDNS": "PIDNS", "USERNS": "USERNS", "CIDFile": "CID FILE"}
	opts := cliout.RowsOptions{NoHeading: f.noHeading, Name: "ps"}
	if f.format == "json" {
		opts.JSON = psJSON(rows, f.ns)
	}
	return cliout.Rows(cmd.OutOrStdout(), f.layout(), f.table(), headers, rows, opts)
}

func (f *psFlags) layout() string {
	if f.quiet && f.format == "" {
		return "{{.ID}}"
	}
	return f.format
}

// table is the layout of the columns that the options ask for.
func (f *psFlags) table() string {
	if f.ns {
		return "table {{.ID}}\t{{.Names}}\t{{.Pid}}\t{{.CGROUPNS}}\t{{.IPC}}\t{{.MNT}}\t{{.NET}}\t{{.PIDNS}}\t{{.USERNS}}\t{{.UTS}}"
	}
	table := "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.CreatedHuman}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
	if f.pod {
		table += "\t{{.Pod}}\t{{.PodName}}"
	}
	if f.size {
		table += "\t{{.Size}}"
	}
	return table
}

func sortRows(rows []psRow, by string) error {
	var key func(r *psRow) string
	switch by {
	case "created", "runningfor":
		return nil // the engine's order
	case "command":
		key = func(r *psRow) string { return strings.Join(r.c.Summary.Command, " ") }
	case "id":
		key = func(r *psRow) string { return r.c.ID }
	case "image":
		key = func(r *psRow) string { return r.c.Image }
	case "names":
		key = func(r *psRow) string { return r.c.Name }
	case "pod":
		key = func(r *psRow) string { return r.Pod() }
	case "status":
		key = func(r *psRow) string { return r.c.State }
	case "size":
		slices.SortStableFunc(rows, func(a, b psRow) int { return cmp.Compare(a.size.Root, b.size.Root) })
		return nil
	default:
		return errdef.Newf(errdef.ErrInvalid, "invalid argument %q for \"--sort\" flag: %q is not a valid value.  Choose from: \"command, created, id, image, names, runningfor, size, status\"\nSee 'podman ps --help'", by, by)
	}
	slices.SortStableFunc(rows, func(a, b psRow) int { return strings.Compare(key(&a), key(&b)) })
	return nil
}
