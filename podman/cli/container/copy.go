package container

import (
	"fmt"
	"io"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// NewCopy is `podman cp`.
func NewCopy(a *app.App) *cobra.Command {
	req := engine.CopyRequest{Stdin: os.Stdin, Stdout: os.Stdout}
	cmd := &cobra.Command{
		Use:     "cp [options] [CONTAINER:]SRC_PATH [CONTAINER:]DEST_PATH",
		Short:   "Copy files/folders between a container and the local filesystem",
		Long:    "Copies files or directories between a container and the host, or between two containers. The container need not run. \"-\" stands for a tar archive on the standard input or output.",
		Args:    cobra.ExactArgs(2),
		Example: "  podman cp web:/etc/hosts .\n  podman cp page.html web:/srv/\n  podman cp web:/var/log - | tar -t",
	}
	cmd.Flags().BoolVarP(&req.Archive, "archive", "a", true, "Chown copied files to the primary uid/gid of the destination container.")
	cmd.Flags().BoolVar(&req.Overwrite, "overwrite", false, "Allow to overwrite directories with non-directories and vice versa")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		req.From, req.To = args[0], args[1]
		if !cmd.Flags().Changed("archive") {
			req.Archive = e.Config.Engine.ChownCopiedFiles
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		return e.Copy(ctx, req)
	})
	return cmd
}

// NewExport is `podman export`.
func NewExport(a *app.App) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "export [options] CONTAINER",
		Short:   "Export container's filesystem contents as a tar archive",
		Long:    "Writes the whole root file system of a container as a tar archive, without volumes and other mounts.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman export web > web.tar\n  podman export --output web.tar web",
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "Write to a specified file (default: stdout, which must be redirected)")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		if _, err := e.Lookup(args[0]); err != nil {
			return err
		}
		return app.WriteOutput(output, func(w io.Writer) error { return e.Export(ctx, args[0], w) })
	})
	return cmd
}

// NewCommit is `podman commit`.
func NewCommit(a *app.App) *cobra.Command {
	var req engine.CommitRequest
	var idFile, configFile string
	var quiet bool
	cmd := &cobra.Command{
		Use:     "commit [options] CONTAINER [IMAGE]",
		Short:   "Create new image based on the changed container",
		Long:    "Makes an image of what a container has changed, on top of its image. The container may run; it is not paused unless asked.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  podman commit -q --author \"A U Thor\" web localhost/web2\n  podman commit --change CMD=/bin/sh web localhost/web3\n  podman commit --pause --squash web",
	}
	f := cmd.Flags()
	f.StringVarP(&req.Author, "author", "a", "", "Set the author for the image committed")
	f.StringArrayVarP(&req.Changes, "change", "c", nil, "Apply the following possible instructions to the created image: CMD | ENTRYPOINT | ENV | EXPOSE | LABEL | STOPSIGNAL | USER | VOLUME | WORKDIR")
	f.StringVar(&configFile, "config", "", "`file` containing a container configuration to merge into the image")
	f.StringVarP(&req.Format, "format", "f", "", "`Format` of the image manifest and metadata")
	f.Lookup("format").DefValue = "oci"
	f.StringVar(&idFile, "iidfile", "", "`file` to write the image ID to")
	f.BoolVar(&req.IncludeVolumes, "include-volumes", false, "Include container volumes as image volumes")
	f.StringVarP(&req.Message, "message", "m", "", "Set commit message for imported image")
	f.BoolVarP(&req.Pause, "pause", "p", false, "Pause container during commit")
	f.BoolVarP(&quiet, "quiet", "q", false, "Suppress output")
	f.BoolVarP(&req.Squash, "squash", "s", false, "squash newly built layers into a single new layer")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		req.Container, req.Name = args[0], append(args, "")[1]
		if configFile != "" {
			const limit = 4 << 20
			var err error
			if req.Config, err = readLimited(configFile, limit); err != nil {
				return err
			}
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		id, err := e.Commit(ctx, req)
		if err != nil {
			return err
		}
		if idFile != "" {
			if err := os.WriteFile(idFile, []byte(id), 0o644); err != nil {
				return fmt.Errorf("write image ID to file %q: %w", idFile, err)
			}
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
		return err
	}
	return cmd
}

// readLimited reads a file of at most limit bytes.
func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errdef.Newf(errdef.ErrInvalid, "it is larger than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return data, nil
}
