package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
)

// openStore gives the store of the reference and how to let it go.
func openStore(l Ref, o Options) (*store.Store, func() error, error) {
	if l.Store.IsZero() && o.Store != nil {
		return o.Store, func() error { return nil }, nil
	}
	c := o.Config.Storage
	so := store.Options{GraphRoot: c.GraphRoot, RunRoot: c.RunRoot, Driver: c.Driver, DriverOptions: c.DriverOptions, ImageStore: c.ImageStore, TransientStore: c.TransientStore}
	if !l.Store.IsZero() {
		so = store.Options{GraphRoot: l.Store.GraphRoot, RunRoot: l.Store.RunRoot, Driver: l.Store.Driver, DriverOptions: l.Store.Options}
		if so.RunRoot == "" {
			so.RunRoot = c.RunRoot
		}
		if so.Driver == "" {
			so.Driver = c.Driver
		}
	}
	so.Warn = func(msg string) { cliout.Warn(os.Stderr, "%s", msg) }
	st, err := store.Open(so)
	if err != nil {
		return nil, nil, err
	}
	return st, st.Close, nil
}

// FindStored finds the image that a containers-storage reference names.
func FindStored(st *store.Store, l Ref) (store.Image, error) {
	asked := []string{l.Image}
	if !l.Name.IsZero() {
		asked = []string{l.Name.String()}
		if ref.IsHex(l.Image) {
			asked = append(asked, l.Image)
		}
		if _, id, ok := cutID(l.Image); ok {
			asked = []string{id}
		}
	} else if _, id, ok := cutID(l.Image); ok {
		asked = []string{id}
	}
	for _, name := range asked {
		img, err := st.Image(name)
		if err == nil {
			return img, nil
		}
		if !isNotFound(err) {
			return img, err
		}
	}
	name := l.Image
	if !l.Name.IsZero() {
		name = l.Name.String()
	}
	spec := ref.StoreSpec{Driver: st.Driver(), GraphRoot: st.GraphRoot(), RunRoot: st.RunRoot()}
	return store.Image{}, errdef.Newf(errdef.ErrNotFound, "reference %q does not resolve to an image ID", spec.String()+name)
}

// storedSource is an image of a local store.
type storedSource struct {
	st       *store.Store
	release  func() error
	img      store.Image
	manifest Manifest
	config   []byte
	configID digest.Digest
	chain    []store.Layer
}

func openStored(l Ref, o Options) (Source, error) {
	st, release, err := openStore(l, o)
	if err != nil {
		return nil, err
	}
	s := &storedSource{st: st, release: release}
	if err := s.load(l); err != nil {
		return nil, firstError(err, release())
	}
	return s, nil
}

func (s *storedSource) load(l Ref) error {
	var err error
	if s.img, err = FindStored(s.st, l); err != nil {
		return err
	}
	data, err := s.st.ImageManifest(s.img.ID)
	if err != nil {
		return err
	}
	if s.manifest, err = withDigest(data, "", ""); err != nil {
		return fmt.Errorf("image %s: %w", s.img.ID, err)
	}
	if s.config, err = s.st.ImageConfig(s.img.ID); err != nil {
		return err
	}
	s.configID = digest.FromBytes(s.config)
	s.chain, err = s.st.LayerChain(s.img.TopLayer)
	return err
}

func (s *storedSource) Manifest(_ context.Context, d digest.Digest) (Manifest, error) {
	if d == "" || d == s.manifest.Digest {
		return s.manifest, nil
	}
	data, err := s.st.ImageManifestWith(s.img.ID, d)
	if err != nil {
		return Manifest{}, err
	}
	return withDigest(data, "", d)
}

func (s *storedSource) Blob(_ context.Context, d digest.Digest) (io.ReadCloser, int64, error) {
	if d == s.configID {
		return io.NopCloser(bytes.NewReader(s.config)), int64(len(s.config)), nil
	}
	for _, l := range s.chain {
		if l.DiffID == d {
			r, err := s.st.OpenLayer(l.ID)
			return r, l.UncompressedSize, err
		}
	}
	return nil, 0, errdef.Newf(errdef.ErrNotFound, "the store has no blob %s for the image", d)
}

// LayerTar opens a layer, the lowest being 0.
func (s *storedSource) LayerTar(i int) (io.ReadCloser, digest.Digest, int64, error) {
	if i >= len(s.chain) {
		return nil, "", 0, errdef.Newf(errdef.ErrInvalid, "image %s has %d layers in the store and more in its manifest", s.img.ID, len(s.chain))
	}
	l := s.chain[i]
	size := l.UncompressedSize
	if l.DiffID == "" || size == 0 {
		size = -1 // a tar is never empty
	}
	r, err := s.st.OpenLayer(l.ID)
	return r, l.DiffID, size, err
}

func (s *storedSource) Close() error { return s.release() }

// StoredImage gives the image behind a source or a committed destination in a
// store.
func StoredImage(v any) (store.Image, bool) {
	switch v := v.(type) {
	case *storedSource:
		return v.img, true
	case *storedDestination:
		return v.img, v.img.ID != ""
	}
	return store.Image{}, false
}

// storedDestination brings an image into a local store: layers are unpacked
// side by side and committed in their order at the end.
type storedDestination struct {
	st      *store.Store
	release func() error
	names   []string
	diffIDs []digest.Digest
	layers  []digest.Digest // of the manifest

	mu       sync.Mutex
	staged   map[digest.Digest]*store.StagedLayer // by the digest of the manifest
	config   []byte
	manifest []byte
	img      store.Image

	kept       []*store.Partial // of the blobs under way, until their layers are committed
	signatures [][]byte
}

func createStored(l Ref, o Options) (Destination, error) {
	if l.Name.IsZero() {
		return nil, errdef.Newf(errdef.ErrInvalid, "writing to %s: an image ID follows from the content and cannot be chosen; give a name", l)
	}
	st, release, err := openStore(l, o)
	if err != nil {
		return nil, err
	}
	return &storedDestination{st: st, release: release, names: []string{l.Name.String()}, staged: map[digest.Digest]*store.StagedLayer{}}, nil
}

// Plan matches the layers with those that the store has.
func (d *storedDestination) Plan(_ context.Context, m *v1.Manifest, conf []byte) ([]bool, error) {
	ids, err := DiffIDs(conf)
	if err != nil {
		return nil, err
	}
	if len(ids) != len(m.Layers) {
		return nil, errdef.Newf(errdef.ErrInvalid, "the image's configuration names %d layers, its manifest %d", len(ids), len(m.Layers))
	}
	d.diffIDs, d.layers = ids, nil
	have := make([]bool, len(ids))
	parent, missing := "", false
	for i, l := range m.Layers {
		d.layers = append(d.layers, Digest(l))
		if missing {
			continue
		}
		layer, ok := d.st.FindLayer(parent, ids[i])
		have[i], missing, parent = ok, !ok, layer.ID
	}
	return have, nil
}

// DiffIDs reads the digests of the uncompressed layers from a configuration.
func DiffIDs(conf []byte) ([]digest.Digest, error) {
	var c struct {
		RootFS struct {
			DiffIDs []digest.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(conf, &c); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "parsing image configuration: %w", err)
	}
	for _, id := range c.RootFS.DiffIDs {
		if err := id.Validate(); err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "parsing image configuration: diff ID %q: %w", id, err)
		}
	}
	return c.RootFS.DiffIDs, nil
}

// VerifiesContent holds: staging a layer checks its digest and its diff ID.
func (d *storedDestination) VerifiesContent() {}

// Keep gives what an earlier copy left of the blob.
func (d *storedDestination) Keep(dg digest.Digest, size int64) *store.Partial {
	p := d.st.Partial(dg, size)
	if p != nil {
		d.mu.Lock()
		d.kept = append(d.kept, p)
		d.mu.Unlock()
	}
	return p
}

func (d *storedDestination) Reuse(context.Context, digest.Digest, int64) (bool, error) {
	return false, nil
}

func (d *storedDestination) Put(ctx context.Context, c Content) error {
	if !c.Layer {
		data, err := readSmall(c.Reader, "configuration")
		if err == nil && digest.FromBytes(data) != c.Digest {
			err = errdef.Newf(errdef.ErrInvalid, "the configuration does not have the digest %s", c.Digest)
		}
		d.config = data
		return err
	}
	return d.stage(ctx, c.Digest, store.Blob{Digest: c.Digest, Size: c.Size}, c.Reader)
}

// stage unpacks a layer with the digest in the manifest.
func (d *storedDestination) stage(ctx context.Context, dg digest.Digest, blob store.Blob, r io.Reader) error {
	for i, l := range d.layers {
		if l != dg || dg == "" {
			continue
		}
		if blob.DiffID != "" && blob.DiffID != d.diffIDs[i] {
			return errdef.Newf(errdef.ErrInvalid, "the image's configuration gives the layer %s two diff IDs", l)
		}
		blob.DiffID = d.diffIDs[i]
	}
	staged, err := d.st.StageLayer(ctx, blob, r)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.staged[dg] = staged
	return nil
}

// HasAlike tells whether the store has images within the origin.
func (d *storedDestination) HasAlike(from store.Origin) bool { return d.st.HasAlike(from) }

// Recipe tells how a layer can be made of what the store has.
func (d *storedDestination) Recipe(ctx context.Context, from store.Origin, size int64, at store.Chunked, toc, split []byte) (*store.Recipe, error) {
	return d.st.Recipe(ctx, from, size, at, toc, split)
}

// PutTar takes a layer's tar, which nothing but its diff ID vouches for.
func (d *storedDestination) PutTar(ctx context.Context, dg digest.Digest, tar io.Reader) error {
	if !slices.Contains(d.layers, dg) {
		return errdef.Newf(errdef.ErrInvalid, "the image has no layer %s", dg)
	}
	return d.stage(ctx, dg, store.Blob{Size: -1}, tar)
}

func (d *storedDestination) PutManifest(_ context.Context, m Manifest, instance bool) error {
	if instance || !m.MediaType.IsImage() {
		return errdef.Newf(errdef.ErrUnsupported, "a local store holds single images: copying a whole list into it is not supported")
	}
	d.manifest = m.Bytes
	return nil
}

// Commit makes layers of what is staged, from the lowest up, and then the
// image.
func (d *storedDestination) Commit(ctx context.Context) error {
	parent := ""
	committed := map[digest.Digest]string{}
	for i, id := range d.diffIDs {
		layer, ok := d.st.FindLayer(parent, id)
		if !ok {
			var err error
			key := d.layers[i]
			if d.staged[key] == nil && d.staged[id] != nil {
				key = id // came as a plain tar
			}
			if layer, err = d.commitLayer(ctx, parent, key, committed[id]); err != nil {
				return err
			}
		}
		parent, committed[id] = layer.ID, layer.ID
	}
	var created struct {
		Created time.Time `json:"created"`
	}
	// A configuration without a valid time gets the present one.
	_ = json.Unmarshal(d.config, &created)
	var err error
	d.img, err = d.st.CreateImage(store.NewImage{
		Names: d.names, Manifest: d.manifest, Config: d.config, TopLayer: parent, Created: created.Created,
		Signatures: d.signatures,
	})
	if isNotFound(err) {
		return errLayerGone()
	}
	if err == nil {
		for _, p := range d.kept {
			p.Remove()
		}
	}
	return err
}

// errLayerGone says that another process removed what the image is made of.
func errLayerGone() error {
	return errdef.Newf(errdef.ErrBusy, "a layer of the image was removed while it was copied: try again")
}

// commitLayer puts the staged layer on top of the parent. An image may have
// the same layer twice: then it is staged again from the one there is.
func (d *storedDestination) commitLayer(ctx context.Context, parent string, dg digest.Digest, twin string) (store.Layer, error) {
	d.mu.Lock()
	staged := d.staged[dg]
	delete(d.staged, dg)
	d.mu.Unlock()
	if staged == nil && twin != "" {
		r, err := d.st.OpenLayer(twin)
		if err != nil {
			return store.Layer{}, err
		}
		staged, err = d.st.StageLayer(ctx, store.Blob{Size: -1}, r)
		if err = firstError(err, r.Close()); err != nil {
			return store.Layer{}, err
		}
	}
	if staged == nil {
		return store.Layer{}, errLayerGone()
	}
	layer, err := staged.Commit(parent)
	return layer, firstError(err, staged.Discard())
}

func (d *storedDestination) Close() error {
	var err error
	for _, l := range d.staged {
		err = firstError(err, l.Discard())
	}
	for _, p := range d.kept {
		p.Close()
	}
	return firstError(err, d.release())
}

// firstError gives the first error that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// cutID parts NAME@ID; NAME may be empty.
func cutID(s string) (name, id string, ok bool) {
	i := strings.LastIndexByte(s, '@')
	if i < 0 || !ref.IsHex(s[i+1:]) {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func isNotFound(err error) bool { return errors.Is(err, errdef.ErrNotFound) }

// IntoStore is a destination that makes an image in the store under the names,
// which may be none.
func IntoStore(st *store.Store, names []string) Destination {
	return &storedDestination{st: st, release: func() error { return nil }, names: names, staged: map[digest.Digest]*store.StagedLayer{}}
}

// DeleteStored removes the image from its store, or only the name if it has
// others.
func DeleteStored(l Ref, o Options) error {
	st, release, err := openStore(l, o)
	if err != nil {
		return err
	}
	img, err := FindStored(st, l)
	if err == nil && len(img.Names) > 1 && !l.Name.IsZero() {
		err = st.RemoveImageName(img.ID, l.Name.String())
	} else if err == nil {
		_, err = st.RemoveImage(img.ID)
	}
	return firstError(err, release())
}
