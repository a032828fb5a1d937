package imgcopy

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/config"
)

// known says what a layer compresses to, or, with a Host, in which repository
// of a registry a blob was seen.
type known struct {
	DiffID digest.Digest     `json:"diff_id,omitempty"`
	Digest digest.Digest     `json:"digest"`
	Size   int64             `json:"size,omitempty"`
	Format string            `json:"format,omitempty"`
	Notes  map[string]string `json:"notes,omitempty"` // annotations that belong to the blob
	Host   string            `json:"host,omitempty"`
	Path   string            `json:"path,omitempty"`
}

// cache remembers what layers compressed to and where blobs are, one JSON
// object a line, of which the last one counts. It is a help only: a line that
// cannot be read, or a file that cannot be written, is as if it were not there.
type cache struct {
	path string
	once sync.Once
	mu   sync.Mutex
	// The lines, unread: a copy asks for a few of them.
	lines []byte
}

// maxCacheSize is where the file is started anew, in bytes.
const maxCacheSize = 1 << 20

// openCache gives the user's cache; without a configuration there is none.
func openCache(cfg *config.Config) *cache {
	c := &cache{}
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
	fi, err := f.Stat()
	if err != nil {
		return
	}
	c.lines = make([]byte, min(fi.Size(), 2*maxCacheSize))
	n, _ := io.ReadFull(f, c.lines)
	c.lines = c.lines[:n]
}

// needleSize is how much of a digest is looked for: longer needles take
// bytes.Index several times as long, and these rarely find a wrong line.
const needleSize = 32

// last gives the last line that has the digest and fits.
func (c *cache) last(d digest.Digest, fits func(known) bool) (known, bool) {
	if d.Validate() != nil {
		return known{}, false
	}
	c.once.Do(c.load)
	c.mu.Lock()
	lines := c.lines // what is added later is behind these
	c.mu.Unlock()
	needle := []byte(d.Encoded()[:needleSize])
	var hits []int
	for from := 0; ; {
		at := bytes.Index(lines[from:], needle)
		if at < 0 {
			break
		}
		hits = append(hits, from+at)
		from += at + needleSize
	}
	for _, at := range slices.Backward(hits) {
		begin := bytes.LastIndexByte(lines[:at], '\n') + 1
		line, _, _ := bytes.Cut(lines[begin:], []byte{'\n'})
		var k known
		if json.Unmarshal(line, &k) == nil && fits(k) && k.Digest.Validate() == nil {
			return k, true
		}
	}
	return known{}, false
}

// place is the repository of the registry where the blob was seen last, or "".
func (c *cache) place(d digest.Digest, host string) string {
	k, _ := c.last(d, func(k known) bool { return k.Digest == d && k.Host == host })
	return k.Path
}

// find tells what the layer compresses to.
func (c *cache) find(diffID digest.Digest, format string) (known, bool) {
	if diffID == "" {
		return known{}, false
	}
	return c.last(diffID, func(k known) bool { return k.DiffID == diffID && k.Format == format && k.Size > 0 })
}

// add appends a line with one write, so that others may append at the same
// time.
func (c *cache) add(k known) {
	if c.path == "" {
		return
	}
	now, _ := c.last(k.Digest, func(old known) bool {
		return old.Digest == k.Digest && old.Host == k.Host && old.DiffID == k.DiffID && old.Format == k.Format
	})
	if reflect.DeepEqual(now, k) {
		return
	}
	line, err := json.Marshal(k)
	if err != nil || os.MkdirAll(filepath.Dir(c.path), 0o700) != nil {
		return
	}
	line = append(line, '\n')
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line...)
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if fi, err := os.Stat(c.path); err == nil && fi.Size() > maxCacheSize {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(c.path, flags, 0o600)
	if err != nil {
		return
	}
	_, _ = f.Write(line)
	f.Close()
}
