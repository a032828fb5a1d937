package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
)

// copyFlags are the options that pull and push share.
type copyFlags struct {
	quiet, tlsVerify  bool
	authFile, certDir string
}

func (o *copyFlags) bind(cmd *cobra.Command, verb string) {
	f := cmd.Flags()
	f.BoolVarP(&o.quiet, "quiet", "q", false, "don't output progress information when "+verb+"ing images")
	f.BoolVar(&o.tlsVerify, "tls-verify", true, "require HTTPS and verify certificates when accessing the registry. TLS verification cannot be used when talking to an insecure registry.")
	f.StringVar(&o.authFile, "authfile", os.Getenv("REGISTRY_AUTH_FILE"), "path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	f.StringVar(&o.certDir, "cert-dir", "", "use certificates at the specified path to access the registry")
}

func (o *copyFlags) progress() cliout.Progress {
	if o.quiet {
		return cliout.NewProgress(nil, "none")
	}
	return cliout.NewProgress(os.Stderr, "auto")
}

// tls is nil unless the user said something about it.
func (o *copyFlags) tls(cmd *cobra.Command) *bool {
	if !cmd.Flags().Changed("tls-verify") {
		return nil
	}
	return &o.tlsVerify
}

func newPull(a *app) *cobra.Command {
	o, policy := &copyFlags{}, ""
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
			st, cfg, err := a.open()
			if err != nil {
				return err
			}
			defer st.Close()
			ctx, stop := cliout.Interruptible(cmd.Context())
			defer stop()
			p := imgcopy.PullOptions{Policy: policy, Progress: o.progress()}
			p.Registry.AuthFile, p.Registry.CertDir, p.Registry.TLSVerify = o.authFile, o.certDir, o.tls(cmd)
			id, err := imgcopy.Pull(ctx, st, cfg, args[0], p)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
			return err
		},
	}
	o.bind(cmd, "pull")
	cmd.Flags().StringVar(&policy, "policy", imgcopy.PullMissing, "missing, always, ifnewer, or never.")
	return cmd
}

func newPush(a *app) *cobra.Command {
	o, format, digestFile := &copyFlags{}, "", ""
	cmd := &cobra.Command{
		Use:     "push IMAGE [DESTINATION]",
		Short:   "Push an image to a specified destination",
		Long:    "Pushes an image to a specified location.\n\nThe Image \"DESTINATION\" uses a \"transport\":\"details\" format. If not specified, will reuse source IMAGE as DESTINATION.",
		Example: "buildah push imageID docker://registry.example.com/repository:tag\nbuildah push imageID oci:/path/to/layout:image:tag",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch format {
			case "", imgcopy.FormatOCI, imgcopy.FormatV2S2:
			default:
				return errdef.Newf(errdef.ErrInvalid, "unknown format %q. Choose on of the supported formats: 'oci' or 'v2s2'", format)
			}
			st, cfg, err := a.open()
			if err != nil {
				return err
			}
			defer st.Close()
			ctx, stop := cliout.Interruptible(cmd.Context())
			defer stop()
			p := imgcopy.PushOptions{Format: format, Progress: o.progress()}
			p.Registry.AuthFile, p.Registry.CertDir, p.Registry.TLSVerify = o.authFile, o.certDir, o.tls(cmd)
			destination := append(args, "")[1]
			result, err := imgcopy.Push(ctx, st, cfg, args[0], destination, p)
			if err != nil {
				return fmt.Errorf("pushing image %q to %q: %w", args[0], shown(args[0], destination), err)
			}
			if digestFile != "" {
				return os.WriteFile(digestFile, []byte(result.Digest().String()), 0o644)
			}
			return nil
		},
	}
	o.bind(cmd, "push")
	cmd.Flags().StringVarP(&format, "format", "f", "", "manifest type (oci or v2s2) to use in the destination (default is manifest type of source)")
	cmd.Flags().StringVar(&digestFile, "digestfile", "", "after copying the image, write the digest of the resulting image to the file")
	return cmd
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
