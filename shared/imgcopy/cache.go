package imgcopy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/config"
)

// known says what a layer compresses to, or, with a Host, in which repository
// of a registry a blob was seen.
type known struct {
	DiffID digest.Digest `json:"diff_id,omitempty"`
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size,omitempty"`
	Format string        `json:"format,omitempty"`
	Host   string        `json:"host,omitempty"`
	Path   string        `json:"path,omitempty"`
}

func (k known) key() [2]string {
	if k.Host != "" {
		return [2]string{k.Digest.String(), k.Host}
	}
	return [2]string{k.DiffID.String(), k.Format}
}

// cache remembers what layers compressed to and where blobs are, one JSON
// object a line. It is a help only: a line that cannot be read, or a file that
// cannot be written, is as if it were not there.
type cache struct {
	path string
	once sync.Once
	mu   sync.Mutex
	all  map[[2]string]known
}

// place is the repository of the registry where the blob was seen last, or "".
func (c *cache) place(d digest.Digest, host string) string {
	c.once.Do(c.load)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[[2]string{d.String(), host}].Path
}

// maxCacheSize is where the file is started anew, in bytes.
const maxCacheSize = 1 << 20

// openCache gives the user's cache; without a configuration there is none.
func openCache(cfg *config.Config) *cache {
	c := &cache{all: map[[2]string]known{}}
	if cfg != nil {
		c.path = filepath.Join(cfg.CacheDir(), "blobs.jsonl")
	}
	return c
}

func (c *cache) load() {
	if c.path == "" {
		return
	}
	f, err := os.Open(c.path)
	if err != nil {
		return
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 2*maxCacheSize))
	for lines.Scan() {
		var k known
		if json.Unmarshal(bytes.TrimSpace(lines.Bytes()), &k) == nil && k.Digest.Validate() == nil && (k.Size > 0 || k.Host != "") {
			c.all[k.key()] = k
		}
	}
}

func (c *cache) find(diffID digest.Digest, format string) (known, bool) {
	c.once.Do(c.load)
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.all[[2]string{diffID.String(), format}]
	return k, ok && diffID != ""
}

// add appends a line with one write, so that others may append at the same
// time.
func (c *cache) add(k known) {
	c.once.Do(c.load)
	c.mu.Lock()
	defer c.mu.Unlock()
	key := k.key()
	if c.all[key] == k || c.path == "" {
		return
	}
	c.all[key] = k
	line, err := json.Marshal(k)
	if err != nil || os.MkdirAll(filepath.Dir(c.path), 0o700) != nil {
		return
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if fi, err := os.Stat(c.path); err == nil && fi.Size() > maxCacheSize {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(c.path, flags, 0o600)
	if err != nil {
		return
	}
	_, _ = f.Write(append(line, '\n'))
	f.Close()
}
