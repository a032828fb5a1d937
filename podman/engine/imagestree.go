package engine

import (
	"github.com/podsuite/podsuite/shared/store"

	spec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageTree knows which image was made from which: a child has its parent's
// layers and history below its own. Documents are read for images that
// could be related only.
type imageTree struct {
	e      *Engine
	images []store.Image

	byID     map[string]*store.Image
	byLayer  map[string][]*store.Image // top layer to images
	docs     map[string]*imageDoc
	children map[string]string // an image to one made from it; nil before it was asked for
	inUse    map[string][]string
}

func (e *Engine) imageTree() (*imageTree, error) {
	images, err := e.Store.Images()
	if err != nil {
		return nil, err
	}
	t := &imageTree{e: e, images: images, docs: map[string]*imageDoc{}, byID: make(map[string]*store.Image, len(images)),
		byLayer: make(map[string][]*store.Image, len(images))}
	for i := range images {
		img := &images[i]
		t.byID[img.ID] = img
		t.byLayer[img.TopLayer] = append(t.byLayer[img.TopLayer], img)
	}
	return t, nil
}

func (t *imageTree) doc(id string) (*imageDoc, error) {
	if doc := t.docs[id]; doc != nil {
		return doc, nil
	}
	if img := t.byID[id]; img != nil && img.List {
		return new(imageDoc), nil // a list of images has none, and no relatives
	}
	doc, err := t.e.imageDoc(id)
	if err == nil {
		t.docs[id] = doc
	}
	return doc, err
}

// layers are the image's layers from the top down, and "" below them all.
func (t *imageTree) layers(img *store.Image) ([]string, error) {
	chain, err := t.e.Store.LayerChain(img.TopLayer)
	if err != nil && !isNotFound(err) { // an image that lacks layers has no relatives
		return nil, err
	}
	ids := make([]string, 0, len(chain)+1)
	for i := len(chain) - 1; i >= 0; i-- {
		ids = append(ids, chain[i].ID)
	}
	return append(ids, ""), nil
}

// ancestor is the nearest ancestor of the image among those that keep keeps.
func (t *imageTree) ancestor(img *store.Image, keep func(*store.Image) bool) (*store.Image, error) {
	layers, err := t.layers(img)
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		var nearest *store.Image
		length := 0
		for _, other := range t.byLayer[layer] {
			if other.ID == img.ID || !keep(other) {
				continue
			}
			n, err := t.below(other, img)
			if err != nil {
				return nil, err
			}
			if n > length {
				nearest, length = other, n
			}
		}
		if nearest != nil {
			return nearest, nil
		}
	}
	return nil, nil
}

// below is the length of parent's history if it is the lower part of child's,
// else 0.
func (t *imageTree) below(parent, child *store.Image) (int, error) {
	p, err := t.doc(parent.ID)
	if err != nil {
		return 0, err
	}
	c, err := t.doc(child.ID)
	if err != nil {
		return 0, err
	}
	if len(p.History) >= len(c.History) {
		return 0, nil
	}
	for i := range p.History {
		if !sameStep(&p.History[i], &c.History[i]) {
			return 0, nil
		}
	}
	return len(p.History), nil
}

func sameStep(a, b *spec.History) bool {
	sameTime := a.Created == nil && b.Created == nil || a.Created != nil && b.Created != nil && a.Created.Equal(*b.Created)
	return sameTime && a.CreatedBy == b.CreatedBy && a.Author == b.Author && a.Comment == b.Comment && a.EmptyLayer == b.EmptyLayer
}

// parent is the ID of the image that the one with the ID was made from, or "".
func (t *imageTree) parent(id string) (string, error) {
	p, err := t.ancestor(t.byID[id], func(*store.Image) bool { return true })
	if err != nil || p == nil {
		return "", err
	}
	return p.ID, nil
}

// child is the ID of an image that was made from the one without a name that
// has the ID, or "".
func (t *imageTree) child(id string) (string, error) {
	if t.children != nil {
		return t.children[id], nil
	}
	children := map[string]string{}
	unnamed := 0
	for i := range t.images {
		if len(t.images[i].Names) == 0 {
			unnamed++
		}
	}
	for i := range t.images {
		if len(children) == unnamed {
			break // each has one, or there is none
		}
		// Only images without a name can be intermediate: their parents are
		// found when it is the turn of each.
		up, err := t.ancestor(&t.images[i], func(other *store.Image) bool { return len(other.Names) == 0 })
		if err != nil {
			return "", err
		}
		if up != nil {
			children[up.ID] = t.images[i].ID
		}
	}
	t.children = children
	return children[id], nil
}

// hasChild tells whether any image was made from the one with the ID.
func (t *imageTree) hasChild(id string) (bool, error) {
	for i := range t.images {
		up, err := t.ancestor(&t.images[i], func(other *store.Image) bool { return other.ID == id })
		if err != nil || up != nil {
			return up != nil, err
		}
	}
	return false, nil
}

// users lists, by image, the IDs of the containers made of it.
func (t *imageTree) users() (map[string][]string, error) {
	if t.inUse != nil {
		return t.inUse, nil
	}
	containers, err := t.e.Store.Containers()
	if err != nil {
		return nil, err
	}
	t.inUse = map[string][]string{}
	for _, c := range containers {
		t.inUse[c.ImageID] = append(t.inUse[c.ImageID], c.ID)
	}
	return t.inUse, nil
}
