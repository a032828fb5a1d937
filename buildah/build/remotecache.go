package build

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/transport"
	"github.com/podsuite/podsuite/shared/trust"
)

// CachePlace is where images of single steps are kept for other machines: a
// repository of a registry, or an OCI layout. The tag of each is its key.
type CachePlace struct {
	repository ref.Name
	layout     string // directory; "" for a repository
}

// ParseCachePlace reads REPOSITORY, oci:DIRECTORY, and what docker's users write:
// type=registry,ref=REPOSITORY and type=local,src=DIRECTORY or dest=DIRECTORY.
func ParseCachePlace(text string) (CachePlace, error) {
	if dir, ok := strings.CutPrefix(text, "oci:"); ok {
		return cacheLayout(dir)
	}
	if !strings.HasPrefix(text, "type=") && !strings.Contains(text, ",") {
		return cacheRepository(text)
	}
	values := map[string]string{}
	for _, field := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "type", "ref", "src", "dest":
			values[key] = value
		default:
			return CachePlace{}, errdef.Newf(errdef.ErrInvalid, "%q: unknown key %q: want type, ref, src or dest", text, key)
		}
	}
	switch values["type"] {
	case "local":
		if values["src"] != "" && values["dest"] != "" {
			return CachePlace{}, errdef.Newf(errdef.ErrInvalid, "%q: src and dest are one directory: want one of them", text)
		}
		return cacheLayout(values["src"] + values["dest"])
	case "registry":
		name := values["ref"]
		if n, err := ref.Parse(name); err == nil && n.Digest == "" {
			name = n.Repository().String() // docker keeps one image of a tag, here each step has one
		}
		return cacheRepository(name)
	}
	return CachePlace{}, errdef.Newf(errdef.ErrUnsupported, "%q: a cache of the type %q is not supported: want registry or local", text, values["type"])
}

func cacheLayout(dir string) (CachePlace, error) {
	if dir == "" || strings.Contains(dir, ":") {
		return CachePlace{}, errdef.Newf(errdef.ErrInvalid, "directory %q: it must have a name, and no colon in it", dir)
	}
	dir, err := filepath.Abs(dir)
	return CachePlace{layout: dir}, err
}

func cacheRepository(text string) (CachePlace, error) {
	n, err := ref.Parse(text)
	switch {
	case err != nil:
		return CachePlace{}, errdef.Newf(errdef.ErrInvalid, "invalid repo %q: %s", text, nameError(err))
	case n.Tag != "" || n.Digest != "":
		return CachePlace{}, errdef.Newf(errdef.ErrInvalid, "repository must contain neither a tag nor digest: %s", text)
	case n.IsShort():
		return CachePlace{}, errdef.Newf(errdef.ErrInvalid, "invalid repo %q: must contain registry and repository", text)
	}
	return CachePlace{repository: n}, nil
}

func (p CachePlace) String() string {
	if p.layout != "" {
		return "oci:" + p.layout
	}
	return p.repository.String()
}

func (p CachePlace) location(key string) ref.Location {
	if p.layout != "" {
		return ref.Location{Transport: ref.OCI, Path: p.layout, Image: key, Index: -1}
	}
	return ref.Location{Transport: ref.Docker, Name: p.repository.WithTag(key), Index: -1}
}

// remoteCache is where the builder looks for images of steps that the store
// doesn't have, and where it puts those it made.
type remoteCache struct {
	from, to []CachePlace

	mu   sync.Mutex
	dead map[string]bool // places that couldn't be asked: each is complained about once
}

// remotely looks for the key's image in the places of others, and makes it one of the
// store's.
func (b *builder) remotely(ctx context.Context, key string) (store.Image, bool, error) {
	for _, place := range b.remote.from {
		if b.remote.isDead(place) {
			continue
		}
		id, err := b.pullStep(ctx, place, key)
		if ctx.Err() != nil {
			return store.Image{}, false, ctx.Err()
		}
		if err != nil {
			if !errors.Is(err, errdef.ErrNotFound) && b.remote.died(place) {
				b.out.warn("cache %s is not used: %v", place, err)
			}
			continue
		}
		image, err := b.st.Image(id)
		if err != nil {
			return store.Image{}, false, err
		}
		if tooOld(image, b.req.CacheTTL) {
			continue
		}
		b.out.line("--> Cache pulled from remote %s", place.location(key).String())
		return image, true, b.cache.put(key, id)
	}
	return store.Image{}, false, nil
}

func (c *remoteCache) isDead(p CachePlace) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead[p.String()]
}

// died notes a place that can't be asked; false where that was known.
func (c *remoteCache) died(p CachePlace) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead[p.String()] {
		return false
	}
	if c.dead == nil {
		c.dead = map[string]bool{}
	}
	c.dead[p.String()] = true
	return true
}

// pullStep copies the key's image into the store, where it gets no name.
func (b *builder) pullStep(ctx context.Context, place CachePlace, key string) (string, error) {
	policy, err := trust.Load(b.cfg, "")
	if err != nil {
		return "", err
	}
	o := transport.Options{Config: b.cfg, Registry: b.req.Registry, Store: b.st}
	result, err := imgcopy.CopyTo(ctx, transport.IntoStore(b.st, nil), place.location(key), imgcopy.Options{Policy: policy, Source: o, Destination: o})
	return result.ImageID, err
}

// share puts the key's image where others find it.
func (b *builder) share(ctx context.Context, key, id string) error {
	for _, place := range b.remote.to {
		b.out.line("--> Pushing cache [%s]:%s", place, key)
		_, err := imgcopy.Push(ctx, b.st, b.cfg, id, place.location(key).String(), imgcopy.PushOptions{Registry: b.req.Registry})
		if err != nil {
			return fmt.Errorf("failed pushing cache to %s: %w", place, err)
		}
	}
	return nil
}

func tooOld(image store.Image, ttl time.Duration) bool {
	return ttl > 0 && time.Since(image.Created) > ttl
}
