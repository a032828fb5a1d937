package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// savedImage is an entry of the manifest.json in what docker save writes.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

const savedManifest = "manifest.json"

// dockerArchive reads one image of such a file. It has no manifest in today's
// sense; one is made up from the configuration and the layers' sizes.
type dockerArchive struct {
	t        *tarFile
	manifest Manifest
	blobs    map[digest.Digest]string // member that holds it
}

func openDockerArchive(l Ref, o Options) (Source, error) {
	t, err := openTar(l.Path, o.Config.Engine.ImageCopyTmpDir)
	if err != nil {
		return nil, err
	}
	return newDockerArchive(t, l)
}

// newDockerArchive takes over an open archive.
func newDockerArchive(t *tarFile, l Ref) (Source, error) {
	s := &dockerArchive{t: t, blobs: map[digest.Digest]string{}}
	if err := s.load(l); err != nil {
		return nil, firstError(err, t.close())
	}
	return s, nil
}

// ArchiveTags lists the names in a docker-archive, an entry per image.
func ArchiveTags(l Ref, o Options) ([][]string, error) {
	t, err := openTar(l.Path, o.Config.Engine.ImageCopyTmpDir)
	if err != nil {
		return nil, err
	}
	defer t.close()
	images, err := savedImages(t)
	if err != nil {
		return nil, err
	}
	tags := make([][]string, len(images))
	for i := range images {
		tags[i] = images[i].RepoTags
	}
	return tags, nil
}

func savedImages(t *tarFile) ([]savedImage, error) {
	data, err := t.read(savedManifest)
	if err != nil {
		return nil, err
	}
	var images []savedImage
	if err := json.Unmarshal(data, &images); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "reading archive: parse manifest.json: %w", err)
	}
	return images, nil
}

func (s *dockerArchive) load(l Ref) error {
	images, err := savedImages(s.t)
	if err != nil {
		return err
	}
	img, err := chooseSaved(images, l)
	if err != nil {
		return err
	}
	conf, err := s.t.read(path.Clean(img.Config))
	if err != nil {
		return err
	}
	ids, err := DiffIDs(conf)
	if err != nil {
		return err
	}
	if len(ids) != len(img.Layers) {
		return errdef.Newf(errdef.ErrInvalid, "reading archive: the configuration names %d layers, manifest.json %d", len(ids), len(img.Layers))
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.DockerManifestSchema2, Layers: []v1.Descriptor{}}
	m.Config = s.blob(digest.FromBytes(conf), path.Clean(img.Config), int64(len(conf)), types.DockerConfigJSON)
	for i, id := range ids {
		d, err := s.layer(path.Clean(img.Layers[i]), id)
		if err != nil {
			return err
		}
		m.Layers = append(m.Layers, d)
		if d.MediaType == types.OCILayerZStd {
			m.MediaType, m.Config.MediaType = types.OCIManifestSchema1, types.OCIConfigJSON
		}
	}
	if m.MediaType == types.OCIManifestSchema1 {
		for i := range m.Layers {
			m.Layers[i].MediaType = inOCI(m.Layers[i].MediaType)
		}
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	s.manifest, err = withDigest(data, m.MediaType, "")
	return err
}

// blob notes where a blob is.
func (s *dockerArchive) blob(d digest.Digest, member string, size int64, t types.MediaType) v1.Descriptor {
	s.blobs[d] = member
	return v1.Descriptor{MediaType: t, Size: size, Digest: v1.Hash{Algorithm: d.Algorithm().String(), Hex: d.Encoded()}}
}

// layer describes a layer as it is in the archive: plain, or compressed, as
// newer versions of Docker write them.
func (s *dockerArchive) layer(member string, diffID digest.Digest) (v1.Descriptor, error) {
	r, size, err := s.t.open(member)
	if err != nil {
		return v1.Descriptor{}, err
	}
	magic := make([]byte, 4)
	n, _ := io.ReadFull(r, magic)
	t := types.DockerUncompressedLayer
	switch {
	case bytes.HasPrefix(magic[:n], []byte{0x1f, 0x8b}):
		t = types.DockerLayer
	case bytes.HasPrefix(magic[:n], []byte{0x28, 0xb5, 0x2f, 0xfd}):
		t = types.OCILayerZStd
	default:
		return s.blob(diffID, member, size, t), nil
	}
	d, err := digest.FromReader(io.MultiReader(bytes.NewReader(magic[:n]), r))
	return s.blob(d, member, size, t), err
}

// inOCI gives the type of a layer in a manifest that can have zstd.
func inOCI(t types.MediaType) types.MediaType {
	switch t {
	case types.DockerLayer:
		return types.OCILayer
	case types.DockerUncompressedLayer:
		return types.OCIUncompressedLayer
	}
	return t
}

func chooseSaved(images []savedImage, l Ref) (savedImage, error) {
	switch {
	case l.Index >= len(images):
		return savedImage{}, errdef.Newf(errdef.ErrNotFound, "invalid source index @%d, only %d manifest items available", l.Index, len(images))
	case l.Index >= 0:
		return images[l.Index], nil
	case l.Name.IsZero() && len(images) == 1:
		return images[0], nil
	case l.Name.IsZero():
		return savedImage{}, errdef.Newf(errdef.ErrInvalid, "unexpected tar manifest.json: expected 1 item, got %d: choose one by its name or @index", len(images))
	}
	for _, img := range images {
		if slices.ContainsFunc(img.RepoTags, func(t string) bool { n, err := ref.ParseNormalized(t); return err == nil && n.Tagged() == l.Name }) {
			return img, nil
		}
	}
	return savedImage{}, errdef.Newf(errdef.ErrNotFound, "tag %q not found", l.Name)
}

func (s *dockerArchive) Manifest(_ context.Context, d digest.Digest) (Manifest, error) {
	if d != "" && d != s.manifest.Digest {
		return Manifest{}, errdef.Newf(errdef.ErrNotFound, "the archive has no manifest %s", d)
	}
	return s.manifest, nil
}

func (s *dockerArchive) Blob(_ context.Context, d digest.Digest) (io.ReadCloser, int64, error) {
	return s.t.open(s.blobs[d])
}

func (s *dockerArchive) Close() error { return s.t.close() }

// DockerArchive is an archive of several images, as docker load reads it, under
// way. It is in its place when it is finished.
type DockerArchive struct {
	w      *tarWriter
	images []savedImage
}

// CreateDockerArchive begins an archive at the path. tmp is a directory for
// what may have to wait.
func CreateDockerArchive(path, tmp string) (*DockerArchive, error) {
	if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() && fi.Size() != 0 {
		return nil, errdef.Newf(errdef.ErrConflict, "docker-archive doesn't support modifying existing images")
	}
	w, err := createTar(path, tmp)
	if err != nil {
		return nil, err
	}
	return &DockerArchive{w: w}, nil
}

// Image is the place of one more image, which gets the names. The images of an
// archive are written one after the other.
func (a *DockerArchive) Image(names []ref.Name) Destination { return a.image(names) }

func (a *DockerArchive) image(names []ref.Name) *dockerArchiveDestination {
	d := &dockerArchiveDestination{archive: a, w: a.w, tags: []string{}}
	for _, n := range names {
		d.tags = append(d.tags, n.Tagged().String())
	}
	return d
}

// Finish moves the archive to its place.
func (a *DockerArchive) Finish(ctx context.Context) error {
	data, err := json.Marshal(a.images)
	if err != nil {
		return err
	}
	if err := a.w.member(savedManifest, int64(len(data)), bytes.NewReader(data)); err != nil {
		return err
	}
	return a.w.finish(ctx)
}

// Close removes an archive that isn't finished.
func (a *DockerArchive) Close() error { return a.w.discard() }

// dockerArchiveDestination is one image of an archive.
type dockerArchiveDestination struct {
	archive *DockerArchive
	alone   bool // the archive is this image's alone
	w       *tarWriter
	tags    []string
	layers  []string
	config  string
}

func createDockerArchive(l Ref, o Options) (Destination, error) {
	a, err := CreateDockerArchive(l.Path, o.Config.Engine.ImageCopyTmpDir)
	if err != nil {
		return nil, err
	}
	names := o.ExtraTags
	if !l.Name.IsZero() {
		names = append([]ref.Name{l.Name}, names...)
	}
	d := a.image(names)
	d.alone = true
	return d, nil
}

// InSequence holds of every archive.
func (d *dockerArchiveDestination) InSequence() {}

// PlainLayers holds: a layer's file name is its diff ID.
func (d *dockerArchiveDestination) PlainLayers() {}

func (d *dockerArchiveDestination) Reuse(context.Context, digest.Digest, int64) (bool, error) {
	return false, nil
}

func layerMember(d digest.Digest) string  { return d.Encoded() + ".tar" }
func configMember(d digest.Digest) string { return d.Encoded() + ".json" }

func (d *dockerArchiveDestination) Put(ctx context.Context, c Content) error {
	if c.Layer {
		return d.w.add(ctx, c, layerMember)
	}
	return d.w.add(ctx, c, configMember)
}

func (d *dockerArchiveDestination) PutManifest(_ context.Context, m Manifest, instance bool) error {
	if instance || !m.MediaType.IsImage() {
		return errdef.Newf(errdef.ErrUnsupported, "a docker-archive holds single images: copying a whole list into it is not supported")
	}
	parsed, err := ParseImage(m.Bytes)
	if err != nil {
		return err
	}
	d.config = configMember(Digest(parsed.Config))
	d.layers = []string{}
	for _, l := range parsed.Layers {
		d.layers = append(d.layers, layerMember(Digest(l)))
	}
	return nil
}

func (d *dockerArchiveDestination) Commit(ctx context.Context) error {
	d.archive.images = append(d.archive.images, savedImage{Config: d.config, RepoTags: d.tags, Layers: d.layers})
	if d.alone {
		return d.archive.Finish(ctx)
	}
	return nil
}

func (d *dockerArchiveDestination) Close() error {
	if d.alone {
		return d.archive.Close()
	}
	return nil
}
