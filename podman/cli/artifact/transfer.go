package artifact

import (
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/podman/engine/artifact"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// transfer holds the options that pull and push share.
type transfer struct {
	reg   cliflag.Registry
	retry cliflag.Retry
	shown cliflag.Progress
}

func (t *transfer) bind(f *pflag.FlagSet, quiet string) {
	t.reg.Bind(f)
	t.retry.Bind(f)
	t.shown.Bind(f, quiet)
}

func (t *transfer) options() (artifact.TransferOptions, error) {
	var o artifact.TransferOptions
	var err error
	if o.Registry, err = t.reg.AskingOptions(); err != nil {
		return o, err
	}
	t.retry.Into(&o.Registry)
	o.Progress, err = t.shown.On(os.Stderr)
	return o, err
}

// newPull is `podman artifact pull`.
func newPull(a *app.App) *cobra.Command {
	var flags transfer
	var decryption cliflag.Decryption
	cmd := &cobra.Command{
		Use:     "pull [options] ARTIFACT",
		Short:   "Pull an OCI artifact",
		Long:    "Pulls an artifact from a registry and stores it locally.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman artifact pull quay.io/foobar/machineos:latest",
	}
	flags.bind(cmd.Flags(), "Suppress output information when pulling images")
	decryption.BindArray(cmd.Flags())
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		o, err := flags.options()
		if err != nil {
			return err
		}
		if o.Keys, err = decryption.Value(); err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		_, err = e.Artifacts().Pull(ctx, e.Config, args[0], o)
		return err
	})
	return cmd
}

// newPush is `podman artifact push`.
func newPush(a *app.App) *cobra.Command {
	var flags transfer
	var digestFile cliflag.DigestFile
	var sign cliflag.Sign
	cmd := &cobra.Command{
		Use:     "push [options] ARTIFACT.",
		Short:   "Push an OCI artifact",
		Long:    "Push an OCI artifact from local storage to an image registry",
		Args:    cobra.ExactArgs(1),
		Example: "  podman artifact push quay.io/foobar/machineos:latest",
	}
	flags.bind(cmd.Flags(), "Suppress output information when pushing images")
	digestFile.Bind(cmd.Flags())
	sign.Bind(cmd.Flags())
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		o, err := flags.options()
		if err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		if o.Sign, err = sign.Value(); err != nil {
			return err
		}
		d, err := e.Artifacts().Push(ctx, e.Config, args[0], o)
		if err != nil {
			return err
		}
		return digestFile.Write(d)
	})
	return cmd
}
