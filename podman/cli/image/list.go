package image

import (
	"encoding/json"
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

type listFlags struct {
	all, digests, history, noTrunc, noHeading, quiet bool
	format, sort                                     string
	filters                                          []string
}

// NewImages is `podman images`.
func NewImages(a *app.App) *cobra.Command {
	return newList(a, "images [options] [IMAGE]", nil)
}

// NewList is `podman image list`.
func NewList(a *app.App) *cobra.Command {
	return newList(a, "list [options] [IMAGE]", []string{"ls"})
}

func newList(a *app.App, use string, aliases []string) *cobra.Command {
	f := new(listFlags)
	cmd := &cobra.Command{
		Use:     use,
		Aliases: aliases,
		Short:   "List images in local storage",
		Long:    "Lists images previously pulled to the system or created on the system.",
		Args:    cobra.MaximumNArgs(1),
		Example: "  podman images --format json\n  podman images --sort repository --format \"table {{.ID}} {{.Repository}} {{.Tag}}\"\n  podman images --filter dangling=true",
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, a, args) },
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "Show all images (default hides intermediate images)")
	fl.BoolVar(&f.digests, "digests", false, "Show digests")
	fl.StringArrayVarP(&f.filters, "filter", "f", nil, "Filter output based on conditions provided")
	fl.StringVar(&f.format, "format", "", "Change the output format to JSON or a Go template")
	fl.BoolVar(&f.history, "history", false, "Display the image name history")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "Do not truncate output")
	fl.BoolVarP(&f.noHeading, "noheading", "n", false, "Do not print column headings")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Display only image IDs")
	fl.StringVar(&f.sort, "sort", "created", "Sort by created, id, repository, size, tag")
	return cmd
}

func (f *listFlags) run(cmd *cobra.Command, a *app.App, args []string) error {
	f.quiet = f.quiet && f.format != "json"
	less, err := f.order(cmd)
	if err != nil {
		return err
	}
	e, err := a.Engine()
	if err != nil {
		return err
	}
	defer e.Close()
	images, err := e.ListImages(engine.ListImagesRequest{Name: append(args, "")[0], All: f.all, Filters: f.filters, Sizes: !f.quiet})
	if err != nil {
		return err
	}
	var failed error
	rows := f.rows(images, &failed)
	slices.SortStableFunc(rows, less)
	opts := cliout.RowsOptions{NoHeading: f.noHeading, Name: "images"}
	if f.format == "json" {
		opts.JSON = listJSON(rows)
	}
	return errors.Join(cliout.Rows(cmd.OutOrStdout(), f.layout(rows), "", headings(), rows, opts), failed)
}

func headings() map[string]string {
	return map[string]string{"ID": "IMAGE ID", "CreatedSince": "CREATED", "KnownAs": "HISTORY", "IsReadOnly": "R/O"}
}

// layout is the format the user asked for, or the default columns.
func (f *listFlags) layout(rows []row) string {
	switch {
	case f.quiet:
		return "{{.ID}}"
	case f.format != "" && f.format != "table":
		return f.format
	}
	columns := "table {{.Repository}}\t{{.Tag}}\t"
	if f.digests {
		columns += "{{.Digest}}\t"
	}
	columns += "{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
	if f.history {
		columns += "\t{{.KnownAs}}"
	}
	if slices.ContainsFunc(rows, row.ReadOnly) {
		columns += "\t{{.IsReadOnly}}"
	}
	return columns
}

// rows makes a row of each name; --quiet shows each image once.
func (f *listFlags) rows(images []engine.Image, failed *error) []row {
	rows := make([]row, 0, len(images))
	for i := range images {
		names := images[i].Names
		if len(names) == 0 || f.quiet {
			names = []string{""}
		}
		// Of names that only a digest tells apart from others, those others
		// are the better ones.
		tagged := slices.ContainsFunc(names, func(n string) bool { return !strings.Contains(n, "@") })
		for _, name := range names {
			r := row{img: &images[i], whole: f.noTrunc, failed: failed}
			r.repository, r.tag = engine.SplitImageName(name)
			if tagged && strings.Contains(name, "@") && hasTagged(names, r.repository) {
				continue
			}
			rows = append(rows, r)
		}
	}
	return rows
}

func hasTagged(names []string, repository string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		have, tag := engine.SplitImageName(n)
		return have == repository && tag != "<none>"
	})
}

func (f *listFlags) order(cmd *cobra.Command) (func(a, b row) int, error) {
	switch f.sort {
	case "created":
		return func(a, b row) int { return b.img.Created.Compare(a.img.Created) }, nil
	case "id":
		return func(a, b row) int { return strings.Compare(a.img.ID, b.img.ID) }, nil
	case "repository":
		return func(a, b row) int { return strings.Compare(a.repository, b.repository) }, nil
	case "size":
		return func(a, b row) int { return int(a.img.Size - b.img.Size) }, nil
	case "tag":
		return func(a, b row) int { return strings.Compare(a.tag, b.tag) }, nil
	}
	return nil, errdef.Newf(errdef.ErrInvalid, "invalid argument %q for \"--sort\" flag: %q is not a valid value.  Choose from: \"created, id, repository, size, tag\"\nSee '%s --help'", f.sort, f.sort, cmd.CommandPath())
}

// row gives the placeholders of images --format: one name of an image.
type row struct {
	img             *engine.Image
	repository, tag string
	whole           bool
	failed          *error // the first error of reading something for a column
}

func (r row) Repository() string        { return r.repository }
func (r row) Tag() string               { return r.tag }
func (r row) ID() string                { return shortID(r.img.ID, r.whole) }
func (r row) Id() string                { return r.img.ID } //nolint:revive // the placeholder's name
func (r row) Digest() string            { return r.img.Digest.String() }
func (r row) Created() string           { return r.CreatedSince() }
func (r row) CreatedAt() string         { return time.Unix(r.img.Created.Unix(), 0).String() }
func (r row) CreatedSince() string      { return cliout.Ago(r.img.Created) }
func (r row) CreatedTime() string       { return r.CreatedAt() }
func (r row) VirtualSize() int64        { return r.img.Size }
func (r row) SharedSize() int64         { return 0 }
func (r row) Names() []string           { return r.img.Names }
func (r row) RepoTags() []string        { return r.img.Names }
func (r row) RepoDigests() []string     { return r.img.RepoDigests() }
func (r row) ReadOnly() bool            { return r.img.ReadOnly }
func (r row) IsReadOnly() bool          { return r.img.ReadOnly }
func (r row) Dangling() bool            { return len(r.img.Names) == 0 }
func (r row) IsDangling() bool          { return r.Dangling() }
func (r row) Labels() map[string]string { return must(r, r.img.Labels) }
func (r row) ParentId() string          { return must(r, r.img.Parent) } //nolint:revive // the placeholder's name
func (r row) Containers() int           { return must(r, r.img.Containers) }
func (r row) IsManifestList() bool      { return r.img.List }
func (r row) Os() string                { return must(r, r.img.Platform).OS }
func (r row) Arch() string              { return must(r, r.img.Platform).Architecture }
func (r row) Size() string {
	if r.img.Size < 0 {
		return "unknown"
	}
	return cliout.HumanSize(r.img.Size)
}

func (r row) History() string { return strings.Join(r.img.NamesHistory, ", ") }

// KnownAs is the history in the table, whose columns are never empty.
func (r row) KnownAs() string {
	if len(r.img.NamesHistory) == 0 {
		return "<none>"
	}
	return r.History()
}

// must gives what is read from the store for a column. An error is kept for
// the end: a column has no place for it.
func must[T any](r row, read func() (T, error)) T {
	v, err := read()
	if err != nil && *r.failed == nil {
		*r.failed = err
	}
	return v
}

// MarshalJSON is what {{json .}} prints.
func (r row) MarshalJSON() ([]byte, error) {
	e := r.entry()
	e.Repository, e.Tag, e.RepoTags = r.repository, r.tag, r.img.Names
	return json.Marshal(e)
}

// entry is an element of `images --format json`, with the reference's keys.
type entry struct {
	Repository  string            `json:"repository,omitempty"`
	Tag         string            `json:"tag,omitempty"`
	ID          string            `json:"Id"`
	ParentID    string            `json:"ParentId"`
	RepoTags    []string          `json:"RepoTags"`
	RepoDigests []string          `json:"RepoDigests"`
	Size        int64             `json:"Size"`
	SharedSize  int64             `json:"SharedSize"`
	VirtualSize int64             `json:"VirtualSize"`
	Labels      map[string]string `json:"Labels"`
	Containers  int               `json:"Containers"`
	ReadOnly    bool              `json:"ReadOnly,omitempty"`
	Dangling    bool              `json:"Dangling,omitempty"`
	Digest      string            `json:"Digest"`
	History     []string          `json:"History,omitempty"`
	Names       []string          `json:"Names,omitempty"`
	Created     int64             `json:"Created"`
	CreatedAt   string            `json:"CreatedAt"`
}

func (r row) entry() entry {
	return entry{ID: r.img.ID, ParentID: r.ParentId(), RepoDigests: r.RepoDigests(), Size: r.img.Size, VirtualSize: r.img.Size,
		Labels: r.Labels(), Containers: r.Containers(), ReadOnly: r.img.ReadOnly, Dangling: r.Dangling(), Digest: r.Digest(),
		History: r.img.NamesHistory, Names: r.img.Names, Created: r.img.Created.Unix(), CreatedAt: r.img.Created.UTC().Format(time.RFC3339)}
}

func listJSON(rows []row) []entry {
	entries := make([]entry, len(rows))
	for i, r := range rows {
		entries[i] = r.entry()
	}
	return entries
}
