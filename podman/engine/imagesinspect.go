package engine

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// ImageInfo is what inspect prints of an image, with the reference's keys.
type ImageInfo struct {
	ID           string `json:"Id"`
	Digest       string
	RepoTags     []string
	RepoDigests  []string
	Parent       string
	Comment      string
	Created      *time.Time
	Config       spec.ImageConfig
	Version      string
	Author       string
	Architecture string
	Os           string
	Size         int64
	VirtualSize  int64
	GraphDriver  GraphDriverInfo
	RootFS       RootFSInfo
	Labels       map[string]string
	Annotations  map[string]string
	ManifestType string
	User         string
	History      []spec.History
	NamesHistory []string
	HealthCheck  *HealthCheck `json:"Healthcheck,omitempty"`
}

// Id is the ID, for templates that ask for the name it has in JSON.
func (i *ImageInfo) Id() string { return i.ID } //nolint:revive // the placeholder's name

// GraphDriverInfo says where an image's layers lie.
type GraphDriverInfo struct {
	Name string
	Data map[string]string
}

// RootFSInfo lists the digests of an image's layers.
type RootFSInfo struct {
	Type   string
	Layers []string
}

// InspectImage tells all of an image.
func (e *Engine) InspectImage(name string) (any, error) {
	img, err := e.lookupSingle(name)
	if err != nil {
		return nil, err
	}
	doc, err := e.imageDoc(img.ID)
	if err != nil {
		return nil, err
	}
	tree, err := e.imageTree()
	if err != nil {
		return nil, err
	}
	info := &ImageInfo{ID: img.ID, RepoTags: repoTags(&img), RepoDigests: repoDigests(&img), Comment: doc.Comment,
		Created: doc.Created, Config: doc.Config.ImageConfig, Version: doc.DockerVersion, Author: doc.Author, Architecture: doc.Architecture,
		Os: doc.OS, Labels: doc.Config.Labels, User: doc.Config.User, History: doc.History, NamesHistory: list(img.NamesHistory),
		HealthCheck: doc.Config.Healthcheck, RootFS: RootFSInfo{Type: doc.RootFS.Type, Layers: []string{}}, Annotations: map[string]string{}}
	for _, d := range doc.RootFS.DiffIDs {
		info.RootFS.Layers = append(info.RootFS.Layers, d.String())
	}
	if info.Parent, err = tree.parent(img.ID); err != nil {
		return nil, err
	}
	if info.Size, err = e.Store.ImageSize(img.ID); err != nil {
		return nil, err
	}
	info.VirtualSize = info.Size
	if info.GraphDriver, err = e.graphDriver(&img); err != nil {
		return nil, err
	}
	return info, e.inspectManifest(img.ID, info)
}

// inspectManifest adds what only the manifest says.
func (e *Engine) inspectManifest(id string, info *ImageInfo) error {
	data, err := e.Store.ImageManifest(id)
	if err != nil {
		return err
	}
	var m struct {
		MediaType   string            `json:"mediaType"`
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return errdef.Newf(errdef.ErrInvalid, "read manifest of image %q: %w", id, err)
	}
	info.Digest = digest.FromBytes(data).String() // of the newest manifest, if the image has several
	info.ManifestType = first(m.MediaType, spec.MediaTypeImageManifest)
	if n := len(info.History); info.Comment == "" && n > 0 && info.ManifestType == spec.MediaTypeImageManifest {
		info.Comment = info.History[n-1].Comment // only the other format has one of the image
	}
	if m.Annotations != nil {
		info.Annotations = m.Annotations
	}
	return nil
}

// graphDriver says where the image's layers lie.
func (e *Engine) graphDriver(img *store.Image) (GraphDriverInfo, error) {
	info := GraphDriverInfo{Name: e.Store.Driver(), Data: map[string]string{}}
	if info.Name != "overlay" || img.TopLayer == "" {
		return info, nil
	}
	chain, err := e.Store.LayerChain(img.TopLayer)
	if err != nil {
		return info, err
	}
	dir := func(id, name string) string { return filepath.Join(e.Store.GraphRoot(), info.Name, id, name) }
	var lower []string
	for i := len(chain) - 2; i >= 0; i-- {
		lower = append(lower, dir(chain[i].ID, "diff"))
	}
	if len(lower) > 0 {
		info.Data["LowerDir"] = strings.Join(lower, ":")
	}
	info.Data["UpperDir"], info.Data["WorkDir"] = dir(img.TopLayer, "diff"), dir(img.TopLayer, "work")
	return info, nil
}

// repoTags are the image's names that have a tag.
func repoTags(img *store.Image) []string {
	tags := []string{}
	for _, name := range img.Names {
		if !strings.Contains(name, "@") {
			tags = append(tags, name)
		}
	}
	return tags
}

// ImageStep is one step of an image's history.
type ImageStep struct {
	ID      string // of the image that the step ends, "<missing>" if it isn't here
	Tags    []string
	Created time.Time
	By      string
	Comment string
	Size    int64 // bytes of its layer, uncompressed
}

// ImageHistory lists the image's steps, the last one first.
func (e *Engine) ImageHistory(name string) ([]ImageStep, error) {
	img, err := e.lookupSingle(name)
	if err != nil {
		return nil, err
	}
	doc, err := e.imageDoc(img.ID)
	if err != nil {
		return nil, err
	}
	chain, err := e.Store.LayerChain(img.TopLayer)
	if err != nil {
		return nil, err
	}
	steps := make([]ImageStep, len(doc.History))
	for i, h := range doc.History {
		s := ImageStep{ID: "<missing>", By: h.CreatedBy, Comment: h.Comment}
		if h.Created != nil {
			s.Created = *h.Created
		}
		if !h.EmptyLayer && len(chain) > 0 {
			s.Size = max(chain[0].UncompressedSize, 0)
			chain = chain[1:]
		}
		steps[len(steps)-1-i] = s
	}
	return steps, e.nameSteps(&img, steps)
}

// nameSteps gives the steps the IDs and names of the images that end with
// them.
func (e *Engine) nameSteps(img *store.Image, steps []ImageStep) error {
	tree, err := e.imageTree()
	if err != nil {
		return err
	}
	for img != nil && len(steps) > 0 {
		doc, err := tree.doc(img.ID)
		if err != nil {
			return err
		}
		if n := len(doc.History); n > 0 && n <= len(steps) {
			s := &steps[len(steps)-n]
			s.ID, s.Tags = img.ID, img.Names
		}
		if img, err = tree.ancestor(img, func(*store.Image) bool { return true }); err != nil {
			return err
		}
	}
	return nil
}

// ImageExists tells whether there is an image of the name.
func (e *Engine) ImageExists(name string) (bool, error) {
	_, err := e.LookupImage(name)
	if errors.Is(err, errdef.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
