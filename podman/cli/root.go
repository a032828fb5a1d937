// Package cli is podman's command line: the tree of commands. The commands
// themselves lie in a package per noun below; app has what they share.
package cli

import (
	"fmt"
	"slices"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/artifact"
	"github.com/podsuite/podsuite/podman/cli/container"
	"github.com/podsuite/podsuite/podman/cli/image"
	"github.com/podsuite/podsuite/podman/cli/manifest"
	"github.com/podsuite/podsuite/podman/cli/system"
	"github.com/podsuite/podsuite/podman/cli/volume"
	"github.com/spf13/cobra"
)

// Version is the version of podman whose commands and output these are.
const Version = "5.8.6"

// NewRoot is `podman`.
func NewRoot() *cobra.Command {
	a := new(app.App)
	root := &cobra.Command{
		Use:     "podman [options] [command]",
		Short:   "Manage pods, containers and images",
		Long:    "Manage pods, containers and images",
		Version: Version,
	}
	root.SetVersionTemplate("podman version {{.Version}}\n")
	a.Flags(root.PersistentFlags())
	root.Flags().BoolP("version", "v", false, "version for podman")
	for _, add := range []func(*app.App) *cobra.Command{
		container.NewAttach, container.NewCommit, container.NewCopy, container.NewCreate, container.NewDiff, container.NewExec, container.NewExport,
		container.NewInit, container.NewInspectAny, container.NewKill, container.NewLogs, container.NewMount, container.NewPause, container.NewPort,
		container.NewPs, container.NewRemove, container.NewRename, container.NewRestart, container.NewRun, container.NewStart, container.NewStats,
		container.NewStop, container.NewTop, container.NewUnmount, container.NewUnpause, container.NewUpdate, container.NewWait,
		artifact.New, manifest.New, newContainer, newVersion, system.NewEvents,
	} {
		root.AddCommand(add(a))
	}
	for _, add := range slices.Concat(image.TopLevel(), volume.TopLevel()) {
		root.AddCommand(add(a))
	}
	return root
}

// newContainer is `podman container`.
func newContainer(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "container",
		Short: "Manage containers",
		Long:  "Manage containers",
	}
	for _, add := range []func(*app.App) *cobra.Command{
		container.NewAttach, container.NewCleanup, container.NewClone, container.NewCommit, container.NewCopy, container.NewCreate, container.NewDiff,
		container.NewExec, container.NewExists, container.NewExport, container.NewInit, container.NewInspect, container.NewKill, container.NewLogs,
		container.NewMount, container.NewPause, container.NewPort, container.NewPrune, container.NewPs, container.NewRemove, container.NewRename,
		container.NewRestart, container.NewRun, container.NewStart, container.NewStats, container.NewStop, container.NewTop, container.NewUnmount,
		container.NewUnpause, container.NewUpdate, container.NewWait,
	} {
		cmd.AddCommand(add(a))
	}
	return cmd
}

func newVersion(*app.App) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Display the version information",
		Long:  "Display the version information",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(cmd.OutOrStdout(), "Client:       Podman Engine\nVersion:      %s\nAPI Version:  %s\n", Version, Version)
			return nil
		},
	}
}
