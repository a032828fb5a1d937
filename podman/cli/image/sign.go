package image

import (
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
)

// newSign is `podman image sign`.
func newSign(a *app.App) *cobra.Command {
	var req engine.SignImagesRequest
	var reg cliflag.Registry
	cmd := &cobra.Command{
		Use:     "sign [options] IMAGE [IMAGE...]",
		Short:   "Sign an image",
		Long:    "Signs images, which transport:details references name, and keeps the signatures in the directory that registries.d has for them.",
		Args:    cobra.MinimumNArgs(1),
		Example: "  podman image sign --sign-by mykey docker://registry.example.com/acme/app\n  podman image sign --sign-by mykey -d signatures docker://registry.example.com/acme/app",
	}
	f := cmd.Flags()
	f.BoolVarP(&req.All, "all", "a", false, "Sign all the manifests of the multi-architecture image")
	reg.BindAuthFile(f)
	f.StringVar(&reg.CertDir, "cert-dir", "", "`Pathname` of a directory containing TLS certificates and keys")
	f.StringVarP(&req.Directory, "directory", "d", "", "Define an alternate directory to store signatures")
	f.StringVar(&req.SignBy, "sign-by", "", "Name of the signing key")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if req.Registry, err = reg.AskingOptions(); err != nil {
			return err
		}
		c, err := a.Config()
		if err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		req.Images = args
		return engine.SignImages(ctx, c, req)
	}
	return cmd
}
