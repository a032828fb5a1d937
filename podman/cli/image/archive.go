package image

import (
	"fmt"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewSave is `podman save`.
func NewSave(a *app.App) *cobra.Command {
	req := engine.SaveImageRequest{}
	var shown cliflag.Progress
	cmd := &cobra.Command{
		Use:     "save [options] IMAGE [IMAGE...]",
		Short:   "Save image(s) to an archive",
		Long:    "Save an image to docker-archive or oci-archive on the local machine. Default is docker-archive, in which the image can have further names, or further images can be.",
		Example: "  podman save --quiet -o myimage.tar imageID\n  podman save --format docker-dir -o ubuntu-dir ubuntu\n  podman save > alpine-all.tar alpine:latest",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errdef.Newf(errdef.ErrInvalid, "need at least 1 argument")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&req.Compress, "compress", false, "Compress tarball image layers when saving to a directory using the 'dir' transport. (default is same compression type as source)")
	f.StringVar(&req.Format, "format", engine.SaveDockerArchive, "Save image to oci-archive, oci-dir (directory with oci manifest type), docker-archive, docker-dir (directory with v2s2 manifest type)")
	f.BoolVarP(&req.Many, "multi-image-archive", "m", false, "Interpret additional arguments as images not tags and create a multi-image-archive (only for docker-archive)")
	f.StringVarP(&req.Output, "output", "o", "", "Write to a specified file (default: stdout, which must be redirected)")
	f.BoolVar(&req.Uncompressed, "uncompressed", false, "Accept uncompressed layers when copying OCI images")
	shown.Bind(f, "Suppress the output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		isDir := req.Format == engine.SaveDockerDir || req.Format == engine.SaveOCIDir
		switch {
		case req.Compress && req.Format != engine.SaveDockerDir:
			return errdef.Newf(errdef.ErrInvalid, "--compress can only be set when --format is 'docker-dir'")
		case len(args) > 1 && !req.Many && req.Format != engine.SaveDockerArchive:
			return errdef.Newf(errdef.ErrInvalid, "only a docker-archive can hold further names of an image")
		case req.Output == "" && isDir:
			return errdef.Newf(errdef.ErrInvalid, "a directory can't be written to standard output: say where with --output")
		case req.Output == "" && cliout.IsTerminal(os.Stdout):
			return errdef.Newf(errdef.ErrInvalid, "refusing to save to terminal. Use -o flag or redirect")
		}
		var err error
		if req.Progress, err = shown.On(os.Stderr); err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		req.Image, req.More = args[0], args[1:]
		if !cmd.Flags().Changed("multi-image-archive") && req.Format == engine.SaveDockerArchive {
			req.Many = e.Config.Engine.MultiImageArchive
		}
		if req.Output == "" {
			req.Stdout = os.Stdout
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		return e.SaveImage(ctx, req)
	}
	return cmd
}

// NewLoad is `podman load`.
func NewLoad(a *app.App) *cobra.Command {
	var input string
	var shown cliflag.Progress
	cmd := &cobra.Command{
		Use:     "load [options]",
		Short:   "Load image(s) from a tar archive",
		Long:    "Loads an image from a locally stored archive (tar file) into container storage.",
		Args:    cobra.NoArgs,
		Example: "  podman load --input image.tar\n  podman load < image.tar",
	}
	cmd.Flags().StringVarP(&input, "input", "i", "", "Read from specified archive file (default: stdin)")
	shown.Bind(cmd.Flags(), "Suppress the output")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if input == "" && cliout.IsTerminal(os.Stdin) {
			return errdef.Newf(errdef.ErrInvalid, "cannot read from terminal, use command-line redirection or the --input flag")
		}
		if input != "" {
			if _, err := os.Stat(input); err != nil {
				return err
			}
		}
		p, err := shown.On(os.Stderr)
		if err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		names, err := e.LoadImages(ctx, input, os.Stdin, p)
		for _, name := range names {
			fmt.Fprintln(cmd.OutOrStdout(), "Loaded image: "+name)
		}
		return err
	}
	return cmd
}
