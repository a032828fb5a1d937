package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/manifestlist"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
)

// copyFlags are the options that pull and push share.
type copyFlags struct {
	registry cliflag.Registry
	retry    cliflag.Retry
	progress cliflag.Progress
}

func (o *copyFlags) bind(cmd *cobra.Command, verb string) {
	f := cmd.Flags()
	o.registry.Bind(f)
	o.retry.Bind(f)
	o.progress.Bind(f, "don't output progress information when "+verb+"ing images")
}

// options are those of the registry client, and the display.
func (o *copyFlags) options() (registry.Options, cliout.Progress, error) {
	p, err := o.progress.On(os.Stderr)
	if err != nil {
		return registry.Options{}, nil, err
	}
	r, err := o.registry.AskingOptions()
	o.retry.Into(&r)
	return r, p, err
}

func newPull(a *app) *cobra.Command {
	o, policy := &copyFlags{}, ""
	var removeSignatures, allTags bool
	var platform cliflag.Platform
	var decryption cliflag.Decryption
	cmd := &cobra.Command{
		Use:   "pull IMAGE",
		Short: "Pull an image from the specified location",
		Long: `Pulls an image from a registry and stores it locally.
An image can be pulled using its tag or digest. If a tag is not
specified, the image with the 'latest' tag (if it exists) is pulled.`,
		Example: "buildah pull imagename\nbuildah pull myregistry/myrepository/imagename:imagetag",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if policy == "ifnewer" {
				policy = imgcopy.PullNewer
			}
			switch policy {
			case imgcopy.PullMissing, imgcopy.PullAlways, imgcopy.PullNever, imgcopy.PullNewer:
			default:
				return errdef.Newf(errdef.ErrInvalid, "unrecognized pull policy %q", policy)
			}
			p := imgcopy.PullOptions{Policy: policy, RemoveSignatures: removeSignatures, Choose: cliout.NewChooser(os.Stdin, os.Stdout)}
			var err error
			if p.Platform, err = platform.Value(); err != nil {
				return err
			}
			if p.Registry, p.Progress, err = o.options(); err != nil {
				return err
			}
			st, cfg, err := a.open()
			if err != nil {
				return err
			}
			defer st.Close()
			if p.Keys, err = decryption.Value(); err != nil {
				return err
			}
			ctx, stop := cliout.Interruptible(cmd.Context())
			defer stop()
			names := args
			if allTags {
				if names, err = imgcopy.AllTags(ctx, cfg, args[0], p); err != nil {
					return err
				}
			}
			for _, name := range names {
				id, err := imgcopy.Pull(ctx, st, cfg, name, p)
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), id); err != nil {
					return err
				}
			}
			return nil
		},
	}
	o.bind(cmd, "pull")
	platform.Bind(cmd.Flags())
	decryption.Bind(cmd.Flags())
	cmd.Flags().BoolVarP(&allTags, "all-tags", "a", false, "download all tagged images in the repository")
	cmd.Flags().BoolVar(&removeSignatures, "remove-signatures", false, "don't copy signatures when pulling image")
	cmd.Flags().StringVar(&policy, "policy", imgcopy.PullMissing, "missing, always, ifnewer, or never.")
	return cmd
}

func newPush(a *app) *cobra.Command {
	var o copyFlags
	var format cliflag.Format
	var compression cliflag.Compression
	var digestFile cliflag.DigestFile
	var sign cliflag.Sign
	var encryption cliflag.Encryption
	var all, remove, plain bool
	cmd := &cobra.Command{
		Use:     "push IMAGE [DESTINATION]",
		Short:   "Push an image to a specified destination",
		Long:    "Pushes an image to a specified location.\n\nThe Image \"DESTINATION\" uses a \"transport\":\"details\" format. If not specified, will reuse source IMAGE as DESTINATION.",
		Example: "buildah push imageID docker://registry.example.com/repository:tag\nbuildah push imageID oci:/path/to/layout:image:tag",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p imgcopy.PushOptions
			var err error
			if p.Format, err = format.Value(); err != nil {
				return err
			}
			if err := compression.Check(); err != nil {
				return err
			}
			if p.Sign, err = sign.Value(); err != nil {
				return err
			}
			if plain && (compression.Format != "" || compression.Level != 0) {
				return errdef.Newf(errdef.ErrInvalid, "--disable-compression can't be used with --compression-format or --compression-level")
			}
			p.Plain = plain
			p.CompressFormat, p.CompressLevel, p.ForceCompress = compression.Format, compression.Level, compression.Force
			if p.Registry, p.Progress, err = o.options(); err != nil {
				return err
			}
			st, cfg, err := a.open()
			if err != nil {
				return err
			}
			defer st.Close()
			ctx, stop := cliout.Interruptible(cmd.Context())
			defer stop()
			if p.Encrypt, err = encryption.Value(ctx); err != nil {
				return err
			}
			destination := append(args, "")[1]
			result, err := pushImage(ctx, manifestlist.Lists{Store: st, Config: cfg}, args[0], destination, all, p)
			if err != nil {
				return fmt.Errorf("pushing image %q to %q: %w", args[0], shown(args[0], destination), err)
			}
			if err := digestFile.Write(result.Digest()); err != nil || !remove {
				return err
			}
			return (&remover{st: st, cfg: cfg, out: io.Discard}).name(args[0]) // other names stay
		},
	}
	o.bind(cmd, "push")
	cmd.Flags().BoolVar(&all, "all", false, "push all of the images referenced by the manifest list")
	cmd.Flags().BoolVarP(&plain, "disable-compression", "D", false, "don't compress layers")
	cmd.Flags().BoolVar(&remove, "rm", false, "remove the manifest list or image if push succeeds")
	format.Bind(cmd.Flags())
	compression.Bind(cmd.Flags())
	digestFile.Bind(cmd.Flags())
	sign.BindGPG(cmd.Flags())
	encryption.Bind(cmd.Flags())
	sign.BindRemove(cmd.Flags())
	return cmd
}

// pushImage pushes an image, or with all, where it is a list, the list with its
// images.
func pushImage(ctx context.Context, lists manifestlist.Lists, image, destination string, all bool, p imgcopy.PushOptions) (imgcopy.Result, error) {
	if all {
		if _, err := lists.Find(image); err == nil {
			return lists.Push(ctx, manifestlist.PushRequest{List: image, Destination: destination, Copy: p})
		}
	}
	return imgcopy.Push(ctx, lists.Store, lists.Config, image, destination, p)
}

// shown is a push's destination as messages name it.
func shown(image, destination string) string {
	if destination == "" {
		destination = image
	}
	if ref.HasTransport(destination) {
		return destination
	}
	return "docker://" + destination
}
