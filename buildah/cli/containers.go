package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

type containersFlags struct {
	all, json, noHeading, noTrunc, quiet bool
	format, filter                       string
}

// containerRow is a line of the list; templates name its fields.
type containerRow struct{ ContainerID, Builder, ImageID, ImageName, ContainerName string }

type containerJSON struct {
	ID            string `json:"id"`
	Builder       bool   `json:"builder"`
	ImageID       string `json:"imageid"`
	ImageName     string `json:"imagename"`
	ContainerName string `json:"containername"`
}

func newContainers(a *app) *cobra.Command {
	o := &containersFlags{}
	cmd := &cobra.Command{
		Use:     "containers",
		Aliases: []string{"list", "ls", "ps"},
		Short:   "List working containers and their base images",
		Long: `Lists containers which appear to be buildah working containers, their
names and IDs, and the names and IDs of the images from which they were
initialized.`,
		Example: `buildah containers
buildah containers --format "{{.ContainerID}} {{.ContainerName}}"
buildah containers -q --noheading --notruncate`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onStore(func(st *store.Store) error { return runContainers(cmd, o, st) })
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.all, "all", "a", false, "also list non-buildah containers")
	f.StringVarP(&o.filter, "filter", "f", "", "filter output based on conditions provided")
	f.StringVar(&o.format, "format", "", "pretty-print containers using a Go template")
	f.BoolVar(&o.json, "json", false, "output in JSON format")
	f.BoolVarP(&o.noHeading, "noheading", "n", false, "do not print column headings")
	f.BoolVar(&o.noTrunc, "notruncate", false, "do not truncate output")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "display only container IDs")
	return cmd
}

func runContainers(cmd *cobra.Command, o *containersFlags, st *store.Store) error {
	keep, err := containerFilter(o.filter)
	if err != nil {
		return err
	}
	list, err := build.Containers(st, o.all)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(c build.WorkInfo) bool { return !keep(&c) })
	out := cmd.OutOrStdout()
	if o.json {
		docs := []containerJSON{}
		for _, c := range list {
			docs = append(docs, containerJSON{c.ID, c.Builder, c.ImageID, c.ImageName, c.Name})
		}
		return cliout.JSON(out, docs)
	}
	if o.quiet {
		for _, c := range list {
			if _, err := fmt.Fprintln(out, c.ID); err != nil {
				return err
			}
		}
		return nil
	}
	rows := []containerRow{}
	for _, c := range list {
		row := containerRow{c.ID, "", c.ImageID, c.ImageName, c.Name}
		if c.Builder {
			row.Builder = "   *"
		}
		if !o.noTrunc && o.format == "" {
			row.ContainerID, row.ImageID = row.ContainerID[:12], row.ImageID[:min(12, len(row.ImageID))]
		}
		rows = append(rows, row)
	}
	const table = "table {{.ContainerID}}\t{{.Builder}}\t{{.ImageID}}\t{{.ImageName}}\t{{.ContainerName}}"
	return cliout.Rows(out, o.format, table, nil, rows, cliout.RowsOptions{NoHeading: o.noHeading, Name: "containers"})
}

// containerFilter reads "id=…", "name=…" or "ancestor=…".
func containerFilter(text string) (func(*build.WorkInfo) bool, error) {
	if text == "" {
		return func(*build.WorkInfo) bool { return true }, nil
	}
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return nil, errdef.Newf(errdef.ErrInvalid, "parsing filter: incorrect filter value %q, should be of form filter=value", text)
	}
	switch key {
	case "id":
		return func(c *build.WorkInfo) bool { return strings.Contains(c.ID, value) }, nil
	case "name":
		return func(c *build.WorkInfo) bool { return strings.Contains(c.Name, value) }, nil
	case "ancestor":
		return func(c *build.WorkInfo) bool {
			return strings.Contains(c.ImageID, value) || strings.Contains(c.ImageName, value)
		}, nil
	}
	return nil, errdef.Newf(errdef.ErrInvalid, "parsing filter: invalid filter %q", key)
}
