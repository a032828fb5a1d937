package image

import (
	"fmt"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/say"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/spf13/cobra"
)

// NewPull is `podman pull`.
func NewPull(a *app.App) *cobra.Command {
	var reg cliflag.Registry
	var retry cliflag.Retry
	var platform cliflag.Platform
	var decryption cliflag.Decryption
	var shown cliflag.Progress
	var allTags bool
	var policy string
	cmd := &cobra.Command{
		Use:     "pull [options] IMAGE [IMAGE...]",
		Short:   "Pull an image from a registry",
		Long:    "Pulls an image from a registry and stores it locally.\n\n  An image can be pulled by tag or digest. If a tag is not specified, the image with the 'latest' tag is pulled.",
		Args:    atLeast(1),
		Example: "  podman pull imageName\n  podman pull fedora:latest",
	}
	f := cmd.Flags()
	reg.Bind(f)
	retry.Bind(f)
	cliflag.BindContentTrust(f)
	platform.Bind(f)
	decryption.BindArray(f)
	shown.Bind(f, "Suppress output information when pulling images")
	f.BoolVarP(&allTags, "all-tags", "a", false, "All tagged images in the repository will be pulled")
	f.StringVar(&policy, "policy", imgcopy.PullAlways, `Pull image policy ("always"|"missing"|"never"|"newer")`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o := imgcopy.PullOptions{Policy: policy, Choose: cliout.NewChooser(os.Stdin, os.Stdout)}
		var err error
		if o.Platform, err = platform.Value(); err != nil {
			return err
		}
		if o.Registry, err = reg.AskingOptions(); err != nil {
			return err
		}
		retry.Into(&o.Registry)
		if o.Progress, err = shown.On(os.Stderr); err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		if o.Keys, err = decryption.Value(); err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		var errs []error
		for _, name := range args {
			name = e.Config.Engine.InTransport(name, ref.HasTransport)
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
