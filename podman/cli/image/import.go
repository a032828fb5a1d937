package image

import (
	"fmt"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
)

// NewImport is `podman import`.
func NewImport(a *app.App) *cobra.Command {
	req := engine.ImportImageRequest{Stdin: os.Stdin}
	var shown cliflag.Progress
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
	shown.Bind(f, "Suppress output")
	f.StringVar(&req.Variant, "variant", "", "Set the variant of the imported image")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if req.Progress, err = shown.On(os.Stderr); err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		req.Path, req.Name = args[0], append(args, "")[1]
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		id, err := e.ImportImage(ctx, req)
		req.Progress.Done()
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "sha256:"+id)
		return nil
	}
	return cmd
}
