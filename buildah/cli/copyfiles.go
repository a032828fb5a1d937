package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/buildah/buildcmd"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
)

type copyFilesFlags struct {
	work       build.WorkRequest
	copy       build.CopyRequest
	registry   cliflag.Registry
	retry      cliflag.Retry
	timestamp  string
	quiet      bool
	contextDir string
}

func newAdd(a *app) *cobra.Command {
	cmd := newCopyFiles(a, true)
	cmd.Use = "add CONTAINER SOURCE... [DESTINATION]"
	cmd.Short = "Add content to the container"
	cmd.Long = `Adds the contents of a file, URL, or directory to a container's working
directory.  If a local file appears to be an archive, its contents are
extracted and added instead of the archive file itself.`
	return cmd
}

func newCopy(a *app) *cobra.Command {
	cmd := newCopyFiles(a, false)
	cmd.Use = "copy CONTAINER SOURCE... [DESTINATION]"
	cmd.Short = "Copy content into the container"
	cmd.Long = `Copies the contents of a file, URL, or directory into a container's working
directory.`
	return cmd
}

func newCopyFiles(a *app, add bool) *cobra.Command {
	o := &copyFilesFlags{}
	o.copy.Add = add
	verb := map[bool]string{true: "add", false: "copy"}[add]
	cmd := &cobra.Command{
		Example: "buildah " + verb + " containerID '/myapp/app.conf'\nbuildah " + verb +
			" containerID 'app.conf' '/myapp/app.conf'\nbuildah " + verb + " containerID 'app.conf' 'drop-in.conf' '/myapp/app.conf.d/'",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return errdef.Newf(errdef.ErrInvalid, "container ID must be specified")
			case 1:
				return errdef.Newf(errdef.ErrInvalid, "src must be specified")
			}
			return runCopyFiles(cmd, a, o, args[0], args[1:])
		},
	}
	f, c := cmd.Flags(), &o.copy
	f.BoolVar(&c.AddHistory, "add-history", envBool("BUILDAH_HISTORY"), "add an entry for this operation to the image's history.  Use BUILDAH_HISTORY environment variable to override.")
	o.registry.BindTLS(f)
	f.StringVar(&o.registry.CertDir, "cert-dir", "", "use certificates at the specified path to access registries and sources")
	o.retry.Bind(f)
	f.StringVar(&c.Checksum, "checksum", "", "checksum the HTTP source content")
	f.StringVar(&c.Chmod, "chmod", "", "set the access permissions of the destination content")
	f.StringVar(&c.Chown, "chown", "", "set the user and group ownership of the destination content")
	f.StringVar(&o.contextDir, "contextdir", "", "context directory path")
	f.StringSliceVar(&c.Exclude, "exclude", nil, "exclude pattern when copying files")
	f.StringVar(&c.From, "from", "", "use the specified container's or image's root directory as the source root directory")
	f.StringVar(&o.work.IgnoreFile, "ignorefile", "", "path to .containerignore file")
	f.BoolVar(&c.Link, "link", false, "enable layer caching for this operation (creates an independent layer)")
	if !c.Add {
		f.BoolVar(&c.Parents, "parents", false, "preserve leading directories in the paths of items being copied")
	}
	f.BoolVarP(&o.quiet, "quiet", "q", false, "don't output a digest of the newly-added/copied content")
	f.StringVar(&o.timestamp, "timestamp", "", "set timestamps on new content to `seconds` after the epoch")
	return cmd
}

func runCopyFiles(cmd *cobra.Command, a *app, o *copyFilesFlags, container string, args []string) error {
	var err error
	if o.work.Timestamp, err = buildcmd.ParseTime("timestamp", o.timestamp); err != nil {
		return err
	}
	if o.work.Registry, err = o.registry.Options(); err != nil {
		return err
	}
	o.retry.Into(&o.work.Registry)
	if o.work.IgnoreFile != "" && o.contextDir == "" {
		return errdef.Newf(errdef.ErrInvalid, "--ignorefile option requires that you specify a context dir using --contextdir")
	}
	o.copy.Sources, o.copy.Dest = args, "."
	if n := len(args); n > 1 {
		o.copy.Sources, o.copy.Dest = args[:n-1], args[n-1]
	}
	if err := o.sources(); err != nil {
		return err
	}
	o.work.Stdout = io.Discard
	return a.work(&o.work, func() error {
		w, err := build.Open(o.work, container)
		if err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		digest, err := w.Copy(ctx, o.copy)
		if err == nil && !o.quiet {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), digest)
		}
		return errors.Join(err, w.Close())
	})
}

// sources makes the paths those of the host's whole tree, or of the context
// directory.
func (o *copyFilesFlags) sources() error {
	if o.copy.From != "" {
		return nil
	}
	o.work.Context = "/"
	if o.contextDir != "" {
		var err error
		o.work.Context, err = filepath.Abs(o.contextDir)
		return err
	}
	for i, source := range o.copy.Sources {
		if u, err := url.Parse(source); err == nil && u.Scheme != "" && u.Host != "" {
			continue
		}
		absolute, err := filepath.Abs(source)
		if err != nil {
			return err
		}
		o.copy.Sources[i] = absolute
	}
	return nil
}
