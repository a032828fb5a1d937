package transport

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/ref"
)

// archiveOf makes a tar of names and contents.
func archiveOf(f *testing.F, members ...string) []byte {
	f.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		h := &tar.Header{Name: members[i], Mode: 0o644, Size: int64(len(members[i+1])), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(h); err != nil {
			f.Fatal(err)
		}
		if _, err := io.WriteString(w, members[i+1]); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	return b.Bytes()
}

// FuzzArchive: whatever a file claims to be an archive of, it is refused or
// has an image whose blobs can be read.
func FuzzArchive(f *testing.F) {
	const conf = `{"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}`
	f.Add(archiveOf(f, "c.json", conf, "l.tar", "", "manifest.json", `[{"Config":"c.json","RepoTags":["a:1"],"Layers":["l.tar"]}]`))
	f.Add(archiveOf(f, "manifest.json", `[{"Config":"../c.json","RepoTags":null,"Layers":["/etc/passwd"]}]`, "../c.json", conf))
	f.Add(archiveOf(f, "oci-layout", layoutMarker, indexFile, `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}]}`,
		"blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "{}"))
	f.Add([]byte("\x1f\x8b\x08"))
	dir := f.TempDir()
	cfg, err := config.Load(config.Options{Prefix: dir, User: &config.User{UID: 0, Home: dir}, Getenv: func(string) string { return "" }})
	if err != nil {
		f.Fatal(err)
	}
	cfg.Engine.ImageCopyTmpDir = dir
	path := filepath.Join(dir, "a.tar")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{ref.DockerArchive, ref.OCIArchive} {
			ctx := context.Background()
			l := Ref{Transport: kind, Path: path, Index: -1}
			s, err := OpenSource(ctx, l, Options{Config: cfg})
			if err != nil {
				continue
			}
			readAll(ctx, t, s)
			s.Close()
		}
	})
}

// readAll reads every blob of the image, if it is one.
func readAll(ctx context.Context, t *testing.T, s Source) {
	m, err := s.Manifest(ctx, "")
	if err != nil || !m.MediaType.IsImage() {
		return
	}
	img, err := ParseImage(m.Bytes)
	if err != nil {
		return
	}
	for _, d := range append(img.Layers, img.Config) {
		r, size, err := s.Blob(ctx, Digest(d))
		if err != nil {
			continue
		}
		if n, err := io.Copy(io.Discard, r); size >= 0 && n > size {
			t.Errorf("%d bytes of %d, %v", n, size, err)
		}
		r.Close()
	}
}
