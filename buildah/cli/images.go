package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/store"
)

type imagesFlags struct {
	all, digests, json, noTrunc, noHeading, quiet, history bool
	format                                                 string
	filters                                                []string
}

// imageRow is a line of the list; templates name its fields.
type imageRow struct {
	Name, Tag, ID, Digest, Size, CreatedAt, History string
	CreatedAtRaw                                    time.Time
	ReadOnly                                        bool
}

// imageJSON is an image of --json.
type imageJSON struct {
	ID           string    `json:"id"`
	Names        []string  `json:"names"`
	Digest       string    `json:"digest"`
	CreatedAt    string    `json:"createdat"`
	Size         string    `json:"size"`
	Created      int64     `json:"created"`
	CreatedAtRaw time.Time `json:"createdatraw"`
	ReadOnly     bool      `json:"readonly"`
	History      []string  `json:"history"`
}

func newImages(a *app) *cobra.Command {
	o := &imagesFlags{}
	cmd := &cobra.Command{
		Use:     "images [IMAGE]",
		Short:   "List images in local storage",
		Long:    "Lists locally stored images.",
		Example: "buildah images --all\nbuildah images [imageName]\nbuildah images --format '{{.ID}} {{.Name}} {{.Size}} {{.CreatedAtRaw}}'",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runImages(cmd, a, o, args) },
	}
	f := cmd.Flags()
	f.BoolVarP(&o.all, "all", "a", false, "show all images, including intermediate images from a build")
	f.BoolVar(&o.digests, "digests", false, "show digests")
	f.StringVar(&o.format, "format", "", "pretty-print images using a Go template")
	f.StringSliceVarP(&o.filters, "filter", "f", nil, "filter output based on conditions provided")
	f.BoolVar(&o.history, "history", false, "display the image name history")
	f.BoolVar(&o.json, "json", false, "output in JSON format")
	f.BoolVar(&o.noTrunc, "no-trunc", false, "do not truncate output")
	f.BoolVarP(&o.noHeading, "noheading", "n", false, "do not print column headings")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "display only image IDs")
	return cmd
}

func runImages(cmd *cobra.Command, a *app, o *imagesFlags, args []string) error {
	st, cfg, err := a.open()
	if err != nil {
		return err
	}
	defer st.Close()
	images, err := st.Images()
	if err != nil {
		return err
	}
	filter, err := newImageFilter(st, cfg, o.filters)
	if err != nil {
		return err
	}
	if len(args) > 0 {
		image, err := imgcopy.ResolveLocal(st, cfg, args[0])
		if err != nil {
			return err
		}
		images = []store.Image{image}
	} else if !o.all && !filter.intermediate {
		images = topmost(st, images)
	}
	if images, err = filter.keep(images); err != nil {
		return err
	}
	slices.SortStableFunc(images, func(a, b store.Image) int { return b.Created.Compare(a.Created) })
	sizes, err := st.ImageSizes()
	if err != nil {
		return err
	}
	if o.json {
		return cliout.JSON(cmd.OutOrStdout(), o.documents(images, sizes))
	}
	rows := o.rows(images, sizes)
	if o.quiet {
		return cliout.Rows(cmd.OutOrStdout(), "{{.ID}}", "", nil, rows, cliout.RowsOptions{Name: "images"})
	}
	table := "table {{.Name}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedAt}}\t{{.Size}}"
	if o.digests {
		table = "table {{.Name}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedAt}}\t{{.Size}}"
	}
	if o.history {
		table += "\t{{.History}}"
	}
	headers := map[string]string{"Name": "REPOSITORY", "ID": "IMAGE ID", "CreatedAt": "CREATED"}
	return cliout.Rows(cmd.OutOrStdout(), o.format, table, headers, rows, cliout.RowsOptions{NoHeading: o.noHeading, Name: "images"})
}

// topmost leaves out images that have no name and that others were made of
// step by step: their layers are the lower part of another image's.
func topmost(st *store.Store, images []store.Image) []store.Image {
	below := map[string]bool{}
	seen := map[string]bool{}
	for _, image := range images {
		if seen[image.TopLayer] {
			if len(image.Names) == 0 {
				continue
			}
		}
		seen[image.TopLayer] = true
		chain, err := st.LayerChain(image.TopLayer)
		if err != nil || len(chain) == 0 {
			continue
		}
		for _, layer := range chain[:len(chain)-1] {
			below[layer.ID] = true
		}
	}
	named := map[string]bool{}
	for _, image := range images {
		if len(image.Names) > 0 {
			named[image.TopLayer] = true
		}
	}
	var top []store.Image
	for _, image := range images {
		if len(image.Names) > 0 || !below[image.TopLayer] && !named[image.TopLayer] {
			top = append(top, image)
		}
	}
	return top
}

func (o *imagesFlags) id(id string) string {
	if o.noTrunc {
		return "sha256:" + id
	}
	return id[:12]
}

func (o *imagesFlags) rows(images []store.Image, sizes map[string]int64) []imageRow {
	rows := []imageRow{}
	for _, image := range images {
		row := imageRow{
			Name: "<none>", Tag: "<none>", ID: o.id(image.ID), Digest: image.Digest.String(), ReadOnly: image.ReadOnly,
			Size: cliout.HumanSize(sizes[image.ID]), CreatedAt: cliout.Ago(image.Created), CreatedAtRaw: image.Created, History: strings.Join(image.NamesHistory, ", "),
		}
		if len(image.Names) == 0 || o.quiet {
			rows = append(rows, row)
			continue
		}
		for _, name := range image.Names {
			row.Name, row.Tag = splitName(name)
			rows = append(rows, row)
		}
	}
	return rows
}

// splitName parts a full name into repository and tag.
func splitName(name string) (repository, tag string) {
	if at := strings.IndexByte(name, '@'); at >= 0 {
		return name[:at], "<none>"
	}
	if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
		return name[:at], name[at+1:]
	}
	return name, "<none>"
}

func (o *imagesFlags) documents(images []store.Image, sizes map[string]int64) []imageJSON {
	docs := []imageJSON{}
	for _, image := range images {
		docs = append(docs, imageJSON{
			ID: o.id(image.ID), Names: image.Names, Digest: image.Digest.String(), CreatedAt: cliout.Ago(image.Created),
			Size: cliout.HumanSize(sizes[image.ID]), Created: image.Created.Unix(), CreatedAtRaw: image.Created.UTC(),
			ReadOnly: image.ReadOnly, History: image.NamesHistory,
		})
	}
	return docs
}
