package imgcopy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestCache: of what was noted of a blob the last line counts, for others and
// for oneself, and lines that mean nothing are as if they were not there.
func TestCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blobs.jsonl")
	blob, plain := digest.FromString("blob"), digest.FromString("plain")
	c := &cache{path: path}
	c.add(known{Digest: blob, Host: "a.test", Path: "old"})
	c.add(known{Digest: blob, Host: "b.test", Path: "other"})
	c.add(known{Digest: blob, Host: "a.test", Path: "new"})
	c.add(known{DiffID: plain, Digest: blob, Size: 7, Format: "gzip"})
	before := size(t, path)
	c.add(known{Digest: blob, Host: "a.test", Path: "new"})
	if size(t, path) != before {
		t.Error("what is known is noted twice")
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`{"digest":"` + blob.String() + `","host":"a.test","pa`,
		`{"digest":"sha256:` + blob.Encoded()[:40] + `","host":"a.test","path":"short"}`,
	} {
		if _, err := f.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	for name, c := range map[string]*cache{"the writer": c, "another": {path: path}} {
		if got := c.place(blob, "a.test"); got != "new" {
			t.Errorf("%s: the blob is at %q", name, got)
		}
		if got := c.place(blob, "c.test"); got != "" {
			t.Errorf("%s: a blob that was never seen there is at %q", name, got)
		}
		if k, ok := c.find(plain, "gzip"); !ok || k.Digest != blob || k.Size != 7 {
			t.Errorf("%s: the layer compresses to %+v", name, k)
		}
		if _, ok := c.find(plain, "zstd"); ok {
			t.Errorf("%s: the layer is known in a format that it never had", name)
		}
	}
}

func size(t *testing.T, path string) int64 {
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}
