package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/store"
)

// stepCache finds the image that a step made of its parent before. Each key is
// a file that holds an image ID, so that a look-up costs the same however many
// images there are.
type stepCache struct {
	st  *store.Store
	dir string
}

func cacheDir(st *store.Store) string { return st.BuildCache() }

func openCache(st *store.Store) *stepCache {
	return &stepCache{st: st, dir: filepath.Join(cacheDir(st), "steps")}
}

// memoryFile is where the digests of a context's files are remembered.
func memoryFile(st *store.Store, context string) string {
	sum := sha256.Sum256([]byte(context))
	return filepath.Join(cacheDir(st), "files", hex.EncodeToString(sum[:16]))
}

// cacheKey sums up all that a step's outcome depends on.
func cacheKey(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:", len(part))
		io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// find returns the image of the key, if it is still there.
func (c *stepCache) find(key string) (store.Image, bool) {
	data, err := os.ReadFile(filepath.Join(c.dir, key))
	if err != nil {
		return store.Image{}, false
	}
	id := strings.TrimSpace(string(data))
	if len(id) != sha256.Size*2 {
		return store.Image{}, false
	}
	image, err := c.st.Image(id)
	if err != nil || image.ID != id {
		os.Remove(filepath.Join(c.dir, key))
		return store.Image{}, false
	}
	return image, true
}

// put notes the image of the key.
func (c *stepCache) put(key, imageID string) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(c.dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.WriteString(imageID); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(c.dir, key))
}
