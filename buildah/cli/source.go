package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/source"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
)

func newSource(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "source",
		Short: "Manage source images",
		Long: `Creates, pushes, pulls and manages source images. A source image holds what an
ordinary image has been built with: any kind of file or tree.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSourceAdd(), newSourceCreate(), newSourcePull(a), newSourcePush(a))
	return cmd
}

func newSourceCreate() *cobra.Command {
	var author string
	var stamp bool
	cmd := &cobra.Command{
		Use:     "create PATH",
		Short:   "Create a source image",
		Long:    "Creates a source image, an OCI layout without layers yet, at a path that is free.",
		Example: "buildah source create /tmp/fedora:latest-source",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var created *time.Time
			if stamp {
				now := time.Now().UTC()
				created = &now
			}
			if err := source.Create(cmd.Context(), args[0], author, created); err != nil {
				return fmt.Errorf("creating source image: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&author, "author", "", "set the author")
	cmd.Flags().BoolVar(&stamp, "time-stamp", true, `set the "created" time stamp`)
	return cmd
}

func newSourceAdd() *cobra.Command {
	var annotations []string
	cmd := &cobra.Command{
		Use:     "add PATH ARTIFACT",
		Short:   "Add a source artifact to a source image",
		Long:    "Adds a file or a directory to a source image, as a layer that is a compressed archive.",
		Example: "buildah source add /tmp/fedora sources.tar.gz",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			pairs := map[string]string{}
			for _, text := range annotations {
				key, value, ok := strings.Cut(text, "=")
				if !ok || key == "" {
					return errdef.Newf(errdef.ErrInvalid, "invalid annotation %q: want KEY=VALUE", text)
				}
				pairs[key] = value
			}
			ctx, stop := cliout.Interruptible(cmd.Context())
			defer stop()
			return source.Add(ctx, args[0], args[1], pairs)
		},
	}
	cmd.Flags().StringArrayVar(&annotations, "annotation", nil, "add an annotation (format: `key=value`) to the layer")
	return cmd
}

// sourceTransfer are the options that pull and push of source images have.
type sourceTransfer struct {
	registry cliflag.Registry
	quiet    bool
}

func (t *sourceTransfer) bind(cmd *cobra.Command, doing string) {
	f := cmd.Flags()
	t.registry.BindCreds(f)
	t.registry.BindTLS(f)
	f.BoolVarP(&t.quiet, "quiet", "q", false, "don't output progress information when "+doing+" images")
}

func (t *sourceTransfer) options() (o source.TransferOptions, err error) {
	o.Registry, err = t.registry.AskingOptions()
	o.Progress = cliout.NewProgress(os.Stderr, "auto")
	if t.quiet {
		o.Progress = cliout.NewProgress(nil, "none")
	}
	return o, err
}

func newSourcePush(a *app) *cobra.Command {
	var t sourceTransfer
	var digestFile cliflag.DigestFile
	cmd := &cobra.Command{
		Use:     "push PATH REGISTRY",
		Short:   "Push a source image to a registry",
		Long:    "Pushes a source image from a path to a registry.",
		Example: "buildah source push /tmp/sourceimage:latest quay.io/sourceimage/example:latest",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := t.options()
			if err != nil {
				return err
			}
			cfg, err := a.config()
			if err != nil {
				return err
			}
			ctx, stop := cliout.Interruptible(cmd.Context())
			defer stop()
			d, err := source.Push(ctx, cfg, args[0], args[1], o)
			if err != nil {
				return fmt.Errorf("pushing source image: %w", err)
			}
			return digestFile.Write(d)
		},
	}
	t.bind(cmd, "pushing")
	digestFile.Bind(cmd.Flags())
	return cmd
}

func newSourcePull(a *app) *cobra.Command {
	var t sourceTransfer
	cmd := &cobra.Command{
		Use:     "pull REGISTRY PATH",
		Short:   "Pull a source image from a registry",
		Long:    "Pulls a source image from a registry to a path that is free. What is no source image is refused.",
		Example: "buildah source pull quay.io/sourceimage/example:latest /tmp/sourceimage:latest",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := t.options()
			if err != nil {
				return err
			}
			cfg, err := a.config()
			if err != nil {
				return err
			}
			ctx, stop := cliout.Interruptible(cmd.Context())
			defer stop()
			if err := source.Pull(ctx, cfg, args[0], args[1], o); err != nil {
				return fmt.Errorf("pulling source image: %w", err)
			}
			return nil
		},
	}
	t.bind(cmd, "pulling")
	return cmd
}
