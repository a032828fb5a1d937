package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

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
	src, dest      registryFlags
	authFile       string
	retry          retryFlags
	all, quiet     bool
	multiArch      string
	format         string
	digestFile     string
	level          int
	compressFormat string
	opts           imgcopy.Options
	tags           []string
	parallel       uint
	removeSigs     bool
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
	r.src.add(cmd, "src-")
	r.dest.add(cmd, "dest-")
	f := cmd.Flags()
	r.src.addBlobs(f, "src-")
	r.dest.addBlobs(f, "dest-")
	r.retry.add(f)
	o := &r.opts
	f.StringVar(&r.authFile, "authfile", "", "path of the registry credentials file. Default is ${XDG_RUNTIME_DIR}/containers/auth.json")
	f.StringSliceVar(&r.tags, "additional-tag", nil, "additional tags (supports docker-archive)")
	f.BoolVarP(&r.all, "all", "a", false, "Copy all images if SOURCE-IMAGE is a list")
	f.StringVar(&r.multiArch, "multi-arch", "", "How to handle multi-architecture images (system, all, or index-only)")
	f.BoolVarP(&r.quiet, "quiet", "q", false, "Suppress output information when copying images")
	f.StringVarP(&r.format, "format", "f", "", "MANIFEST TYPE (oci or v2s2) to use in the destination (default is manifest type of source)")
	f.StringVar(&r.digestFile, "digestfile", "", "Write the digest of the pushed image to the specified file")
	f.BoolVar(&o.PreserveDigests, "preserve-digests", false, "Preserve digests of images and lists")
	f.BoolVar(&r.removeSigs, "remove-signatures", false, "Do not copy signatures from source")
	f.UintVar(&r.parallel, "image-parallel-copies", 0, "Maximum number of image layers to be copied (pulled/pushed) simultaneously (default 6)")
	f.BoolVar(&o.Compress, "dest-compress", false, "Compress tarball image layers when saving to directory using the 'dir' transport. (default is same compression type as source)")
	f.BoolVar(&o.Decompress, "dest-decompress", false, "Decompress tarball image layers when saving to directory using the 'dir' transport. (default is same compression type as source)")
	f.StringVar(&r.compressFormat, "dest-compress-format", "", "`FORMAT` to use for the compression (gzip or zstd)")
	f.IntVar(&r.level, "dest-compress-level", 0, "`LEVEL` to use for the compression")
	f.BoolVar(&o.ForceCompress, "dest-force-compress-format", false, "Force exclusive use of the compression algorithm set in --dest-compress-format")
	f.BoolVar(&o.KeepUncompressed, "dest-oci-accept-uncompressed-layers", false, "Allow uncompressed image layers when saving to an OCI image using the 'oci' transport. (default is to compress things that aren't compressed)")
	return cmd
}

// complete checks the options against each other and fills in what follows
// from them.
func (r *copyRequest) complete(g *global, cmd *cobra.Command) error {
	if r.src.authFile == "" {
		r.src.authFile = r.authFile
	}
	if r.dest.authFile == "" {
		r.dest.authFile = r.authFile
	}
	o := &r.opts
	o.CompressFormat, o.CompressLevel = r.compressFormat, r.level
	o.Platform, o.Parallel, o.Retries, o.RetryDelay = g.platform, int(r.parallel), r.retry.times, r.retry.delay
	if err := imgcopy.CheckCompression(o.CompressFormat, o.CompressLevel); err != nil {
		return err
	}
	switch {
	case r.all && r.multiArch != "":
		return invalid("Cannot use --all and --multi-arch flags together")
	case o.Compress && o.Decompress:
		return invalid("--dest-compress and --dest-decompress cannot be used together")
	case o.ForceCompress && r.compressFormat == "":
		return invalid("--dest-force-compress-format needs --dest-compress-format")
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
	switch r.format {
	case "", imgcopy.FormatOCI, imgcopy.FormatV2S2:
		o.Format = r.format
	case "v2s1":
		return invalid("format \"v2s1\" is not supported. Choose one of the supported formats: 'oci' or 'v2s2'")
	default:
		return invalid("unknown format %q. Choose one of the supported formats: 'oci', 'v2s1', or 'v2s2'", r.format)
	}
	var err error
	if o.Source, err = r.src.options(g, retryFlags{}, cmd.ErrOrStderr()); err != nil {
		return err
	}
	o.Destination, err = r.dest.options(g, retryFlags{}, cmd.ErrOrStderr())
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
	r.opts.Progress = progress(r.quiet)
	res, err := imgcopy.Copy(cmd.Context(), dst, src, r.opts)
	if err != nil {
		return missing(err, src)
	}
	if r.digestFile != "" {
		if err := os.WriteFile(r.digestFile, []byte(res.Digest()), 0o644); err != nil {
			return fmt.Errorf("Failed to write digest to file %q: %w", r.digestFile, err)
		}
	}
	return nil
}
