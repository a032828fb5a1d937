package imgcopy

import (
	"encoding/json"
	"errors"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/transport"
)

// ResolveLocal finds the image of the store that a user means by name: an ID
// or the beginning of one, a full name, or a short name under localhost/, its
// alias, docker.io, a registry to search or, at last, any registry.
func ResolveLocal(st *store.Store, cfg *config.Config, name string) (store.Image, error) {
	unknown := errdef.Newf(errdef.ErrNotFound, "%s: image not known", name)
	if id, ok := strings.CutPrefix(name, "sha256:"); ok {
		if !ref.IsHex(id) {
			return store.Image{}, unknown
		}
		return byID(st, id, unknown)
	}
	if ref.IsHex(name) && len(name) == 64 {
		return byID(st, name, unknown)
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "containers-storage:"), "docker://")
	n, err := ref.Parse(name)
	if err != nil {
		return store.Image{}, err
	}
	regs, err := cfg.Registries()
	if err != nil {
		return store.Image{}, err
	}
	if n.Digest != "" {
		n.Tag = ""
	}
	for _, full := range ref.Local(n, regs.Aliases, regs.UnqualifiedSearch) {
		img, err := st.Image(full.String())
		if err == nil || !errors.Is(err, errdef.ErrNotFound) {
			return img, err
		}
	}
	if ref.IsHex(name) && len(name) >= 3 {
		if img, err := byID(st, name, unknown); err == nil || !errors.Is(err, errdef.ErrNotFound) {
			return img, err
		}
	}
	if n.IsShort() {
		return byEnd(st, n.Tagged(), unknown)
	}
	return store.Image{}, unknown
}

// ForPlatform gives the image for the platform out of a list of images of the
// store; an image that is no list is it itself. The class is
// errdef.ErrNotFound if the list's image isn't in the store.
func ForPlatform(st *store.Store, img store.Image, p v1.Platform) (store.Image, error) {
	if !img.List {
		return img, nil
	}
	data, err := st.ImageManifest(img.ID)
	if err != nil {
		return img, err
	}
	index, err := transport.ParseIndex(data)
	if err != nil {
		return img, err
	}
	d, err := Choose(index, p)
	if err != nil {
		return img, err
	}
	found, err := st.ImagesWithManifest(transport.Digest(d))
	if err != nil {
		return img, err
	}
	if len(found) == 0 {
		return img, errdef.Newf(errdef.ErrNotFound, "the image %s of the list %s is not in the store: pull it, or push the list and pull that", d.Digest, img.ID)
	}
	return found[0], nil
}

func byID(st *store.Store, id string, unknown error) (store.Image, error) {
	img, err := st.Image(id)
	if errors.Is(err, errdef.ErrNotFound) {
		return img, unknown
	}
	return img, err
}

// byEnd finds the one image with a name that ends with the short name.
func byEnd(st *store.Store, n ref.Name, unknown error) (store.Image, error) {
	images, err := st.Images()
	if err != nil {
		return store.Image{}, err
	}
	end := "/" + n.String()
	for _, img := range images {
		for _, have := range img.Names {
			if strings.HasSuffix(have, end) {
				return img, nil
			}
		}
	}
	return store.Image{}, unknown
}

// hasPlatform tells whether the image is one for the platform.
func hasPlatform(st *store.Store, img store.Image, p v1.Platform) bool {
	if p.OS == "" && p.Architecture == "" && p.Variant == "" {
		return true
	}
	data, err := st.ImageConfig(img.ID)
	if err != nil {
		return false
	}
	var c v1.Platform
	if json.Unmarshal(data, &c) != nil {
		return false
	}
	return (p.OS == "" || p.OS == c.OS) && (p.Architecture == "" || p.Architecture == c.Architecture) &&
		(p.Variant == "" || p.Variant == c.Variant)
}
