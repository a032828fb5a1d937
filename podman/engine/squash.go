package engine

import (
	"archive/tar"
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/store"
)

// squashLayers makes one layer of all that is in the container.
func (e *Engine) squashLayers(ctx context.Context, c *container.Config, doc *v1.ConfigFile) ([]store.Layer, error) {
	root, err := e.Store.Mount(c.ID)
	if err != nil {
		return nil, err
	}
	defer e.Store.Unmount(c.ID, false)
	tree, err := e.rootTree(c, root)
	if err != nil {
		return nil, fmt.Errorf("squash container %q: %w", c.Name, err)
	}
	defer tree.Close()
	source, err := tree.Find("/")
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() {
		out := tar.NewWriter(w)
		err := tree.Archive(ctx, out, source, "")
		if err == nil {
			err = out.Close()
		}
		w.CloseWithError(err)
	}()
	defer r.Close()
	staged, err := e.Store.StageLayer(ctx, store.Blob{Size: -1}, r)
	if err != nil {
		return nil, fmt.Errorf("squash container %q: %w", c.Name, err)
	}
	layer, err := commitStaged(staged, "")
	if err != nil {
		return nil, err
	}
	layers := []store.Layer{layer}
	setDiffIDs(doc, layers)
	doc.History = nil
	return layers, nil
}
