package imgcopy

import (
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/encryption"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
	"github.com/podsuite/podsuite/shared/trust"
)

// The formats of manifests that a copy can be asked for.
const (
	FormatOCI  = "oci"
	FormatV2S2 = "v2s2"
)

// What to do with a list of images.
const (
	MultiSystem    = "system"     // the image for the platform
	MultiAll       = "all"        // every image and the list
	MultiIndexOnly = "index-only" // the list alone
)

// Options of a copy.
type Options struct {
	Source      transport.Options
	Destination transport.Options
	Policy      *trust.Policy // nil accepts everything
	Sign        SignOptions
	Encrypt     EncryptOptions
	Keys        *encryption.Keys // decrypt encrypted layers; nil: they stay so
	Platform    v1.Platform      // empty fields are the host's
	Multi       string           // MultiSystem, MultiAll, MultiIndexOnly; "" is MultiSystem
	Format      string           // "" keeps the source's

	PreserveDigests  bool
	CompressFormat   string   // gzip, zstd; "" is gzip
	CompressLevel    int      // 0: the compressor's own choice
	ForceCompress    bool     // compress anew what has another format
	AddCompression   []string // of a list's images: have them in these formats too
	Compress         bool     // compress layers that the destination would keep plain
	Decompress       bool     // store layers uncompressed
	Precompute       bool     // find the digest of a changed layer before it is sent: the destination may have it
	KeepUncompressed bool     // an OCI destination takes plain layers as they are

	Parallel   int // blobs at a time; 0: 6
	Retries    int // further attempts after a transient error
	RetryDelay time.Duration
	Progress   cliout.Progress // nil: none
}

// Result is what a copy wrote.
type Result struct {
	Manifest transport.Manifest // the one the destination's name stands for
	ImageID  string             // in a local store
}

// Digest is the digest of the image or list that was written.
func (r Result) Digest() digest.Digest { return r.Manifest.Digest }

// defaultParallel is the number of blobs under way at a time.
const defaultParallel = 6

// DefaultRetries is how often the engines try again after a transient error.
const DefaultRetries = 3

// maxRetries bounds what is configured.
const maxRetries = 1000

func (o *Options) complete() {
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	if o.Multi == "" {
		o.Multi = MultiSystem
	}
	if o.Progress == nil {
		o.Progress = cliout.NewProgress(nil, "none")
	}
	if o.CompressFormat == "" {
		o.CompressFormat = "gzip"
	}
	o.Platform = Platform(o.Platform)
	for _, r := range []*registry.Options{&o.Source.Registry, &o.Destination.Registry} {
		r.Retries, r.RetryDelay = max(r.Retries, o.Retries), max(r.RetryDelay, o.RetryDelay)
	}
}

// UsualArch is the architecture as images call it: other tools have other names
// for some.
func UsualArch(arch string) string {
	switch arch {
	case "x86_64", "x86-64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "i386":
		return "386"
	case "armhf":
		return "arm"
	}
	return arch
}

// Platform fills empty fields with the host's.
func Platform(p v1.Platform) v1.Platform {
	if p.OS == "" {
		p.OS = "linux"
	}
	if p.Architecture == "" {
		p.Architecture = runtime.GOARCH
	}
	return p
}
