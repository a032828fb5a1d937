package image

import (
	"fmt"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/spf13/cobra"
)

// NewPull is `podman pull`.
func NewPull(a *app.App) *cobra.Command {
	var reg registryFlags
	var platform platformFlags
	var allTags, quiet bool
	var policy string
	cmd := &cobra.Command{
		Use:     "pull [options] IMAGE [IMAGE...]",
		Short:   "Pull an image from a registry",
		Long:    "Pulls an image from a registry and stores it locally.\n\n  An image can be pulled by tag or digest. If a tag is not specified, the image with the 'latest' tag is pulled.",
		Args:    atLeast(1),
		Example: "  podman pull imageName\n  podman pull fedora:latest",
	}
	reg.bind(cmd)
	reg.bindRetry(cmd)
	platform.bind(cmd)
	cmd.Flags().BoolVarP(&allTags, "all-tags", "a", false, "All tagged images in the repository will be pulled")
	cmd.Flags().StringVar(&policy, "policy", imgcopy.PullAlways, `Pull image policy ("always"|"missing"|"never"|"newer")`)
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Suppress output information when pulling images")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o := imgcopy.PullOptions{Policy: policy, Progress: progress(quiet)}
		var err error
		if o.Platform, err = platform.value(); err != nil {
			return err
		}
		if o.Registry, err = reg.options(cmd); err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		var errs []error
		for _, name := range args {
			var ids []string
			var mismatch string
			if allTags {
				ids, err = e.PullAllTags(ctx, name, o)
			} else {
				ids = make([]string, 1)
				ids[0], mismatch, err = e.PullImage(ctx, name, o)
			}
			if mismatch != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "WARNING: %s\n", mismatch)
			}
			if err != nil {
				errs = append(errs, err)
				if ctx.Err() != nil {
					break
				}
				continue
			}
			for _, id := range ids {
				fmt.Fprintln(cmd.OutOrStdout(), id)
			}
		}
		return say.Errors(errs)
	}
	return cmd
}

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

// NewImport is `podman import`.
func NewImport(a *app.App) *cobra.Command {
	req := newImportRequest()
	var quiet bool
	cmd := &cobra.Command{
		Use:   "import [options] PATH [REFERENCE]",
		Short: "Import a tarball to create a filesystem image",
		Long: "Create a container image from the contents of the specified tarball (.tar, .tar.gz, .tgz, .bzip, .tar.xz, .txz, .tar.zst), or from standard input (-).\n\n" +
			"  Optionally tag the image. You can specify the instructions using the --change option.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  podman import ctr.tar localhost/base\n  cat ctr.tar | podman import -q --message \"importing the ctr.tar tarball\" - image-imported\n  podman import --change 'CMD [\"/bin/sh\"]' ctr.tar",
	}
	f := cmd.Flags()
	f.StringVar(&req.Arch, "arch", "", "Set the architecture of the imported image")
	f.StringArrayVarP(&req.Changes, "change", "c", nil, "Apply the following possible instructions to the created image: CMD | ENTRYPOINT | ENV | EXPOSE | LABEL | STOPSIGNAL | USER | VOLUME | WORKDIR")
	f.StringVarP(&req.Message, "message", "m", "", "Set commit message for imported image")
	f.StringVar(&req.OS, "os", "", "Set the OS of the imported image")
	f.BoolVarP(&quiet, "quiet", "q", false, "Suppress output")
	f.StringVar(&req.Variant, "variant", "", "Set the variant of the imported image")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if isURL(args[0]) {
			return errdef.Newf(errdef.ErrUnsupported, "importing from the web is not supported: download %q and import the file", args[0])
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		req.Path, req.Name, req.Progress = args[0], append(args, "")[1], progress(quiet)
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		id, err := e.ImportImage(ctx, *req)
		req.Progress.Done()
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "sha256:"+id)
		return nil
	}
	return cmd
}
