package app

import (
	"fmt"

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

// CheckChangesFormat refuses formats that diff commands don't have.
func CheckChangesFormat(format string) error {
	if format != "" && format != "json" {
		return errdef.Newf(errdef.ErrInvalid, "only supported value for '--format' is 'json'")
	}
	return nil
}

// PrintChanges prints what diff commands found.
func PrintChanges(cmd *cobra.Command, all []store.Change, format string) error {
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
