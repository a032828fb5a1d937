package volume

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

func newExport(a *app.App) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "export [options] VOLUME",
		Short:   "Export volumes",
		Long:    "Writes what is in a volume as a tar archive.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman volume export myvol > myvol.tar\n  podman volume export --output myvol.tar myvol",
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "Write to a specified file (default: stdout, which must be redirected)")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if _, err := e.LookupVolume(args[0]); errors.Is(err, errdef.ErrNotFound) {
			return errdef.Newf(errdef.ErrNotFound, "no volume with name %q found: no such volume", args[0])
		} else if err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		return app.WriteOutput(output, func(w io.Writer) error { return e.ExportVolume(ctx, args[0], w) })
	})
	return cmd
}

func newImport(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "import VOLUME [SOURCE]",
		Short:   "Import a tarball contents into a podman volume",
		Long:    "Unpacks a tar archive, compressed or not, into a volume that is there. Without a source, or with \"-\", it is read from the standard input.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  podman volume import myvol myvol.tar\n  podman volume import myvol < myvol.tar.gz",
		RunE: a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
			in := os.Stdin
			if len(args) == 2 && args[1] != "-" {
				f, err := os.Open(args[1])
				if err != nil {
					return fmt.Errorf("unable open input file: %w", err)
				}
				defer f.Close()
				in = f
			} else if cliout.IsTerminal(os.Stdin) {
				return errdef.Newf(errdef.ErrInvalid, "a tar archive is needed: give its file, or redirect the standard input")
			}
			ctx, stop := cliout.Interruptible(cmd.Context())
			defer stop()
			return e.ImportVolume(ctx, args[0], in)
		}),
	}
}

func newMount(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "mount NAME",
		Short:   "Mount volume",
		Long:    "Mounts a volume on the host, where it isn't a plain directory, and prints where it is.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman volume mount myvol",
		RunE: a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
			path, err := e.MountVolume(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		}),
	}
}

func newUnmount(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "unmount NAME",
		Short:   "Unmount volume",
		Long:    "Takes a mount of a volume on the host back. What containers need stays.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman volume unmount myvol",
		RunE: a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
			if err := e.UnmountVolume(args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), args[0])
			return err
		}),
	}
}

// newReload is for volumes of plugins, which may come and go by themselves;
// those of the local driver are always what is on disk.
func newReload(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:     "reload",
		Short:   "Reload all volumes from volume plugins",
		Long:    "Looks at the volumes of all plugins anew. No plugin is supported, and local volumes are always what is on disk, so this reads the list and changes nothing.",
		Args:    cobra.NoArgs,
		Example: "  podman volume reload",
		RunE: a.With(func(_ *cobra.Command, e *engine.Engine, _ []string) error {
			_, err := e.Volumes().List()
			return err
		}),
	}
}
