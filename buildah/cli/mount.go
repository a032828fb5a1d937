package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/userns"
)

// mountJSON is a mount of --json.
type mountJSON struct {
	Container  string `json:"container,omitempty"`
	MountPoint string `json:"mountPoint"`
}

func newMount(a *app) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "mount [CONTAINER...]",
		Short: "Mount a working container's root filesystem",
		Long: `Mounts a working container's root filesystem for manipulation.

Note:  In rootless mode you need to first execute buildah unshare, to put you
into the usernamespace. Afterwards you can buildah mount the container and
view/modify the content in the containers root file system.`,
		Example: "buildah mount\nbuildah mount containerID\nbuildah mount containerID1 containerID2\n\nIn rootless mode you must use buildah unshare first.\nbuildah unshare\nbuildah mount containerID",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && userns.Rootless() && !userns.CallerInside() {
				return errdef.Newf(errdef.ErrUnsupported, "cannot mount using driver overlay in rootless mode. You need to run it in a `buildah unshare` session")
			}
			return a.onStore(func(st *store.Store) error { return runMount(cmd, st, args, asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "output in JSON format")
	return cmd
}

func runMount(cmd *cobra.Command, st *store.Store, names []string, asJSON bool) error {
	mounts := []mountJSON{}
	var failed error
	for _, name := range names {
		root, err := build.Mount(st, name)
		if err != nil {
			failed = failAlso(failed, err)
			continue
		}
		m := mountJSON{MountPoint: root}
		if len(names) > 1 {
			m.Container = name
		}
		mounts = append(mounts, m)
	}
	if len(names) == 0 {
		list, err := build.Containers(st, false)
		if err != nil {
			return err
		}
		for _, c := range list {
			if c.MountPoint != "" {
				mounts = append(mounts, mountJSON{c.Name, c.MountPoint})
			}
		}
	}
	if asJSON {
		if err := cliout.JSON(cmd.OutOrStdout(), mounts); err != nil {
			return err
		}
		return failed
	}
	for _, m := range mounts {
		line := m.MountPoint
		if m.Container != "" {
			line = m.Container + " " + line
		}
		fmt.Fprintln(cmd.OutOrStdout(), line)
	}
	return failed
}

func newUmount(a *app) *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use:     "umount CONTAINER...",
		Aliases: []string{"unmount"},
		Short:   "Unmount the root file system of the specified working containers",
		Long:    "Unmounts the root file system of the specified working containers.",
		Example: "buildah umount containerID\nbuildah umount containerID1 containerID2 containerID3\nbuildah umount --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return errdef.Newf(errdef.ErrInvalid, "when using the --all switch, you may not pass any container IDs")
			case !all && len(args) == 0:
				return errdef.Newf(errdef.ErrInvalid, "at least one container ID must be specified")
			}
			return a.onStore(func(st *store.Store) error { return runUmount(cmd, st, args, all) })
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "umount all of the currently mounted containers")
	return cmd
}

func runUmount(cmd *cobra.Command, st *store.Store, names []string, all bool) error {
	if all {
		list, err := build.Containers(st, false)
		if err != nil {
			return err
		}
		for _, c := range list {
			if c.MountPoint != "" {
				names = append(names, c.ID)
			}
		}
	}
	var failed error
	for _, name := range names {
		id, err := build.Unmount(st, name)
		if err != nil {
			failed = failAlso(failed, err)
			continue
		}
		fmt.Fprintln(cmd.OutOrStdout(), id)
	}
	return failed
}

// failAlso reports an error that another one follows, which is returned.
func failAlso(before, err error) error {
	if before != nil {
		fmt.Fprintln(os.Stderr, "Error: "+before.Error())
	}
	return err
}
