package pod

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

type psFlags struct {
	ids, names, states, ns            bool
	latest, noTrunc, noHeading, quiet bool
	format, sort                      string
	filters                           []string
}

// newPs is `podman pod ps`.
func newPs(a *app.App) *cobra.Command {
	f := new(psFlags)
	cmd := &cobra.Command{
		Use:     "ps [options]",
		Aliases: []string{"ls", "list"},
		Short:   "List pods",
		Long:    "Lists all pods with their state, the last one made first.",
		Args:    cobra.NoArgs,
		Example: "  podman pod ps\n  podman pod ps --ctr-names\n  podman pod ps --filter status=running --format '{{.Name}} {{.Status}}'",
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.ids, "ctr-ids", false, "Display the container UUIDs. If no-trunc is not set they will be truncated")
	fl.BoolVar(&f.names, "ctr-names", false, "Display the container names")
	fl.BoolVar(&f.states, "ctr-status", false, "Display the container status")
	fl.StringArrayVarP(&f.filters, "filter", "f", nil, "Filter output based on conditions given")
	fl.StringVar(&f.format, "format", "", "Pretty-print pods to JSON or using a Go template")
	fl.BoolVarP(&f.latest, "latest", "l", false, "Act on the latest pod podman is aware of")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "Do not truncate pod and container IDs")
	fl.BoolVarP(&f.noHeading, "noheading", "n", false, "Do not print headers")
	fl.BoolVar(&f.ns, "ns", false, "Display namespace information of the pod")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Print the numeric IDs of the pods only")
	fl.StringVar(&f.sort, "sort", "created", "Sort output by created, id, name, or number")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error { return f.run(cmd, e) })
	return cmd
}

func (f *psFlags) run(cmd *cobra.Command, e *engine.Engine) error {
	pods, err := e.FilterPods(f.filters)
	if err != nil {
		return err
	}
	slices.Reverse(pods) // the last one made comes first
	if f.latest && len(pods) > 1 {
		pods = pods[:1]
	}
	rows := make([]psRow, len(pods))
	for i, p := range pods {
		rows[i] = psRow{p, e, f.noTrunc}
	}
	if err := sortRows(rows, f.sort); err != nil {
		return err
	}
	headers := map[string]string{"ID": "POD ID", "InfraID": "INFRA ID", "NumberOfContainers": "# OF CONTAINERS", "ContainerIds": "IDS", "ContainerNames": "NAMES",
		"ContainerStatuses": "STATUS", "Namespace": "NAMESPACES", "Id": "POD ID", "InfraId": "INFRA ID"}
	opts := cliout.RowsOptions{NoHeading: f.noHeading, Name: "pod ps"}
	if f.format == "json" {
		opts.JSON = rows
	}
	format := f.format
	if f.quiet && format == "" {
		format = "{{.ID}}"
	}
	return cliout.Rows(cmd.OutOrStdout(), format, f.table(), headers, rows, opts)
}

// table is the layout of the columns that the options ask for.
func (f *psFlags) table() string {
	table := "table {{.ID}}\t{{.Name}}\t{{.Status}}\t{{.Created}}\t{{.InfraID}}"
	for _, column := range []struct {
		asked bool
		text  string
	}{{f.ids, "{{.ContainerIds}}"}, {f.names, "{{.ContainerNames}}"}, {f.states, "{{.ContainerStatuses}}"}, {f.ns, "{{.Cgroup}}\t{{.Namespace}}"},
		{!f.ids && !f.names && !f.states, "{{.NumberOfContainers}}"}} {
		if column.asked {
			table += "\t" + column.text
		}
	}
	return table
}

func sortRows(rows []psRow, by string) error {
	switch by {
	case "created":
	case "id":
		slices.SortStableFunc(rows, func(a, b psRow) int { return strings.Compare(a.p.ID, b.p.ID) })
	case "name":
		slices.SortStableFunc(rows, func(a, b psRow) int { return strings.Compare(a.p.Name, b.p.Name) })
	case "number":
		slices.SortStableFunc(rows, func(a, b psRow) int { return cmp.Compare(len(a.p.Containers), len(b.p.Containers)) })
	case "status":
		slices.SortStableFunc(rows, func(a, b psRow) int { return strings.Compare(a.Status(), b.Status()) })
	default:
		return errdef.Newf(errdef.ErrInvalid, "invalid option for --sort, options are: created, id, name, number, or status")
	}
	return nil
}

// psRow gives the placeholders of pod ps --format.
type psRow struct {
	p     *engine.Pod
	e     *engine.Engine
	whole bool
}

func (r psRow) short(id string) string {
	const length = 12
	if r.whole || len(id) < length {
		return id
	}
	return id[:length]
}

func (r psRow) ID() string                { return r.short(r.p.ID) }
func (r psRow) Id() string                { return r.p.ID } //nolint:revive // the name is the template's
func (r psRow) Name() string              { return r.p.Name }
func (r psRow) Status() string            { return r.p.State() }
func (r psRow) Created() string           { return cliout.Ago(r.p.Created) }
func (r psRow) InfraID() string           { return r.short(r.p.InfraID) }
func (r psRow) InfraId() string           { return r.p.InfraID } //nolint:revive // likewise
func (r psRow) NumberOfContainers() int   { return len(r.p.Containers) }
func (r psRow) Cgroup() string            { return r.p.CgroupParent }
func (r psRow) Namespace() string         { return "" }
func (r psRow) Labels() map[string]string { return r.p.Labels }
func (r psRow) Label(name string) string  { return r.p.Labels[name] }
func (r psRow) Networks() string          { return strings.Join(r.networks(), ",") }

func (r psRow) ContainerIds() string { //nolint:revive // likewise
	return r.join(func(c *engine.Container) string { return r.short(c.ID) })
}

func (r psRow) ContainerNames() string {
	return r.join(func(c *engine.Container) string { return c.Name })
}

func (r psRow) ContainerStatuses() string {
	return r.join(func(c *engine.Container) string { return c.State })
}

func (r psRow) Restarts() string {
	n := 0
	for i := range r.p.Containers {
		n += r.e.RestartCount(r.p.Containers[i].ID)
	}
	return strconv.Itoa(n)
}

func (r psRow) join(of func(*engine.Container) string) string {
	var all []string
	for i := range r.p.Containers {
		all = append(all, of(&r.p.Containers[i]))
	}
	return strings.Join(all, ",")
}

func (r psRow) networks() []string {
	if infra := r.p.Infra(); infra != nil {
		return infra.Networks
	}
	return nil
}

// psContainer is a container in pod ps --format json.
type psContainer struct {
	ID           string `json:"Id"`
	Names        string
	Status       string
	RestartCount int
}

// Containers are the pod's, as JSON has them.
func (r psRow) Containers() []psContainer {
	all := []psContainer{}
	for _, c := range r.p.Containers {
		all = append(all, psContainer{c.ID, c.Name, c.State, r.e.RestartCount(c.ID)})
	}
	return all
}

// MarshalJSON gives a row the reference's keys.
func (r psRow) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Cgroup     string
		Containers []psContainer
		Created    time.Time
		ID         string `json:"Id"`
		InfraID    string `json:"InfraId"`
		Name       string
		Namespace  string
		Networks   []string
		Status     string
		Labels     map[string]string
	}{r.p.CgroupParent, r.Containers(), r.p.Created, r.p.ID, r.p.InfraID, r.p.Name, "", r.networks(), r.p.State(), r.p.Labels})
}
