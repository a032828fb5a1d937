package image

import (
	"errors"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewSearch is `podman search`.
func NewSearch(a *app.App) *cobra.Command {
	var reg cliflag.Registry
	var req engine.SearchRequest
	var compatible, noTrunc bool
	var format string
	cmd := &cobra.Command{
		Use:   "search [options] TERM",
		Short: "Search registry for image",
		Long: "Search registries for a given image. Can search all the default registries or a specific registry.\n\n" +
			"  Users can limit the number of results, and filter the output based on certain conditions.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman search --filter=is-official --limit 3 alpine\n  podman search registry.fedoraproject.org/  # all that it has\n  podman search --list-tags registry.fedoraproject.org/fedora",
	}
	f := cmd.Flags()
	reg.Bind(f)
	f.BoolVar(&compatible, "compatible", false, "List stars, official and automated columns (Docker compatibility)")
	f.StringArrayVarP(&req.Filters, "filter", "f", nil, "Filter output based on conditions provided")
	f.StringVar(&format, "format", "", "Change the output format to JSON or a Go template")
	f.IntVar(&req.Limit, "limit", 0, "Limit the number of results")
	f.BoolVar(&req.ListTags, "list-tags", false, "List the tags of the input registry")
	f.BoolVar(&noTrunc, "no-trunc", false, "Do not truncate the output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if req.ListTags && len(req.Filters) > 0 {
			return errdef.Newf(errdef.ErrInvalid, "filters are not applicable to list tags result")
		}
		var err error
		if req.Registry, err = reg.AskingOptions(); err != nil {
			return err
		}
		c, err := a.Config()
		if err != nil {
			return err
		}
		req.Term = args[0]
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		found, err := engine.SearchImages(ctx, c, req)
		if len(found) == 0 {
			return err
		}
		rows := make([]foundRow, len(found))
		for i, one := range found {
			rows[i] = newFoundRow(one, noTrunc)
		}
		table := "table {{.Name}}\t{{.Description}}"
		opts := cliout.RowsOptions{Name: "search"}
		switch {
		case req.ListTags:
			table, opts.JSON = "table {{.Name}}\t{{.Tag}}", tagLists(found)
		case compatible:
			table += "\t{{.Stars}}\t{{.Official}}\t{{.Automated}}"
		}
		return errors.Join(cliout.Rows(cmd.OutOrStdout(), format, table, nil, rows, opts), err)
	}
	return cmd
}

// foundRow gives the placeholders of search --format; in JSON its fields are
// the reference's keys.
type foundRow struct {
	Index       string
	Name        string
	Description string
	Stars       int
	Official    string
	Automated   string
	Tag         string
}

// maxDescription is how much of a description a list shows, in characters.
const maxDescription = 44

func newFoundRow(f engine.FoundImage, whole bool) foundRow {
	mark := func(yes bool) string {
		if yes {
			return "[OK]"
		}
		return ""
	}
	if d := []rune(f.Description); !whole && len(d) > maxDescription {
		f.Description = string(d[:maxDescription]) + "..."
	}
	return foundRow{f.Index, f.Name, f.Description, f.Stars, mark(f.Official), mark(f.Automated), f.Tag}
}

// tagList is an element of `search --list-tags --format json`.
type tagList struct {
	Name string
	Tags []string
}

func tagLists(found []engine.FoundImage) []tagList {
	lists := []tagList{}
	for _, f := range found {
		if len(lists) == 0 || lists[len(lists)-1].Name != f.Name {
			lists = append(lists, tagList{Name: f.Name})
		}
		last := &lists[len(lists)-1]
		last.Tags = append(last.Tags, f.Tag)
	}
	return lists
}
