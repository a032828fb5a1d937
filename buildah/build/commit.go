package build

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/shared/store"
)

// identityLabel names the builder's version in an image.
const identityLabel = "io.buildah.version"

// addHistory notes a step. Until commit it has no layer.
func (s *stage) addHistory(createdBy string) {
	if s.b.req.NoHistory {
		return
	}
	now := s.b.req.now()
	entry := spec.History{Created: &now, CreatedBy: createdBy, EmptyLayer: true}
	if s.history == 0 && s.base.name != "" && s.planned.Parent < 0 && !s.commented {
		entry.Comment = "FROM " + s.base.name
		s.commented = true
	}
	s.doc.History = append(s.doc.History, entry)
	s.history++
}

// commit makes an image of the state so far; what the working container holds
// beyond the layers becomes one more.
func (s *stage) commit(ctx context.Context, names []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.dirty {
		if err := s.commitLayer(ctx); err != nil {
			return err
		}
	}
	if n := len(s.doc.History); n > 0 && s.history > 0 {
		s.doc.History[n-1].Author = s.doc.Author
	}
	s.entries(s.trailing)
	doc := s.doc.clone()
	s.finalChanges(doc)
	now := s.b.req.now()
	doc.Created = &now
	config, err := doc.encode(s.b.req.format())
	if err != nil {
		return err
	}
	manifest, err := manifest(s.b.req.format(), config, s.layers, s.manifestAnnotations())
	if err != nil {
		return err
	}
	top := ""
	if n := len(s.layers); n > 0 {
		top = s.layers[n-1].ID
	}
	image, err := s.b.st.CreateImage(store.NewImage{Manifest: manifest, Config: config, TopLayer: top, Created: now})
	if err == nil {
		err = s.b.name(image, names)
	}
	if err != nil {
		return fmt.Errorf("committing container: %w", err)
	}
	s.imageID, s.history = image.ID, 0
	return nil
}

func (s *stage) commitLayer(ctx context.Context) error {
	s.b.forgetTree(s.root)
	if !s.kept {
		if err := s.b.shop.unmount(s.container); err != nil {
			return err
		}
	}
	staged, err := s.stageChanges(ctx)
	if err != nil {
		return fmt.Errorf("committing container: %w", err)
	}
	if s.squashes() {
		s.layers, s.doc.RootFS.DiffIDs = nil, nil
		for i := range s.doc.History {
			s.doc.History[i].EmptyLayer = true
		}
	}
	parent := ""
	if n := len(s.layers); n > 0 {
		parent = s.layers[n-1].ID
	}
	layer, err := staged.Commit(parent)
	if err != nil {
		return fmt.Errorf("committing container: %w", err)
	}
	layer.DiffID, layer.UncompressedSize = staged.DiffID(), staged.UncompressedSize()
	s.layers = append(s.layers, layer)
	s.doc.RootFS.DiffIDs = append(s.doc.RootFS.DiffIDs, staged.DiffID())
	if n := len(s.doc.History); n > 0 && s.history > 0 {
		s.doc.History[n-1].EmptyLayer = false
	}
	s.dirty = false
	return s.drop()
}

// finalChanges makes the changes that no step asks for.
func (s *stage) finalChanges(doc *imageDoc) {
	if !s.b.req.NoIdentity && s.b.req.fixedTime() == nil {
		put(&doc.Config.Labels, identityLabel, s.b.req.Version)
	}
	if !s.last {
		for _, kv := range s.b.req.LayerLabels {
			put(&doc.Config.Labels, kv.Key, kv.Value)
		}
		return
	}
	if s.b.req.OSVersion != "" {
		doc.OSVersion = s.b.req.OSVersion
	}
	doc.OSFeatures = append(slices.Clip(doc.OSFeatures), s.b.req.OSFeatures...)
	for _, kv := range s.b.req.Env {
		doc.Config.Env = setEnv(doc.Config.Env, kv.Key+"="+kv.Value)
	}
	for _, name := range s.b.req.Unset.Env {
		doc.Config.Env = unsetEnv(doc.Config.Env, name)
	}
	for _, name := range s.b.req.Unset.Labels {
		delete(doc.Config.Labels, name)
	}
}

func (s *stage) manifestAnnotations() map[string]string {
	annotations := map[string]string{}
	maps.Copy(annotations, s.annotations)
	for _, name := range s.b.req.Unset.Annotations {
		delete(annotations, name)
	}
	annotations[spec.AnnotationBaseImageDigest] = s.base.digest
	annotations[spec.AnnotationBaseImageName] = s.base.name
	delete(annotations, spec.AnnotationCreated)
	if !s.b.req.NoCreated {
		annotations[spec.AnnotationCreated] = s.b.req.now().Format("2006-01-02T15:04:05.999999999Z07:00")
	}
	if s.last {
		for _, kv := range s.b.req.Annotations {
			annotations[kv.Key] = kv.Value
		}
	}
	return annotations
}

// warnFormat says what the OCI format can't keep.
func (s *stage) warnFormat() {
	if s.b.req.format() != FormatOCI {
		return
	}
	const text = " is not supported for OCI image format"
	for _, trigger := range s.doc.Config.OnBuild {
		s.b.out.warn("ONBUILD"+text+", %s will be ignored. Must use `docker` format", trigger)
	}
	if shell := s.doc.Config.Shell; len(shell) > 0 {
		s.b.out.warn("SHELL"+text+", %v will be ignored. Must use `docker` format", shell)
	}
	if s.doc.Config.Healthcheck != nil {
		s.b.out.warn("HEALTHCHECK" + text + " and will be ignored. Must use `docker` format")
	}
}

// stageChanges stages the working container's changes as a layer; where the
// image is to have a single one, all that the container holds.
func (s *stage) stageChanges(ctx context.Context) (*store.StagedLayer, error) {
	if s.squashes() {
		return s.stageAll(ctx)
	}
	changed := s.rewriting()
	if changed.nothing() {
		return s.b.st.CommitChanges(s.container, !s.kept)
	}
	c, err := s.b.st.Container(s.container)
	if err != nil {
		return nil, err
	}
	changes, err := s.b.st.OpenLayer(c.LayerID)
	if err != nil {
		return nil, err
	}
	defer changes.Close()
	out, stop := piped(func(w io.Writer) error { return changed.copy(w, changes) })
	defer stop()
	return s.b.st.StageLayer(ctx, store.Blob{Size: -1}, out)
}

// squashes tells whether the image is to have a single layer.
func (s *stage) squashes() bool { return s.b.req.SquashAll && s.last }

// rewriting is what the request changes about the files of a layer.
func (s *stage) rewriting() rewriting {
	changed := rewriting{to: s.b.req.Timestamp}
	if s.b.req.ClampTimes {
		changed.atMost = s.b.req.SourceDate
	}
	if s.last {
		changed.add = s.b.req.AddFiles
	}
	return changed
}

// stageAll stages everything in the working container as one layer.
func (s *stage) stageAll(ctx context.Context) (*store.StagedLayer, error) {
	root, err := s.b.st.Mount(s.container)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.b.st.Unmount(s.container, false) }()
	tree, err := fscopy.OpenTree(root, nil)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	whole, stopWhole := piped(func(w io.Writer) error { return tree.WriteTar(ctx, w) })
	defer stopWhole()
	changed := s.rewriting()
	out, stop := piped(func(w io.Writer) error { return changed.copy(w, whole) })
	defer stop()
	return s.b.st.StageLayer(ctx, store.Blob{Size: -1}, out)
}

// name gives the image the names that it doesn't have yet, taking them from
// the image before.
func (b *builder) name(image store.Image, names []string) error {
	var missing []string
	for _, name := range names {
		if !slices.Contains(image.Names, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return b.st.AddImageNames(image.ID, missing...)
}
