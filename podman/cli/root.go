// Package cli is podman's command line: the tree of commands. The commands
// themselves lie in a package per noun below; app has what they share.
package cli

import (
	"slices"
	"strings"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/artifact"
	"github.com/podsuite/podsuite/podman/cli/container"
	"github.com/podsuite/podsuite/podman/cli/generate"
	"github.com/podsuite/podsuite/podman/cli/image"
	"github.com/podsuite/podsuite/podman/cli/manifest"
	"github.com/podsuite/podsuite/podman/cli/network"
	"github.com/podsuite/podsuite/podman/cli/pod"
	"github.com/podsuite/podsuite/podman/cli/secret"
	"github.com/podsuite/podsuite/podman/cli/system"
	"github.com/podsuite/podsuite/podman/cli/volume"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/complete"
	"github.com/spf13/cobra"
)

// Version is what podman says of itself.
const Version = engine.Version

// BuildahVersion is the version of buildah that builds are made as.
const BuildahVersion = "1.43.2"

// command is one of the tree's first level.
type command struct {
	name string
	add  func(*app.App) *cobra.Command
}

func commands() []command {
	info := system.NewInfo(Version, BuildahVersion)
	return []command{
		{"artifact", artifact.New},
		{"attach", container.NewAttach},
		{"build", image.NewBuild},
		{"commit", container.NewCommit},
		{"completion", newCompletion},
		{"container", newContainer},
		{"cp", container.NewCopy},
		{"create", container.NewCreate},
		{"diff", container.NewDiff},
		{"events", system.NewEvents},
		{"exec", container.NewExec},
		{"export", container.NewExport},
		{"generate", generate.New},
		{"healthcheck", container.NewHealthcheck},
		{"history", image.NewHistory},
		{"image", image.NewImage},
		{"images", image.NewImages},
		{"import", image.NewImport},
		{"info", info},
		{"init", container.NewInit},
		{"inspect", container.NewInspectAny},
		{"kill", container.NewKill},
		{"load", image.NewLoad},
		{"login", image.NewLogin},
		{"logout", image.NewLogout},
		{"logs", container.NewLogs},
		{"manifest", manifest.New},
		{"mount", container.NewMount},
		{"network", network.NewNetwork},
		{"pause", container.NewPause},
		{"pod", pod.NewPod},
		{"port", container.NewPort},
		{"ps", container.NewPs},
		{"pull", image.NewPull},
		{"push", image.NewPush},
		{"rename", container.NewRename},
		{"restart", container.NewRestart},
		{"rm", container.NewRemove},
		{"rmi", image.NewRmi},
		{"run", container.NewRun},
		{"save", image.NewSave},
		{"search", image.NewSearch},
		{"secret", secret.NewSecret},
		{"start", container.NewStart},
		{"stats", container.NewStats},
		{"stop", container.NewStop},
		{"system", system.NewSystem(info)},
		{"tag", image.NewTag},
		{"top", container.NewTop},
		{"unmount", container.NewUnmount},
		{"unpause", container.NewUnpause},
		{"unshare", system.NewUnshare},
		{"untag", image.NewUntag},
		{"update", container.NewUpdate},
		{"version", system.NewVersion(Version)},
		{"volume", volume.NewVolume},
		{"wait", container.NewWait},
	}
}

// NewRoot is `podman`. To declare a command and its options takes time, so
// only the one that args name is; all of them where args name none.
func NewRoot(args []string) *cobra.Command {
	a := new(app.App)
	root := &cobra.Command{
		Use:     "podman [options] [command]",
		Short:   "Manage pods, containers and images",
		Long:    "Manage pods, containers and images",
		Version: Version,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.Begin(cmd)
		},
	}
	root.SetVersionTemplate("podman version {{.Version}}\n")
	a.Flags(root.PersistentFlags())
	root.Flags().BoolP("version", "v", false, "version for podman")
	all := commands()
	name := firstWord(root, args)
	if i := slices.IndexFunc(all, func(c command) bool { return c.name == name }); i >= 0 {
		all = all[i : i+1]
	} else if len(args) == 1 && (args[0] == "--version" || args[0] == "-v") {
		all = nil
	}
	for _, c := range all {
		root.AddCommand(c.add(a))
	}
	if complete.Asked(args) {
		complete.Add(root, words(a))
	}
	return root
}

// firstWord is the first argument that is no global option, nor the value of
// one.
func firstWord(root *cobra.Command, args []string) string {
	for i := 0; i < len(args); i++ {
		name, isOption := strings.CutPrefix(args[i], "--")
		switch {
		case !strings.HasPrefix(args[i], "-"):
			return args[i]
		case !isOption || name == "" || strings.Contains(name, "="):
			continue
		}
		if f := root.PersistentFlags().Lookup(name); f != nil && f.NoOptDefVal == "" {
			i++
		}
	}
	return ""
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
		container.NewExec, container.NewExists, container.NewExport, container.NewInit, container.NewInspect, container.NewKill, container.NewList, container.NewLogs,
		container.NewMount, container.NewPause, container.NewPort, container.NewPrune, container.NewPs, container.NewRemove, container.NewRename,
		container.NewRestart, container.NewRun, container.NewStart, container.NewStats, container.NewStop, container.NewTop, container.NewUnmount,
		container.NewUnpause, container.NewUpdate, container.NewWait,
	} {
		cmd.AddCommand(add(a))
	}
	return cmd
}
