package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
)

// Ref says where an image lies.
type Ref = ref.Location

// Manifest is a manifest as it was received.
type Manifest = registry.Manifest

// MaxConfigSize bounds the configuration of an image, in bytes.
const MaxConfigSize = 4 << 20

// Source is an image, or a list of images, that can be read. Its methods may
// be called side by side.
type Source interface {
	// Manifest gives the manifest with the digest, or the one the reference
	// names if d is empty.
	Manifest(ctx context.Context, d digest.Digest) (Manifest, error)
	// Blob opens a blob of the image; size is -1 if unknown. The caller
	// verifies what it reads.
	Blob(ctx context.Context, d digest.Digest) (r io.ReadCloser, size int64, err error)
	Close() error
}

// Content is a blob on its way to a destination.
type Content struct {
	Digest digest.Digest // "" if it is known only after reading
	Size   int64         // -1 if unknown
	// Reader fails at its end if what was read does not have the digest.
	Reader io.Reader
	// Sum tells digest and size when all was read.
	Sum func() (digest.Digest, int64)
	// Layer tells that it is a layer and not a configuration.
	Layer bool
	// Turn waits until what comes before in a Sequence is written.
	Turn func(ctx context.Context) error
}

// Destination is a place where an image can be written. What is not committed
// leaves nothing that counts. Reuse and Put may be called side by side.
type Destination interface {
	// Reuse makes the blob part of the destination without its content, if
	// that is possible.
	Reuse(ctx context.Context, d digest.Digest, size int64) (bool, error)
	Put(ctx context.Context, c Content) error
	// PutManifest writes a manifest: of an instance of a list, under its
	// digest, or the one that the reference names.
	PutManifest(ctx context.Context, m Manifest, instance bool) error
	// Commit makes the image visible.
	Commit(ctx context.Context) error
	// Close lets everything go; what was not committed is removed.
	Close() error
}

// Planner is a Destination that wants to know the whole image first. have[i]
// tells that layer i is there already and need not be copied.
type Planner interface {
	Plan(ctx context.Context, m *v1.Manifest, conf []byte) (have []bool, err error)
}

// Sequence is a Destination that writes one blob after the other, each at its
// turn.
type Sequence interface {
	InSequence()
}

// Compressor is a Destination that wants layers compressed.
type Compressor interface {
	WantsCompressed() bool
}

// Verifier is a Destination that checks the digest and size of what it is
// given by itself, so that nobody has to hash the same bytes twice.
type Verifier interface {
	VerifiesContent()
}

// Keeper is a Destination that keeps the beginnings of blobs for a later copy,
// in case this one ends early.
type Keeper interface {
	// Keep gives what is there of the blob; nil if it isn't kept.
	Keep(d digest.Digest, size int64) *store.Partial
}

// Resumer is a Source of blobs without their beginnings. The class of the
// error is errdef.ErrUnsupported where that isn't possible.
type Resumer interface {
	BlobFrom(ctx context.Context, d digest.Digest, from int64) (r io.ReadCloser, size int64, err error)
}

// Ranger is a Source of parts of blobs.
type Ranger interface {
	// BlobParts opens parts of a blob of the size as one stream, without its first
	// bytes, as many as from says. They must be in ascending order. The class of the
	// error is errdef.ErrUnsupported where that isn't possible.
	BlobParts(ctx context.Context, d digest.Digest, size int64, parts []store.Span, from int64) (io.ReadCloser, error)
	// ManyParts tells whether it takes about as long to get many parts as one.
	ManyParts() bool
}

// Mixer is a Destination that can make a layer of what it has and parts of a
// zstd:chunked blob.
type Mixer interface {
	// HasAlike tells whether it has images within the origin.
	HasAlike(from store.Origin) bool
	// Recipe tells how, by the blob's contents.
	Recipe(ctx context.Context, from store.Origin, size int64, at store.Chunked, toc, split []byte) (*store.Recipe, error)
	// PutTar takes the tar of the layer with the digest, and verifies its diff ID.
	PutTar(ctx context.Context, d digest.Digest, tar io.Reader) error
}

// Plain is a Destination that takes uncompressed layers only.
type Plain interface {
	PlainLayers()
}

// Holder is a Destination that knows which image its name has already; that
// one is complete.
type Holder interface {
	Current() digest.Digest
}

// Mounter is a Destination that can take blobs from other repositories of the
// same registry: the source's, or the one that place knows ("" for none).
type Mounter interface {
	MountFrom(s Source, place func(d digest.Digest, host string) string)
}

// LayerSource is a Source that has its layers as plain tars, whatever the
// manifest says.
type LayerSource interface {
	// LayerTar opens layer i of the image, which has the diff ID; size is -1
	// if it is unknown.
	LayerTar(i int) (r io.ReadCloser, diffID digest.Digest, size int64, err error)
}

// Lister is a Source of a list whose images lie at different places.
type Lister interface {
	// Instance gives the place of the image with the digest. It stays open
	// until the list is closed.
	Instance(ctx context.Context, d digest.Digest) (Source, error)
}

// Options hold what opening a place may need.
type Options struct {
	Config        *config.Config
	Registry      registry.Options
	SharedBlobDir string        // oci: where the blobs of several layouts lie
	RegistriesDir string        // docker: registries.d with the places of signatures; "" is the configured one
	Places        *SharedPlaces // docker: what RegistriesDir says, read once for several places; nil: for this one alone
	DaemonHost    string        // docker-daemon: "": the local one
	// Store is used for references to the configured store. nil opens it.
	Store *store.Store
	// ExtraTags are further names that a docker-archive gives the image.
	ExtraTags []ref.Name
}

// OpenSource opens the image that l names for reading.
func OpenSource(ctx context.Context, l Ref, o Options) (Source, error) {
	switch l.Transport {
	case ref.Docker:
		return openDocker(ctx, l, o)
	case ref.OCI:
		return openLayout(l, o)
	case ref.Dir:
		return openDir(l)
	case ref.ContainersStorage:
		return openStored(l, o)
	case ref.OCIArchive:
		return openOCIArchive(l, o)
	case ref.DockerArchive:
		return openDockerArchive(l, o)
	case ref.DockerDaemon:
		return openDaemon(ctx, l, o)
	case ref.Tarball:
		return openTarball(ctx, l, o)
	}
	return nil, unsupported(l, "reading")
}

// OpenDestination opens the place that l names for writing.
func OpenDestination(ctx context.Context, l Ref, o Options) (Destination, error) {
	if l.Index >= 0 {
		return nil, errdef.Newf(errdef.ErrInvalid, "cannot write to the source index @%d", l.Index)
	}
	switch l.Transport {
	case ref.Docker:
		return createDocker(ctx, l, o)
	case ref.OCI:
		return createLayout(l, o)
	case ref.Dir:
		return createDir(l)
	case ref.ContainersStorage:
		return createStored(l, o)
	case ref.OCIArchive:
		return createOCIArchive(l, o)
	case ref.DockerArchive:
		return createDockerArchive(l, o)
	case ref.DockerDaemon:
		return createDaemon(l, o)
	}
	return nil, unsupported(l, "writing")
}

func unsupported(l Ref, doing string) error {
	return errdef.Newf(errdef.ErrUnsupported, "%s %s: images is not supported", doing, l.Transport)
}

// MediaType gives the manifest's type: what was declared with it, or what its
// content says.
func MediaType(data []byte, declared types.MediaType) (types.MediaType, error) {
	var head struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     types.MediaType `json:"mediaType"`
		Config        json.RawMessage `json:"config"`
		Layers        json.RawMessage `json:"layers"`
		Manifests     json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return "", errdef.Newf(errdef.ErrInvalid, "parsing manifest: %w", err)
	}
	// Whoever checks a document must not take it for something else than
	// whoever uses it.
	if head.Manifests != nil && (head.Config != nil || head.Layers != nil) {
		return "", errdef.Newf(errdef.ErrInvalid, "parsing manifest: it is ambiguous, both an image and a list of images")
	}
	if declared.IsImage() && head.MediaType.IsIndex() || declared.IsIndex() && head.MediaType.IsImage() {
		return "", errdef.Newf(errdef.ErrInvalid, "parsing manifest: it is ambiguous, %q by itself and %q by its description", head.MediaType, declared)
	}
	if declared.IsImage() || declared.IsIndex() {
		head.MediaType = declared
	}
	switch {
	case head.SchemaVersion == 1:
		return "", errdef.Newf(errdef.ErrUnsupported, "the manifest has schema version 1, which is not supported: push the image again with a current tool")
	case head.MediaType.IsImage() && head.Config != nil, head.MediaType.IsIndex() && head.Manifests != nil:
		return head.MediaType, nil
	case head.MediaType == "" && head.Manifests != nil:
		return types.OCIImageIndex, nil
	case head.MediaType == "" && head.Config != nil:
		return types.OCIManifestSchema1, nil
	}
	return "", errdef.Newf(errdef.ErrInvalid, "parsing manifest: it is neither an image nor a list of images (media type %q)", head.MediaType)
}

// maxLayers bounds the layers of one image.
const maxLayers = 1000

// ParseImage reads an image manifest.
func ParseImage(data []byte) (*v1.Manifest, error) {
	m, err := v1.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "parsing manifest: %w", err)
	}
	if len(m.Layers) > maxLayers {
		return nil, errdef.Newf(errdef.ErrInvalid, "parsing manifest: it has %d layers, more than %d", len(m.Layers), maxLayers)
	}
	for _, d := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if d.Size < 0 || Digest(d).Validate() != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "parsing manifest: a descriptor has the digest %q and the size %d", d.Digest, d.Size)
		}
	}
	if m.Config.Size > MaxConfigSize {
		return nil, errdef.Newf(errdef.ErrInvalid, "parsing manifest: the configuration is larger than %d bytes", MaxConfigSize)
	}
	return m, nil
}

// ParseIndex reads a list of images.
func ParseIndex(data []byte) (*v1.IndexManifest, error) {
	x, err := v1.ParseIndexManifest(bytes.NewReader(data))
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "parsing manifest list: %w", err)
	}
	for _, d := range x.Manifests {
		if Digest(d).Validate() != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "parsing manifest list: a descriptor has the digest %q", d.Digest)
		}
	}
	return x, nil
}

// Digest is the descriptor's digest.
func Digest(d v1.Descriptor) digest.Digest { return digest.Digest(d.Digest.String()) }

// withDigest completes a manifest whose type and digest are to be found from
// its content; a wanted digest is verified.
func withDigest(data []byte, declared types.MediaType, want digest.Digest) (Manifest, error) {
	m := Manifest{Bytes: data, Digest: digest.FromBytes(data)}
	if want != "" {
		if want.Algorithm().FromBytes(data) != want {
			return m, errdef.Newf(errdef.ErrInvalid, "reading manifest %s: the content has another digest", want)
		}
		m.Digest = want
	}
	var err error
	m.MediaType, err = MediaType(data, declared)
	return m, err
}
