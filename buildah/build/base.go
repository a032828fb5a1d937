package build

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/buildah/dockerfile"
	ociruntime "github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

// baseImage is what a stage started from.
type baseImage struct {
	id     string // "" for scratch
	name   string // of the image that the first stage of the line is from
	digest string // of its manifest
}

// from sets the stage up on its base.
func (s *stage) from(ctx context.Context) error {
	if s.planned.Parent >= 0 {
		parent, err := s.b.built(ctx, s.planned.Parent)
		if err != nil {
			return err
		}
		s.fromStage(parent)
	} else if err := s.fromImage(ctx, s.planned.Image); err != nil {
		return fmt.Errorf("creating build container: %w", err)
	}
	if !slices.ContainsFunc(s.doc.Config.Env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") }) {
		s.doc.Config.Env = append([]string{ociruntime.DefaultPath}, s.doc.Config.Env...)
	}
	triggers := s.doc.Config.OnBuild
	s.doc.Config.OnBuild = nil
	for _, text := range triggers {
		step, err := dockerfile.ParseTrigger(text)
		if err != nil {
			return err
		}
		s.steps = append(s.steps, step)
	}
	s.steps = append(s.steps, s.planned.Steps...)
	return nil
}

func (s *stage) fromStage(parent *stage) {
	s.doc = parent.doc.clone()
	s.layers = slices.Clone(parent.layers)
	s.imageID = parent.imageID
	s.base = parent.base
	s.base.id = parent.imageID
	s.annotations = parent.annotations
	maps.Copy(s.args, parent.args)
}

func (s *stage) fromImage(ctx context.Context, name string) error {
	dir, other, named, err := s.b.namedContext(ctx, name)
	switch {
	case err != nil:
		return err
	case dir != "":
		s.steps = append(s.steps, dockerfile.Step{Line: s.planned.Line, Last: s.planned.Line, Original: "COPY --from=" + name + " . /", Inst: &dockerfile.Copy{From: name, Sources: []string{"."}, Dest: "/"}})
		name = "scratch"
	case named:
		name = other
	}
	if name == "scratch" {
		p, err := s.platform()
		if err != nil {
			return err
		}
		s.doc = &imageDoc{Platform: specPlatform(p)}
		s.doc.RootFS.Type = "layers"
		s.doc.Config.WorkingDir = "/"
		return nil
	}
	p, err := s.wanted()
	if err != nil {
		return err
	}
	image, fullName, err := s.b.image(ctx, name, p)
	if err != nil {
		return err
	}
	return s.load(image, fullName)
}

// load sets the stage up on an image of the store.
func (s *stage) load(image store.Image, name string) error {
	data, err := s.b.st.ImageConfig(image.ID)
	if err != nil {
		return err
	}
	if s.doc, err = parseImageDoc(data); err != nil {
		return fmt.Errorf("read image %q: %w", name, err)
	}
	if s.layers, err = s.b.st.LayerChain(image.TopLayer); err != nil {
		return err
	}
	s.doc.RootFS.Type = "layers"
	if s.b.req.DropLabels {
		s.doc.Config.Labels = nil
	}
	s.imageID = image.ID
	s.base = baseImage{id: image.ID, name: name, digest: image.Digest.String()}
	manifest, err := s.b.st.ImageManifest(image.ID)
	if err != nil {
		return err
	}
	var m spec.Manifest
	if json.Unmarshal(manifest, &m) == nil && !s.b.req.DropAnnotations {
		s.annotations = m.Annotations
	}
	return nil
}

// source finds what --from of a stage names: an additional context, a stage
// before it, or an image. id is empty for a directory of the host.
func (b *builder) source(ctx context.Context, name string, stage int) (dir, id string, err error) {
	dir, image, named, err := b.namedContext(ctx, name)
	if err != nil || dir != "" {
		return dir, "", err
	}
	if named {
		name = image
	} else if i := b.plan.File.StageFor(name, stage); i >= 0 {
		other, err := b.await(ctx, i)
		if err != nil {
			return "", "", err
		}
		return other.source()
	} else if b.direct {
		if dir, id, ok, err := b.container(name); ok || err != nil {
			return dir, "container:" + id, err
		}
	}
	found, _, err := b.image(ctx, name, b.req.Platform)
	if err != nil {
		return "", "", err
	}
	dir, err = b.shop.mountImage(found.ID)
	return dir, found.ID, err
}

// container mounts another working container until the end of the work; ok is
// false where none has that name.
func (b *builder) container(name string) (dir, id string, ok bool, err error) {
	c, err := b.st.Container(name)
	if err != nil {
		return "", "", false, nil
	}
	dir, err = b.shop.mountContainer(c.ID)
	return dir, c.ID, true, err
}

// source is the root of a stage that is built, for others to copy from.
func (s *stage) source() (dir, id string, err error) {
	s.sourcing.Lock() // several stages may ask at once
	defer s.sourcing.Unlock()
	if s.container != "" {
		return s.root, "stage:" + s.container, nil
	}
	if s.imageID == "" {
		if err := s.ensure(); err != nil { // a stage without a single change
			return "", "", err
		}
		return s.root, "stage:" + s.container, nil
	}
	dir, err = s.b.shop.mountImage(s.imageID)
	return dir, s.imageID, err
}

// image finds an image by the name in a Containerfile, pulling it as the
// request says. An empty platform is any that the store has.
func (b *builder) image(ctx context.Context, name string, p v1.Platform) (store.Image, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	image, err := b.lookUp(ctx, name, p)
	if err != nil {
		return store.Image{}, "", err
	}
	full := name
	for _, candidate := range image.Names {
		if full == name || strings.HasSuffix(candidate, "/"+name) || strings.HasPrefix(candidate, name+":") {
			full = candidate
		}
	}
	return image, full, nil
}
