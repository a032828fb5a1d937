package container

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

type psFlags struct {
	all, latest, noTrunc, quiet, noHeading bool
	last                                   int
	format, sort                           string
	filters                                []string
}

// NewPs is `podman ps`.
func NewPs(a *app.App) *cobra.Command {
	f := new(psFlags)
	cmd := &cobra.Command{
		Use:     "ps [options]",
		Aliases: []string{"list", "ls"},
		Short:   "List containers",
		Long:    "Prints out information about the containers",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd, a) },
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
	fl.StringVar(&f.sort, "sort", "created", "Sort output by: command, created, id, image, names, runningfor, status")
	return cmd
}

func (f *psFlags) run(cmd *cobra.Command, a *app.App) error {
	keep, err := parseFilters(f.filters)
	if err != nil {
		return err
	}
	e, err := a.Engine()
	if err != nil {
		return err
	}
	defer e.Close()
	list, err := e.List(keep.summary)
	if err != nil {
		return err
	}
	if f.latest {
		f.last = 1
	}
	list = slices.DeleteFunc(list, func(c engine.Container) bool {
		if !keep.status(&c) {
			return true
		}
		return !f.all && f.last < 0 && !keep.byStatus && c.State != engine.Running
	})
	if f.last >= 0 && len(list) > f.last {
		list = list[len(list)-f.last:]
	}
	if err := sortContainers(list, f.sort); err != nil {
		return err
	}
	rows := make([]psRow, len(list))
	for i := range list {
		rows[i] = psRow{c: &list[i], whole: f.noTrunc}
	}
	format := f.format
	if f.quiet {
		format = "{{.ID}}"
	}
	const table = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.CreatedHuman}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
	headers := map[string]string{"ID": "CONTAINER ID", "CreatedHuman": "CREATED", "ImageID": "IMAGE ID", "RunningFor": "CREATED"}
	return cliout.Rows(cmd.OutOrStdout(), format, table, headers, rows, cliout.RowsOptions{NoHeading: f.noHeading, Name: "ps", JSON: psJSON(list)})
}

func sortContainers(list []engine.Container, by string) error {
	var key func(c *engine.Container) string
	switch by {
	case "created", "runningfor":
		return nil // the engine's order
	case "command":
		key = func(c *engine.Container) string { return strings.Join(c.Command, " ") }
	case "id":
		key = func(c *engine.Container) string { return c.ID }
	case "image":
		key = func(c *engine.Container) string { return c.Image }
	case "names":
		key = func(c *engine.Container) string { return c.Name }
	case "status":
		key = func(c *engine.Container) string { return c.State }
	default:
		return errdef.Newf(errdef.ErrInvalid, "invalid argument %q for \"--sort\" flag: %q is not a valid value.  Choose from: \"command, created, id, image, names, runningfor, status\"\nSee 'podman ps --help'", by, by)
	}
	slices.SortStableFunc(list, func(a, b engine.Container) int { return strings.Compare(key(&a), key(&b)) })
	return nil
}

// psRow gives the placeholders of ps --format.
type psRow struct {
	c     *engine.Container
	whole bool
}

func (r psRow) ID() string                { return shorten(r.c.ID, 12, r.whole) }
func (r psRow) Names() string             { return r.c.Name }
func (r psRow) Image() string             { return r.c.Image }
func (r psRow) ImageID() string           { return shorten(r.c.ImageID, 12, r.whole) }
func (r psRow) State() string             { return r.c.State }
func (r psRow) Pid() int                  { return r.c.Pid }
func (r psRow) ExitCode() int             { return r.c.ExitCode }
func (r psRow) AutoRemove() bool          { return r.c.AutoRemove }
func (r psRow) Exited() bool              { return r.c.State == engine.Exited }
func (r psRow) ExitedAt() int64           { return unixOf(r.c.ExitedAt) }
func (r psRow) StartedAt() int64          { return unixOf(r.c.StartedAt) }
func (r psRow) Labels() map[string]string { return r.c.Labels }
func (r psRow) Label(name string) string  { return r.c.Labels[name] }
func (r psRow) Mounts() string            { return strings.Join(r.c.Mounts, ",") }
func (r psRow) Networks() string          { return strings.Join(r.c.Networks, ",") }
func (r psRow) Created() time.Time        { return r.c.CreatedTime() }
func (r psRow) CreatedAt() string {
	return r.c.CreatedTime().Format("2006-01-02 15:04:05.999999999 -0700 MST")
}
func (r psRow) CreatedHuman() string { return cliout.Ago(r.c.CreatedTime()) }
func (r psRow) RunningFor() string   { return r.CreatedHuman() }
func (r psRow) Ports() string        { return portsText(r.c.Ports) }
func (r psRow) Command() string {
	text := strings.Join(r.c.Summary.Command, " ")
	if !r.whole && len([]rune(text)) > 17 {
		return string([]rune(text)[:17]) + "..."
	}
	return text
}

func (r psRow) Status() string { return statusText(r.c) }

func shorten(s string, n int, whole bool) string {
	if whole || len(s) <= n {
		return s
	}
	return s[:n]
}

func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return -62135596800
	}
	return t.Unix()
}

// statusText is the STATUS column: "Up 2 minutes", "Exited (0) 2 minutes ago".
func statusText(c *engine.Container) string {
	switch c.State {
	case engine.Running:
		return "Up " + cliout.HumanDuration(time.Since(c.StartedAt))
	case engine.Paused:
		return "Up " + cliout.HumanDuration(time.Since(c.StartedAt)) + " (Paused)"
	case engine.Exited:
		if c.ExitedAt.IsZero() {
			return "Exited (" + strconv.Itoa(c.ExitCode) + ")"
		}
		return "Exited (" + strconv.Itoa(c.ExitCode) + ") " + cliout.Ago(c.ExitedAt)
	case engine.Initialized:
		return "Initialized"
	}
	return "Created"
}

// filter decides over containers: cheap things by their summary, the state
// last, for which files are read.
type filter struct {
	byStatus bool
	summary  func(id, name string, s *container.Summary) bool
	status   func(c *engine.Container) bool
}

func parseFilters(texts []string) (filter, error) {
	values := map[string][]string{}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return filter{}, errdef.Newf(errdef.ErrInvalid, "invalid argument %q for \"-f, --filter\" flag: must be in the format \"filter=value\"", text)
		}
		switch key {
		case "id", "name", "label", "ancestor", "exited":
		case "status":
			if !slices.Contains([]string{"created", "initialized", "running", "paused", "exited", "stopped", "removing", "unknown"}, value) {
				return filter{}, errdef.Newf(errdef.ErrInvalid, "unknown container state: %s: invalid argument", value)
			}
		default:
			return filter{}, errdef.Newf(errdef.ErrInvalid, "%s is an invalid filter", key)
		}
		values[key] = append(values[key], value)
	}
	return filter{
		byStatus: len(values["status"]) > 0 || len(values["exited"]) > 0,
		summary:  func(id, name string, s *container.Summary) bool { return matchSummary(values, id, name, s) },
		status: func(c *engine.Container) bool {
			return anyOf(values["status"], func(v string) bool { return c.State == v || v == "stopped" && c.State == engine.Exited }) &&
				anyOf(values["exited"], func(v string) bool { return c.State == engine.Exited && strconv.Itoa(c.ExitCode) == v })
		},
	}, nil
}

// anyOf says whether one of the wanted values holds; where none is wanted all is well.
func anyOf(wanted []string, holds func(string) bool) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, holds)
}

func matchSummary(values map[string][]string, id, name string, s *container.Summary) bool {
	for _, label := range values["label"] {
		key, value, hasValue := strings.Cut(label, "=")
		if have, ok := s.Labels[key]; !ok || hasValue && have != value {
			return false
		}
	}
	return anyOf(values["id"], func(v string) bool { return strings.HasPrefix(id, v) }) &&
		anyOf(values["name"], func(v string) bool { return strings.Contains(name, v) }) &&
		anyOf(values["ancestor"], func(v string) bool {
			return s.Image == v || strings.HasSuffix(s.Image, "/"+v) || strings.HasSuffix(s.Image, "/"+v+":latest")
		})
}
