package engine

import (
	"github.com/podsuite/podsuite/shared/store"
)

// ImageLayer is a layer of an image in the tree of layers.
type ImageLayer struct {
	store.Layer
	TopOf    []string      // names of the images that end with it
	Children []*ImageLayer // layers on top of it
}

// ImageLayers is an image and its layers.
type ImageLayers struct {
	ID    string
	Names []string
	Size  int64         // bytes, of the whole image
	Chain []*ImageLayer // the image's layers, the lowest first; the last one has children, if they were asked for
}

// ImageLayers lists the layers of the image, with whatRequires those that
// others have put on top of it too.
func (e *Engine) ImageLayers(name string, whatRequires bool) (*ImageLayers, error) {
	img, err := e.lookupSingle(name)
	if err != nil {
		return nil, err
	}
	out := &ImageLayers{ID: img.ID, Names: img.Names}
	if out.Size, err = e.Store.ImageSize(img.ID); err != nil {
		return nil, err
	}
	images, err := e.Store.Images()
	if err != nil {
		return nil, err
	}
	topOf := map[string][]string{}
	for _, other := range images {
		topOf[other.TopLayer] = append(topOf[other.TopLayer], other.Names...)
	}
	chain, err := e.Store.LayerChain(img.TopLayer)
	if err != nil {
		return nil, err
	}
	for _, l := range chain {
		out.Chain = append(out.Chain, &ImageLayer{Layer: l, TopOf: topOf[l.ID]})
	}
	if !whatRequires || len(chain) == 0 {
		return out, nil
	}
	return out, e.addChildren(out.Chain[len(out.Chain)-1], images, topOf)
}

// addChildren hangs the layers of other images on the layer that they are on.
func (e *Engine) addChildren(base *ImageLayer, images []store.Image, topOf map[string][]string) error {
	known := map[string]*ImageLayer{base.ID: base}
	for _, img := range images {
		chain, err := e.Store.LayerChain(img.TopLayer)
		if isNotFound(err) {
			continue // an image that lacks layers requires none
		}
		if err != nil {
			return err
		}
		for _, l := range chain {
			parent := known[l.Parent]
			if parent == nil || known[l.ID] != nil {
				continue
			}
			known[l.ID] = &ImageLayer{Layer: l, TopOf: topOf[l.ID]}
			parent.Children = append(parent.Children, known[l.ID])
		}
	}
	return nil
}
