package imgcopy

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The same image makes the same archive, in whatever order its blobs come; of more
// layers than are copied at a time, and with the last the largest.
func TestArchivesAreTheSame(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 9, "amd64")
	w.mustCopy("docker://REG/a/img:1", "oci:DIR/src")
	var late atomic.Int64
	w.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			// The first come last.
			time.Sleep(time.Duration(40-10*min(late.Add(1), 4)) * time.Millisecond)
		}
		return false
	})
	for _, kind := range []string{"docker-archive", "oci-archive"} {
		var archives [3][]byte
		for i := range archives {
			late.Store(0)
			path := filepath.Join(w.dir, kind)
			w.mustCopy(kind+":"+path+":x:1", "docker://REG/a/img:1", func(o *Options) { o.ForceCompress, o.CompressFormat = i == 2, "gzip" })
			archives[i], _ = os.ReadFile(path)
			os.Remove(path)
		}
		if !bytes.Equal(archives[0], archives[1]) || !bytes.Equal(archives[0], archives[2]) {
			t.Errorf("%s: %q, %q and %q", kind, members(archives[0]), members(archives[1]), members(archives[2]))
		}
		if names := members(archives[0]); len(names) < 11 {
			t.Errorf("%s: %q", kind, names)
		}
	}
}

func members(archive []byte) (names []string) {
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err == io.EOF || err != nil {
			return names
		}
		names = append(names, h.Name[:min(len(h.Name), 25)])
	}
}
