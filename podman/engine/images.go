package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/podsuite/podsuite/podman/engine/artifact"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/manifestlist"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
)

// Image is one image of the store. What lies in its documents is read when it
// is asked for.
type Image struct {
	store.Image
	Size int64 // bytes, where it was asked for, -1 if unknown; else 0

	tree *imageTree
}

// imageDoc is an image's configuration, in either format.
type imageDoc struct {
	spec.Image
	Config        imageConfig `json:"config"`
	DockerVersion string      `json:"docker_version"`
	Comment       string      `json:"comment"`
}

// imageConfig is what containers of an image start with: the OCI fields, and
// those that only the Docker format has.
type imageConfig struct {
	spec.ImageConfig
	Healthcheck *HealthCheck `json:"-"`
	OnBuild     []string     `json:"-"`
}

// UnmarshalJSON reads both formats.
func (c *imageConfig) UnmarshalJSON(data []byte) error {
	var more struct {
		Healthcheck *HealthCheck
		OnBuild     []string
	}
	if err := json.Unmarshal(data, &c.ImageConfig); err != nil {
		return err
	}
	if err := json.Unmarshal(data, &more); err != nil {
		return err
	}
	c.Healthcheck, c.OnBuild = more.Healthcheck, more.OnBuild
	return nil
}

// HealthCheck is how an image wants the health of its containers tested.
// Durations are in nanoseconds.
type HealthCheck struct {
	Test          []string      `json:",omitempty"`
	StartPeriod   time.Duration `json:",omitempty"`
	StartInterval time.Duration `json:",omitempty"`
	Interval      time.Duration `json:",omitempty"`
	Timeout       time.Duration `json:",omitempty"`
	Retries       int           `json:",omitempty"`
}

func (e *Engine) imageDoc(id string) (*imageDoc, error) {
	data, err := e.Store.ImageConfig(id)
	if err != nil {
		return nil, err
	}
	doc := new(imageDoc)
	if err := json.Unmarshal(data, doc); err != nil {
		return nil, fmt.Errorf("read configuration of image %q: %w", id, err)
	}
	return doc, nil
}

// LookupImage finds an image by its ID, the beginning of one, or a name, short
// or full. It may be a list of images.
func (e *Engine) LookupImage(name string) (store.Image, error) {
	img, err := imgcopy.ResolveLocal(e.Store, e.Config, name)
	if errors.Is(err, errdef.ErrInvalid) {
		if _, err := parseName("parsing reference", name); err != nil {
			return img, err
		}
	}
	return img, err
}

// lookupSingle finds an image by name; of a list of images it is the one for
// this machine.
func (e *Engine) lookupSingle(name string) (store.Image, error) {
	return e.lookupFor(name, v1.Platform{})
}

// lookupFor is lookupSingle for another platform; empty fields are the host's.
func (e *Engine) lookupFor(name string, p v1.Platform) (store.Image, error) {
	img, err := e.LookupImage(name)
	if err != nil {
		return img, err
	}
	return imgcopy.ForPlatform(e.Store, img, p)
}

// Lists are the store's lists of images.
func (e *Engine) Lists() manifestlist.Lists {
	return manifestlist.Lists{Store: e.Store, Config: e.Config}
}

// Artifacts are the store's artifacts.
func (e *Engine) Artifacts() *artifact.Store { return artifact.Open(e.Store.GraphRoot()) }

// parseName reads an image's name; an error says what was done with it and, in
// the words that users know, what is wrong.
func parseName(doing, name string) (ref.Name, error) {
	if name == "" {
		return ref.Name{}, errdef.Newf(errdef.ErrInvalid, "%s \"\": repository name must have at least one component", doing)
	}
	n, err := ref.Parse(name)
	if err != nil {
		return n, errdef.Newf(errdef.ErrInvalid, "%s %q: %s", doing, name, strings.TrimPrefix(err.Error(), "invalid reference format: "))
	}
	return n, nil
}

// ListImagesRequest says which images to list.
type ListImagesRequest struct {
	Name    string // only this one, or those with names like it; "" is all
	All     bool   // intermediate images too
	Filters []string
	Sizes   bool // measure them
}

// ListImages lists images, the newest first.
func (e *Engine) ListImages(req ListImagesRequest) ([]Image, error) {
	filters, err := parseImageFilters(req.Filters)
	if err != nil {
		return nil, err
	}
	tree, err := e.imageTree()
	if err != nil {
		return nil, err
	}
	keep, err := filters.compile(e, tree)
	if err != nil {
		return nil, err
	}
	if req.Name != "" {
		keep = append(keep, e.imageNamed(req.Name))
	}
	if !req.All && req.Name == "" && !filters.asksForIntermediate() {
		keep = append(keep, func(img *Image) (bool, error) {
			if len(img.Names) > 0 {
				return true, nil
			}
			child, err := tree.child(img.ID)
			return child == "", err
		})
	}
	images, err := tree.filter(keep)
	if err != nil || !req.Sizes || len(images) == 0 {
		return images, err
	}
	e.measure(images)
	return images, nil
}

// measure finds out the images' sizes. An image that lacks a layer must not
// keep the others from being seen, nor itself from being removed: its size
// is -1.
func (e *Engine) measure(images []Image) {
	sizes, err := e.Store.ImageSizes()
	for i := range images {
		img := &images[i]
		if err == nil {
			img.Size = sizes[img.ID]
		} else if size, err := e.Store.ImageSize(img.ID); err == nil {
			img.Size = size
		} else {
			img.Size = -1
		}
	}
}

// filter lists the images that all of keep keeps, the newest first.
func (t *imageTree) filter(keep []imageFilter) ([]Image, error) {
	var found []Image
next:
	for _, img := range t.images {
		image := Image{Image: img, tree: t}
		for _, f := range keep {
			if ok, err := f(&image); err != nil {
				return nil, err
			} else if !ok {
				continue next
			}
		}
		found = append(found, image)
	}
	slices.SortStableFunc(found, func(a, b Image) int { return b.Created.Compare(a.Created) })
	return found, nil
}

// imageNamed keeps the image that name finds and those with names like it.
func (e *Engine) imageNamed(name string) imageFilter {
	id := ""
	if img, err := e.LookupImage(name); err == nil {
		id = img.ID
	}
	return func(img *Image) (bool, error) {
		return img.ID == id || id == "" && matchReference(name, &img.Image), nil
	}
}

// Labels are the image's labels.
func (i *Image) Labels() (map[string]string, error) {
	doc, err := i.tree.doc(i.ID)
	if err != nil {
		return nil, err
	}
	return doc.Config.Labels, nil
}

// Platform is the system the image is for.
func (i *Image) Platform() (spec.Platform, error) {
	doc, err := i.tree.doc(i.ID)
	if err != nil {
		return spec.Platform{}, err
	}
	return doc.Platform, nil
}

// Parent is the ID of the image that this one was made from, "" if it isn't
// here.
func (i *Image) Parent() (string, error) { return i.tree.parent(i.ID) }

// Containers counts the containers made of the image.
func (i *Image) Containers() (int, error) {
	users, err := i.tree.users()
	return len(users[i.ID]), err
}

// RepoDigests are the names that a registry would know the image by.
func (i *Image) RepoDigests() []string { return repoDigests(&i.Image) }

// repoDigests joins every repository the image is named in with its digests.
func repoDigests(img *store.Image) []string {
	found := []string{}
	for _, name := range img.Names {
		n, err := ref.Parse(name)
		if err != nil {
			continue
		}
		for _, d := range img.Digests {
			found = append(found, n.WithDigest(d).String())
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// SplitImageName parts a full name into repository and tag; what is missing is
// "<none>".
func SplitImageName(name string) (repository, tag string) {
	const none = "<none>"
	if name == "" {
		return none, none
	}
	if at := strings.IndexByte(name, '@'); at >= 0 {
		return name[:at], none
	}
	if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
		return name[:at], name[at+1:]
	}
	return name, none
}

// TagImage gives the image more names.
func (e *Engine) TagImage(image string, names []string) error {
	img, err := e.LookupImage(image)
	if err != nil {
		return err
	}
	full := make([]string, len(names))
	for i, name := range names {
		if full[i], err = newImageName(name); err != nil {
			return err
		}
	}
	newest := slices.Clone(full)
	slices.Reverse(newest) // each comes before those that are there
	if err := e.Store.AddImageNames(img.ID, newest...); err != nil {
		return err
	}
	for _, name := range full {
		e.event(imageEvent(img.ID, name, "tag"))
	}
	return nil
}

// UntagImage takes names from the image, all of them if none is given.
func (e *Engine) UntagImage(image string, names []string) error {
	img, err := e.LookupImage(image)
	if err != nil {
		return err
	}
	full := slices.Clone(img.Names)
	if len(names) > 0 {
		full = full[:0]
		for _, name := range names {
			have, err := e.ownName(img, name)
			if err != nil {
				return err
			}
			full = append(full, have)
		}
	}
	for _, name := range full {
		if err := e.Store.RemoveImageName(img.ID, name); err != nil {
			return err
		}
		e.event(imageEvent(img.ID, name, "untag"))
	}
	return nil
}

// newImageName completes the name that an image shall get: a short one is of
// localhost.
func newImageName(name string) (string, error) {
	n, err := parseName("normalizing name", name)
	if err != nil {
		return "", err
	}
	if n.Digest != "" {
		return "", errdef.Newf(errdef.ErrInvalid, "normalizing name %q: a name with a digest can't be given to an image: it follows from its content", name)
	}
	return n.Here().String(), nil
}

// ownName is the one of the image's names that is meant by name.
func (e *Engine) ownName(img store.Image, name string) (string, error) {
	n, err := parseName("normalizing name", name)
	if err != nil {
		return "", err
	}
	if n.Digest != "" {
		n.Tag = ""
	}
	regs, err := e.Config.Registries()
	if err != nil {
		return "", err
	}
	for _, full := range ref.Local(n, regs.Aliases, regs.UnqualifiedSearch) {
		if slices.Contains(img.Names, full.String()) {
			return full.String(), nil
		}
	}
	if n.IsShort() {
		end := "/" + n.Tagged().String()
		for _, have := range img.Names {
			if strings.HasSuffix(have, end) {
				return have, nil
			}
		}
	}
	return "", errdef.Newf(errdef.ErrNotFound, "%s: tag not known", name)
}
