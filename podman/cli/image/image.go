package image

import (
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/spf13/cobra"
)

// NewImage is `podman image`.
func NewImage(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Manage images",
		Long:  "Manage images",
	}
	for _, add := range []func(*app.App) *cobra.Command{
		NewBuild, NewDiff, NewExists, NewHistory, NewImport, NewInspect, NewList, NewLoad, NewMount, NewPrune, NewPull, NewPush, NewRemove, NewSave, NewScp, NewSearch, newSign, NewTag, NewTree, newTrust, NewUnmount, NewUntag,
	} {
		cmd.AddCommand(add(a))
	}
	return cmd
}
