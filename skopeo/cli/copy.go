package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
)

const imageNames = `Container "IMAGE-NAME" uses a "transport":"details" format.

Supported transports:
containers-storage, dir, docker, docker-archive, oci, oci-archive

See skopeo(1) section "IMAGE NAMES" for the expected format`

// copyRequest is the command line of skopeo copy.
type copyRequest struct {
	src, dest   place
	authFile    string
	retry       cliflag.Retry
	all         bool
	multiArch   string
	format      cliflag.Format
	digest      cliflag.DigestFile
	sign        cliflag.Sign
	encryption  cliflag.Encryption
	decryption  cliflag.Decryption
	compression cliflag.Compression
	progress    cliflag.Progress
	opts        imgcopy.Options
	tags        []string
	parallel    uint
}

func newCopy(g *global) *cobra.Command {
	r := &copyRequest{}
	cmd := &cobra.Command{
		Use:     "copy [command options] SOURCE-IMAGE DESTINATION-IMAGE",
		Short:   "Copy an IMAGE-NAME from one location to another",
		Long:    imageNames,
		Example: "skopeo copy docker://registry.example.com/app:v1 docker://mirror.example.com/app:v1\nskopeo copy docker://registry.example.com/app:v1 oci:app:v1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cliout.UsageError(cmd, invalid("Exactly two arguments expected"))
			}
			return r.run(cmd, g, args[0], args[1])
		},
		DisableFlagsInUseLine: true,
	}
	f := cmd.Flags()
	r.src.bind(cmd, "src-")
	r.dest.bind(cmd, "dest-")
	r.src.bindOthers(cmd, "src-")
	r.dest.bindOthers(cmd, "dest-")
	r.retry.BindTimes(f)
	r.format.Bind(f)
	r.digest.Bind(f)
	r.compression.BindDest(f)
	r.progress.Bind(f, "Suppress output information when copying images")
	o := &r.opts
	f.StringVar(&r.authFile, "authfile", "", "path of the registry credentials file. Default is ${XDG_RUNTIME_DIR}/containers/auth.json")
	f.StringSliceVar(&r.tags, "additional-tag", nil, "additional tags (supports docker-archive)")
	f.BoolVarP(&r.all, "all", "a", false, "Copy all images if SOURCE-IMAGE is a list")
	f.StringVar(&r.multiArch, "multi-arch", "", "How to handle multi-architecture images (system, all, or index-only)")
	f.BoolVar(&o.PreserveDigests, "preserve-digests", false, "Preserve digests of images and lists")
	r.sign.Bind(f)
	r.sign.BindIdentity(f)
	r.encryption.Bind(f)
	r.decryption.Bind(f)
	r.sign.BindRemove(f)
	f.UintVar(&r.parallel, "image-parallel-copies", 0, "Maximum number of image layers to be copied (pulled/pushed) simultaneously (default 6)")
	f.BoolVar(&o.Compress, "dest-compress", false, "Compress tarball image layers when saving to directory using the 'dir' transport. (default is same compression type as source)")
	f.BoolVar(&o.Decompress, "dest-decompress", false, "Decompress tarball image layers when saving to directory using the 'dir' transport. (default is same compression type as source)")
	f.BoolVar(&o.Precompute, "dest-precompute-digests", false, "Precompute digests to prevent uploading layers already on registry using the 'docker' transport.")
	f.BoolVar(&o.KeepUncompressed, "dest-oci-accept-uncompressed-layers", false, "Allow uncompressed image layers when saving to an OCI image using the 'oci' transport. (default is to compress things that aren't compressed)")
	return cmd
}

// complete checks the options against each other and fills in what follows
// from them.
func (r *copyRequest) complete(g *global, cmd *cobra.Command) error {
	shareAuthFile(r.authFile, &r.src, &r.dest)
	o := &r.opts
	if err := r.compression.Check(); err != nil {
		return err
	}
	o.CompressFormat, o.CompressLevel, o.ForceCompress = r.compression.Format, r.compression.Level, r.compression.Force
	o.Platform, o.Parallel, o.Retries, o.RetryDelay = g.platform, int(r.parallel), r.retry.Times, r.retry.Delay
	switch {
	case r.all && r.multiArch != "":
		return invalid("Cannot use --all and --multi-arch flags together")
	case o.Compress && o.Decompress:
		return invalid("--dest-compress and --dest-decompress cannot be used together")
	case o.ForceCompress && o.CompressFormat == "":
		return invalid("--dest-force-compress-format needs --dest-compress-format")
	case r.encryption.Given() && r.decryption.Given():
		return invalid("--encryption-key and --decryption-key cannot be specified together")
	}
	switch r.multiArch {
	case "", imgcopy.MultiSystem, imgcopy.MultiAll, imgcopy.MultiIndexOnly:
		o.Multi = r.multiArch
	default:
		return invalid("unknown multi-arch option %q. Choose one of the supported options: 'system', 'all', or 'index-only'", r.multiArch)
	}
	if r.all {
		o.Multi = imgcopy.MultiAll
	}
	var err error
	if o.Format, err = r.format.Value(); err != nil {
		return err
	}
	if o.Progress, err = r.progress.On(os.Stdout); err != nil {
		return err
	}
	if o.Source, err = r.src.options(g, cliflag.Retry{}, cmd.ErrOrStderr()); err != nil {
		return err
	}
	o.Destination, err = r.dest.options(g, cliflag.Retry{}, cmd.ErrOrStderr())
	return err
}

func (r *copyRequest) run(cmd *cobra.Command, g *global, from, to string) error {
	src, err := ref.ParseTransport(from)
	if err != nil {
		return fmt.Errorf("Invalid source name %s: %w", from, err)
	}
	dst, err := ref.ParseTransport(to)
	if err != nil {
		return fmt.Errorf("Invalid destination name %s: %w", to, err)
	}
	if err := r.complete(g, cmd); err != nil {
		return err
	}
	if err := enter(src, dst); err != nil {
		return err
	}
	for _, t := range r.tags {
		n, err := ref.ParseNormalized(t)
		if err != nil {
			return fmt.Errorf("error parsing additional-tag '%s': %w", t, err)
		}
		if dst.Transport != ref.DockerArchive {
			return invalid("--additional-tag is supported for docker-archive: destinations only")
		}
		r.opts.Destination.ExtraTags = append(r.opts.Destination.ExtraTags, n.Tagged())
	}
	if r.opts.Policy, err = g.trustPolicy(); err != nil {
		return err
	}
	if r.opts.Sign, err = r.sign.Value(); err != nil {
		return err
	}
	if r.opts.Encrypt, err = r.encryption.Value(cmd.Context()); err != nil {
		return err
	}
	if r.opts.Keys, err = r.decryption.Value(); err != nil {
		return err
	}
	res, err := imgcopy.Copy(cmd.Context(), dst, src, r.opts)
	if err != nil {
		return missing(err, src)
	}
	return r.digest.Write(res.Digest())
}
