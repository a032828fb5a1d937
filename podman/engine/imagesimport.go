package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/fetch"
	"github.com/podsuite/podsuite/shared/store"
)

// ImportImageRequest makes an image of a root file system.
type ImportImageRequest struct {
	Path              string   // a tar, plain or compressed, or its address in the web; "-" is Stdin
	Stdin             *os.File // for "-"
	Name              string   // of the image, or ""
	Changes           []string // instructions of a Containerfile
	Message           string
	OS, Arch, Variant string // "" is the host's
	Progress          cliout.Progress
}

// ImportImage makes an image of one layer and returns its ID. The same file
// with the same settings makes the same image: its time is the file's.
func (e *Engine) ImportImage(ctx context.Context, req ImportImageRequest) (string, error) {
	doc := spec.Image{Author: "", Platform: spec.Platform{Architecture: first(req.Arch, runtime.GOARCH), OS: first(req.OS, runtime.GOOS), Variant: req.Variant}}
	if err := applyChanges(&doc.Config, req.Changes); err != nil {
		return "", err
	}
	var names []string
	if req.Name != "" {
		name, err := newImageName(req.Name)
		if err != nil {
			return "", err
		}
		names = []string{name}
	}
	in, size, made, err := openImport(ctx, req)
	if err != nil {
		return "", err
	}
	defer in.Close()
	layer, fresh, err := e.importLayer(ctx, in, size, req)
	if err != nil {
		return "", err
	}
	doc.Created = &made
	doc.RootFS = spec.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.DiffID}}
	doc.History = []spec.History{{Created: &made, Comment: first(req.Message, "imported from tarball"),
		CreatedBy: fmt.Sprintf("/bin/sh -c #(nop) ADD file:%s in /", layer.DiffID.Encoded())}}
	req.Progress.Say("Writing manifest to image destination")
	id, err := e.writeImage(doc, layer, names)
	if err != nil && fresh {
		// Nobody will find the layer; if someone has come to use it, it stays.
		_ = e.Store.RemoveLayer(layer.ID)
	}
	if err == nil {
		e.event(imageEvent(id, firstName(names), "import"))
	}
	return id, err
}

// openImport opens the tar; its size is -1 if unknown.
func openImport(ctx context.Context, req ImportImageRequest) (r io.ReadCloser, size int64, made time.Time, err error) {
	if fetch.IsURL(req.Path) {
		f, err := fetch.Open(ctx, req.Path, fetch.Options{})
		if err != nil {
			return nil, 0, made, err
		}
		if made = f.Modified.UTC(); made.IsZero() {
			made = time.Now().UTC()
		}
		return f, f.Size, made, nil
	}
	in := req.Stdin
	if req.Path != "-" {
		if in, err = os.Open(req.Path); err != nil {
			return nil, 0, made, fmt.Errorf("error opening %q: %w", req.Path, err)
		}
	}
	fi, err := in.Stat()
	switch {
	case err != nil:
		return nil, 0, made, fmt.Errorf("error opening %q: %w", req.Path, err)
	case fi.IsDir():
		return nil, 0, made, errdef.Newf(errdef.ErrInvalid, "error opening %q: it is a directory, and a tar file is needed", req.Path)
	case fi.Mode().IsRegular():
		return in, fi.Size(), fi.ModTime().UTC(), nil
	}
	return in, -1, time.Now().UTC(), nil
}

// importLayer makes the tar a layer; fresh tells that it wasn't there before.
func (e *Engine) importLayer(ctx context.Context, in io.Reader, size int64, req ImportImageRequest) (l store.Layer, fresh bool, err error) {
	bar := req.Progress.Start("blob", req.Path, size)
	staged, err := e.Store.StageLayer(ctx, store.Blob{Size: -1}, &countingReader{in, bar})
	bar.Finish(err)
	if err != nil {
		return l, false, fmt.Errorf("import %q: %w", req.Path, err)
	}
	_, known := e.Store.FindLayer("", staged.DiffID())
	l, err = staged.Commit("")
	return l, !known, err
}

type countingReader struct {
	r   io.Reader
	bar cliout.Bar
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.bar.Add(int64(n))
	return n, err
}

// writeImage records an image of one layer.
func (e *Engine) writeImage(doc spec.Image, layer store.Layer, names []string) (string, error) {
	config, err := json.Marshal(doc)
	if err != nil {
		return "", err
	}
	manifest, err := json.Marshal(spec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: spec.MediaTypeImageManifest,
		Config: spec.Descriptor{MediaType: spec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers: []spec.Descriptor{{MediaType: spec.MediaTypeImageLayer, Digest: layer.DiffID, Size: layer.UncompressedSize}}})
	if err != nil {
		return "", err
	}
	img, err := e.Store.CreateImage(store.NewImage{Names: names, Manifest: manifest, Config: config, TopLayer: layer.ID, Created: *doc.Created})
	return img.ID, err
}
