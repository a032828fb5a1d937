package container

import (
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/spf13/cobra"
)

// diffJSON is what `diff --format json` prints.
type diffJSON struct {
	Changed []string `json:"changed,omitempty"`
	Added   []string `json:"added,omitempty"`
	Deleted []string `json:"deleted,omitempty"`
}

// NewDiff is `podman diff`.
func NewDiff(a *app.App) *cobra.Command {
	var pick choose
	var format string
	cmd := &cobra.Command{
		Use:     "diff [options] {CONTAINER|IMAGE} [{CONTAINER|IMAGE}]",
		Short:   "Display the changes to the object's file system",
		Long:    "Lists what a container has changed (C), added (A) and deleted (D) in its image, or what an image's last layer did. With two the second is what the first is compared with.",
		Args:    cobra.MaximumNArgs(2),
		Example: "  podman diff web\n  podman diff --format json web\n  podman diff localhost/new localhost/old",
	}
	cmd.Flags().StringVar(&format, "format", "", "Change the output format (json)")
	pick.bindLatest(cmd)
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if format != "" && format != "json" {
			return errdef.Newf(errdef.ErrInvalid, "only supported value for '--format' is 'json'")
		}
		name, rest, err := pick.one(e, args, fmt.Sprintf("%q requires a name, id, or the \"--latest\" flag", cmd.CommandPath()))
		if err != nil {
			return err
		}
		all, err := e.Diff(name, append(rest, "")[0])
		if err != nil {
			return err
		}
		return printChanges(cmd, all, format)
	})
	return cmd
}

func printChanges(cmd *cobra.Command, all []store.Change, format string) error {
	if format == "json" {
		var d diffJSON
		lists := map[store.ChangeKind]*[]string{store.Modified: &d.Changed, store.Added: &d.Added, store.Deleted: &d.Deleted}
		for _, c := range all {
			list := lists[c.Kind]
			*list = append(*list, c.Path)
		}
		return cliout.JSON(cmd.OutOrStdout(), d, cliout.IndentInspect)
	}
	letters := map[store.ChangeKind]string{store.Modified: "C", store.Added: "A", store.Deleted: "D"}
	for _, c := range all {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), letters[c.Kind], c.Path); err != nil {
			return err
		}
	}
	return nil
}
