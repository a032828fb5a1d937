package image

import (
	"fmt"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/spf13/cobra"
)

// NewPush is `podman push`.
func NewPush(a *app.App) *cobra.Command {
	var reg registryFlags
	var o imgcopy.PushOptions
	var quiet bool
	var digestFile string
	cmd := &cobra.Command{
		Use:     "push [options] IMAGE [DESTINATION]",
		Short:   "Push an image to a specified destination",
		Long:    "Pushes a source image to a specified destination.\n\n  The Image \"DESTINATION\" uses a \"transport\":\"details\" format, or is a name in a registry.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  podman push imageID docker://registry.example.com/repository:tag\n  podman push imageID oci-archive:/path/to/layout:image:tag",
	}
	reg.bind(cmd)
	reg.bindRetry(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.Compress, "compress", false, "Compress tarball image layers when pushing to a directory using the 'dir' transport. (default is same compression type as source)")
	f.StringVar(&o.CompressFormat, "compression-format", "", "compression format to use (default \"gzip\")")
	f.IntVar(&o.CompressLevel, "compression-level", 0, "compression level to use")
	f.StringVar(&digestFile, "digestfile", "", "Write the digest of the pushed image to the specified file")
	f.BoolVar(&o.ForceCompress, "force-compression", false, "Use the specified compression algorithm even if the destination contains a differently-compressed variant already")
	f.StringVarP(&o.Format, "format", "f", "", "Manifest type (oci or v2s2) to use in the destination (default is manifest type of source)")
	f.BoolVarP(&quiet, "quiet", "q", false, "Suppress output information when pushing images")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if o.Registry, err = reg.options(cmd); err != nil {
			return err
		}
		if f.Changed("compression-format") && !f.Changed("force-compression") {
			o.ForceCompress = true // who names a format means it
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		o.Progress = progress(quiet)
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		result, err := e.PushImage(ctx, args[0], append(args, "")[1], o)
		if err != nil || digestFile == "" {
			return err
		}
		if err := os.WriteFile(digestFile, []byte(result.Digest().String()), 0o644); err != nil {
			return fmt.Errorf("write digest file: %w", err)
		}
		return nil
	}
	return cmd
}
