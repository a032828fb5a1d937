package image

import (
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/spf13/cobra"
)

// NewPush is `podman push`.
func NewPush(a *app.App) *cobra.Command {
	var reg cliflag.Registry
	var retry cliflag.Retry
	var format cliflag.Format
	var compression cliflag.Compression
	var digestFile cliflag.DigestFile
	var shown cliflag.Progress
	var sign cliflag.Sign
	var encryption cliflag.Encryption
	var o imgcopy.PushOptions
	cmd := &cobra.Command{
		Use:     "push [options] IMAGE [DESTINATION]",
		Short:   "Push an image to a specified destination",
		Long:    "Pushes a source image to a specified destination.\n\n  The Image \"DESTINATION\" uses a \"transport\":\"details\" format, or is a name in a registry.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  podman push imageID docker://registry.example.com/repository:tag\n  podman push imageID oci-archive:/path/to/layout:image:tag",
	}
	f := cmd.Flags()
	reg.Bind(f)
	retry.Bind(f)
	cliflag.BindContentTrust(f)
	format.Bind(f)
	compression.Bind(f)
	digestFile.Bind(f)
	sign.Bind(f)
	encryption.BindArray(f)
	sign.BindRemove(f)
	shown.Bind(f, "Suppress output information when pushing images")
	f.BoolVar(&o.Compress, "compress", false, "Compress tarball image layers when pushing to a directory using the 'dir' transport. (default is same compression type as source)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if o.Registry, err = reg.AskingOptions(); err != nil {
			return err
		}
		retry.Into(&o.Registry)
		if o.Format, err = format.Value(); err != nil {
			return err
		}
		if err := compression.Check(); err != nil {
			return err
		}
		if o.Sign, err = sign.Value(); err != nil {
			return err
		}
		o.CompressFormat, o.CompressLevel, o.ForceCompress = compression.Format, compression.Level, compression.Force
		if o.Progress, err = shown.On(os.Stderr); err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		if o.Encrypt, err = encryption.Value(ctx); err != nil {
			return err
		}
		result, err := e.PushImage(ctx, args[0], append(args, "")[1], o)
		if err != nil {
			return err
		}
		return digestFile.Write(result.Digest())
	}
	return cmd
}
