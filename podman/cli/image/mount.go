package image

import (
	"fmt"
	"slices"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// mountedImage is an element of `image mount --format json`, with the
// reference's keys.
type mountedImage struct {
	ID           string   `json:"id"`
	Names        []string // the digests
	Repositories []string
	Mountpoint   string `json:"mountpoint"`
}

// NewMount is `podman image mount`.
func NewMount(a *app.App) *cobra.Command {
	var all bool
	var format string
	cmd := &cobra.Command{
		Use:     "mount [options] [IMAGE...]",
		Short:   "Mount an image's root filesystem",
		Long:    "Mounts the specified images' root file systems read-only and prints where. Without an image it lists what is mounted.",
		Example: "  podman image mount imgID\n  podman image mount imgID1 imgID2 imgID3\n  podman image mount\n  podman image mount --all",
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Mount all images")
	cmd.Flags().StringVar(&format, "format", "", "Print the mounted images in specified format (json)")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		switch {
		case all && len(args) > 0:
			return errdef.Newf(errdef.ErrInvalid, "when using the --all switch, you may not pass any image names or IDs")
		case format != "" && format != "json":
			return errdef.Newf(errdef.ErrInvalid, "unknown --format argument: %q", format)
		}
		var mounted []engine.MountedImage
		var err error
		if all || len(args) > 0 {
			mounted, err = e.MountImages(args, all)
		} else {
			mounted, err = e.MountedImages()
		}
		if err != nil {
			return err
		}
		return printMounted(cmd, mounted, format, len(args) == 1)
	})
	return cmd
}

// printMounted tells where images are mounted; of one that was asked for, only
// where.
func printMounted(cmd *cobra.Command, mounted []engine.MountedImage, format string, one bool) error {
	out := cmd.OutOrStdout()
	if format == "json" {
		list := make([]mountedImage, len(mounted))
		for i, m := range mounted {
			list[i] = mountedImage{ID: m.ID, Mountpoint: m.Path, Names: []string{}, Repositories: m.Names}
			for _, d := range m.Digests {
				list[i].Names = append(list[i].Names, d.String())
			}
			if list[i].Repositories == nil {
				list[i].Repositories = []string{}
			}
		}
		return cliout.JSON(out, list, 1)
	}
	if one {
		_, err := fmt.Fprintln(out, mounted[0].Path)
		return err
	}
	rows := make([]struct{ Name, Path string }, len(mounted))
	for i, m := range mounted {
		rows[i].Name, rows[i].Path = append(slices.Clone(m.Names), m.ID)[0], m.Path
	}
	return cliout.Rows(out, "", "table {{.Name}}\t{{.Path}}", nil, rows, cliout.RowsOptions{NoHeading: true})
}

// NewUnmount is `podman image unmount`.
func NewUnmount(a *app.App) *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use:     "unmount [options] IMAGE [IMAGE...]",
		Aliases: []string{"umount"},
		Short:   "Unmount an image's root filesystem",
		Long:    "Takes back a mount of the specified images' root file systems. An image that was mounted several times stays mounted until each of them is taken back.",
		Example: "  podman image unmount imgID\n  podman image unmount imgID1 imgID2 imgID3\n  podman image unmount --all",
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Unmount all of the currently mounted images")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Force the complete unmount of the specified mounted images")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		switch {
		case len(args) == 0 && !all:
			return errdef.Newf(errdef.ErrInvalid, "image name or ID must be specified")
		case len(args) > 0 && all:
			return errdef.Newf(errdef.ErrInvalid, "when using the --all switch, you may not pass any image names or IDs")
		}
		ids, errs := e.UnmountImages(args, all, force)
		for _, id := range ids {
			fmt.Fprintln(cmd.OutOrStdout(), id)
		}
		return say.Errors(errs)
	})
	return cmd
}
