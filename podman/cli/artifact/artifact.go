package artifact

import (
	"fmt"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/podman/engine/artifact"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/manifestlist"
	"github.com/spf13/cobra"
)

// New is `podman artifact`.
func New(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "artifact",
		Short: "Manage OCI artifacts",
		Long:  "Manage OCI artifacts",
	}
	for _, add := range []func(*app.App) *cobra.Command{newAdd, newExtract, newInspect, newList, newPull, newPush, newRemove} {
		cmd.AddCommand(add(a))
	}
	return cmd
}

// newAdd is `podman artifact add`.
func newAdd(a *app.App) *cobra.Command {
	var req artifact.AddRequest
	var annotations []string
	cmd := &cobra.Command{
		Use:     "add [options] ARTIFACT PATH [...PATH]",
		Short:   "Add an OCI artifact to the local store",
		Long:    "Add an OCI artifact to the local store from the local filesystem",
		Args:    cobra.MinimumNArgs(2),
		Example: "  podman artifact add quay.io/myimage/myartifact:latest /tmp/foobar.txt\n  podman artifact add --file-type text/yaml quay.io/myimage/myartifact:latest /tmp/foobar.yaml",
	}
	f := cmd.Flags()
	f.StringArrayVar(&annotations, "annotation", nil, "set an `annotation` for the specified files of artifact")
	f.BoolVarP(&req.Append, "append", "a", false, "Append files to an existing artifact")
	f.StringVar(&req.FileType, "file-type", "", "Set file type to use for the artifact (layer)")
	f.BoolVar(&req.Replace, "replace", false, "Replace an existing artifact")
	f.StringVar(&req.Type, "type", "", "Use type to describe an artifact")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		var err error
		if req.Annotations, err = manifestlist.ParseAnnotations(annotations); err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		req.Name, req.Files = args[0], args[1:]
		d, err := e.Artifacts().Add(ctx, req)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), d.Encoded())
		return nil
	})
	return cmd
}

// newExtract is `podman artifact extract`.
func newExtract(a *app.App) *cobra.Command {
	var req artifact.ExtractRequest
	cmd := &cobra.Command{
		Use:     "extract [options] ARTIFACT PATH",
		Short:   "Extract an OCI artifact to a local path",
		Long:    "Extract the blobs of an OCI artifact to a local file or directory",
		Args:    cobra.ExactArgs(2),
		Example: "  podman artifact extract quay.io/myimage/myartifact:latest /tmp/foobar.txt\n  podman artifact extract quay.io/myimage/myartifact:latest /home/paul/mydir",
	}
	cmd.Flags().StringVar(&req.Digest, "digest", "", "Only extract blob with the given digest")
	cmd.Flags().StringVar(&req.Title, "title", "", "Only extract blob with the given title")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		req.Name, req.Target = args[0], args[1]
		return e.Artifacts().Extract(ctx, req)
	})
	return cmd
}

// newRemove is `podman artifact rm`.
func newRemove(a *app.App) *cobra.Command {
	var all, ignore bool
	cmd := &cobra.Command{
		Use:     "rm [options] ARTIFACT [ARTIFACT...]",
		Short:   "Remove one or more OCI artifacts",
		Long:    "Remove one or more OCI artifacts from local storage",
		Example: "  podman artifact rm quay.io/myimage/myartifact:latest\n  podman artifact rm -a\n  podman artifact rm c4dfb1609ee2 93fd78260bd1 c0ed59d05ff7",
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Remove all artifacts")
	cmd.Flags().BoolVarP(&ignore, "ignore", "i", false, "Ignore errors if a specified artifact does not exist")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		switch {
		case len(args) == 0 && !all:
			return errdef.Newf(errdef.ErrInvalid, "at least one artifact name or digest must be specified")
		case len(args) > 0 && all:
			return errdef.Newf(errdef.ErrInvalid, "when using the --all switch, you may not pass any artifact names or digests")
		}
		removed, err := e.Artifacts().Remove(args, all, ignore)
		for _, d := range removed {
			fmt.Fprintln(cmd.OutOrStdout(), d.Encoded())
		}
		return err
	})
	return cmd
}
