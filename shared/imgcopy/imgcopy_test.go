package imgcopy

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/transport"
	"github.com/podsuite/podsuite/shared/trust"
)

func TestMain(m *testing.M) {
	if store.MaybeInit() {
		return
	}
	os.Exit(m.Run())
}

// world is a registry, a configuration that allows it plain HTTP, and a
// directory to work in.
type world struct {
	t    *testing.T
	dir  string
	host string
	// daemon is the host of a Docker daemon, if there is one.
	daemon string
	cfg    *config.Config

	mu      sync.Mutex
	uploads int                                                      // requests that carried or mounted a blob
	hook    func(w http.ResponseWriter, r *http.Request) (done bool) // may answer instead
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/") || r.Method == http.MethodPatch {
			w.uploads++
		}
		hook := w.hook
		w.mu.Unlock()
		if hook == nil || !hook(rw, r) {
			inner.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(s.Close)
	w.host = strings.TrimPrefix(s.URL, "http://")
	conf := filepath.Join(w.dir, "registries.conf")
	text := fmt.Sprintf("[[registry]]\nlocation = %q\ninsecure = true\n[[registry]]\nprefix = \"mirrored.test\"\nlocation = \"127.0.0.1:1\"\n"+
		"[[registry.mirror]]\nlocation = \"%s/m\"\ninsecure = true\n[aliases]\nshorty = \"%s/a/img\"\n", w.host, w.host, w.host)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	w.cfg, err = config.Load(config.Options{Prefix: w.dir, Getenv: func(name string) string {
		return map[string]string{"CONTAINERS_REGISTRIES_CONF": conf, "HOME": w.dir, "XDG_RUNTIME_DIR": w.dir}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// answer has f see each request first.
func (w *world) answer(f func(w http.ResponseWriter, r *http.Request) (done bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hook = f
}

// place reads a reference; REG is the registry and DIR the directory.
func (w *world) place(s string) transport.Ref {
	w.t.Helper()
	l, err := ref.ParseTransport(strings.NewReplacer("REG", w.host, "DIR", w.dir).Replace(s))
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) options() Options {
	t := transport.Options{Config: w.cfg, DaemonHost: w.daemon}
	return Options{Source: t, Destination: t}
}

func (w *world) copy(dst, src string, change ...func(*Options)) (Result, error) {
	w.t.Helper()
	o := w.options()
	for _, c := range change {
		c(&o)
	}
	return Copy(context.Background(), w.place(dst), w.place(src), o)
}

func (w *world) mustCopy(dst, src string, change ...func(*Options)) Result {
	w.t.Helper()
	res, err := w.copy(dst, src, change...)
	if err != nil {
		w.t.Fatalf("copy %s to %s: %v", src, dst, err)
	}
	return res
}

// layerTar makes a layer with one file of random content.
func layerTar(seed uint64) []byte {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	content := make([]byte, 100000)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	r.Read(content[:50000])
	name := fmt.Sprintf("file%d", seed)
	tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg})
	tw.Write(content)
	tw.Close()
	return b.Bytes()
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

// layout writes an OCI layout with an image of n layers for the platform, one
// of them twice, and gives its manifest's descriptor.
func (w *world) layout(name string, n int, arch string) v1.Descriptor {
	w.t.Helper()
	dir := filepath.Join(w.dir, name)
	blobs := filepath.Join(dir, "blobs/sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		w.t.Fatal(err)
	}
	put := func(data []byte, t types.MediaType) v1.Descriptor {
		d := digest.FromBytes(data)
		if err := os.WriteFile(filepath.Join(blobs, d.Encoded()), data, 0o644); err != nil {
			w.t.Fatal(err)
		}
		return v1.Descriptor{MediaType: t, Size: int64(len(data)), Digest: v1.Hash{Algorithm: "sha256", Hex: d.Encoded()}}
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	c := map[string]any{"architecture": arch, "os": "linux", "created": "2026-01-02T03:04:05Z"}
	var ids []string
	for i := range n + 1 {
		raw := layerTar(uint64(i % n))
		ids = append(ids, digest.FromBytes(raw).String())
		m.Layers = append(m.Layers, put(zipped(raw), types.OCILayer))
	}
	c["rootfs"] = map[string]any{"type": "layers", "diff_ids": ids}
	conf, _ := json.Marshal(c)
	m.Config = put(conf, types.OCIConfigJSON)
	data, _ := json.Marshal(m)
	d := put(data, types.OCIManifestSchema1)
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": "x"}
	d.Platform = &v1.Platform{OS: "linux", Architecture: arch}
	w.index(dir, d)
	return d
}

func (w *world) index(dir string, entries ...v1.Descriptor) {
	w.t.Helper()
	data, _ := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: entries})
	if err := os.WriteFile(filepath.Join(dir, "index.json"), data, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func TestEveryTransportKeepsTheImage(t *testing.T) {
	w := newWorld(t)
	want := w.layout("src", 3, "amd64").Digest.String()
	at := "oci:DIR/src"
	for _, next := range []string{"docker://REG/a/img:1", "dir:DIR/d", "oci-archive:DIR/a.tar:n", "oci:DIR/o:n", "docker://REG/b/img:1", "oci:DIR/o2"} {
		if got := w.mustCopy(next, at).Digest().String(); got != want {
			t.Errorf("%s to %s: digest %s, want %s", at, next, got, want)
		}
		at = next
	}
	w.mustCopy("docker-archive:DIR/da.tar:name:1", at)
	w.mustCopy("dir:DIR/back", "docker-archive:DIR/da.tar")
	entries, _ := os.ReadDir(filepath.Join(w.dir, "back"))
	if len(entries) != 3+1+2 { // layers (one is there twice), configuration, manifest and version
		t.Errorf("%d files in the directory", len(entries))
	}
	leftovers, _ := filepath.Glob(filepath.Join(w.dir, ".archive*"))
	if len(leftovers) > 0 {
		t.Errorf("left behind: %v", leftovers)
	}
}

func TestSecondPushSendsNothing(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 2, "amd64")
	w.mustCopy("dir:DIR/plain", "oci:DIR/src", func(o *Options) { o.Decompress = true })
	first := w.mustCopy("docker://REG/a/img:1", "dir:DIR/plain")
	before := w.uploads
	again := w.mustCopy("docker://REG/a/img:2", "dir:DIR/plain")
	if before == 0 || w.uploads != before {
		t.Errorf("uploads: %d, then %d", before, w.uploads)
	}
	if first.Digest() != again.Digest() {
		t.Errorf("digests %s and %s", first.Digest(), again.Digest())
	}
}

func TestTransformations(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 2, "amd64")
	v2 := w.mustCopy("dir:DIR/v2", "oci:DIR/src", func(o *Options) { o.Format = FormatV2S2 })
	if v2.Manifest.MediaType != types.DockerManifestSchema2 || bytes.Contains(v2.Manifest.Bytes, []byte("vnd.oci")) {
		t.Errorf("v2s2: %s", v2.Manifest.Bytes)
	}
	z := w.mustCopy("dir:DIR/z", "dir:DIR/v2", func(o *Options) {
		o.Format, o.CompressFormat, o.ForceCompress, o.Compress = FormatOCI, "zstd", true, true
	})
	if !bytes.Contains(z.Manifest.Bytes, []byte(types.OCILayerZStd)) {
		t.Errorf("zstd: %s", z.Manifest.Bytes)
	}
	plain := w.mustCopy("dir:DIR/p", "dir:DIR/z", func(o *Options) { o.Decompress = true })
	m, err := transport.ParseImage(plain.Manifest.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range m.Layers {
		if want := digest.FromBytes(layerTar(uint64(i % 2))); transport.Digest(l) != want {
			t.Errorf("layer %d is %s, want %s", i, l.Digest, want)
		}
	}
	if _, err := w.copy("dir:DIR/no", "oci:DIR/src", func(o *Options) { o.PreserveDigests, o.Format = true, FormatV2S2 }); err == nil {
		t.Error("preserve-digests let the manifest change")
	}
	if _, err := os.Stat(filepath.Join(w.dir, "no")); !os.IsNotExist(err) {
		t.Error("a refused copy left its directory")
	}
}

// A layer in zstd's chunked form says where its table of contents is, which
// another compression of it doesn't.
func TestChunkedLayers(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 2, "amd64")
	w.mustCopy("dir:DIR/v2", "oci:DIR/src", func(o *Options) { o.Format = FormatV2S2 })
	w.mustCopy("docker://REG/c/img:1", "dir:DIR/v2", func(o *Options) { o.CompressFormat, o.ForceCompress = "zstd:chunked", true })
	z := w.mustCopy("dir:DIR/z", "docker://REG/c/img:1")
	m, err := transport.ParseImage(z.Manifest.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range m.Layers {
		var at, size, plain, kind int64
		if n, err := fmt.Sscanf(l.Annotations["io.github.containers.zstd-chunked.manifest-position"], "%d:%d:%d:%d", &at, &size, &plain, &kind); n != 4 || l.MediaType != types.OCILayerZStd {
			t.Fatalf("%v: %s", err, z.Manifest.Bytes)
		}
		blob, err := os.ReadFile(filepath.Join(w.dir, "z", l.Digest.Hex))
		if err != nil {
			t.Fatal(err)
		}
		dec, err := zstd.NewReader(bytes.NewReader(blob[at : at+size]))
		if err != nil {
			t.Fatal(err)
		}
		toc, err := io.ReadAll(dec)
		if err != nil || int64(len(toc)) != plain || !bytes.Contains(toc, []byte(`"entries"`)) {
			t.Errorf("layer %d: table of contents %q, %v", i, toc, err)
		}
	}
	if _, ids := w.content("dir:DIR/z"); ids[0] != digest.FromBytes(layerTar(0)) || ids[1] != digest.FromBytes(layerTar(1)) {
		t.Errorf("layers %v", ids)
	}
	before := w.uploads
	w.mustCopy("docker://REG/c/img:2", "dir:DIR/z", func(o *Options) { o.CompressFormat, o.ForceCompress = "zstd:chunked", true })
	if w.uploads != before {
		t.Error("what is chunked was compressed once more")
	}
	// What it was compressed from is remembered, with its notes.
	w.mustCopy("dir:DIR/plain", "oci:DIR/src", func(o *Options) { o.Decompress = true })
	for i, tag := range []string{"4", "5"} {
		before = w.uploads
		p := w.mustCopy("docker://REG/c/img:"+tag, "dir:DIR/plain", func(o *Options) { o.CompressFormat = "zstd:chunked" })
		if i == 1 && w.uploads != before || !bytes.Contains(p.Manifest.Bytes, []byte("zstd-chunked.manifest-position")) {
			t.Errorf("%d uploads: %s", w.uploads-before, p.Manifest.Bytes)
		}
	}
	g := w.mustCopy("docker://REG/c/img:3", "dir:DIR/z", func(o *Options) { o.CompressFormat, o.ForceCompress = "gzip", true })
	if bytes.Contains(g.Manifest.Bytes, []byte("chunked")) || !bytes.Contains(g.Manifest.Bytes, []byte(types.OCILayer)) {
		t.Errorf("gzip: %s", g.Manifest.Bytes)
	}
}

// What no layer there can have is refused, not left out.
func TestImpossibleCompression(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 1, "amd64")
	for dst, format := range map[string]string{"docker-archive:DIR/x.tar": "", "dir:DIR/x": FormatV2S2} {
		for _, compression := range []string{"zstd", "zstd:chunked"} {
			if _, err := w.copy(dst, "oci:DIR/src", func(o *Options) { o.Format, o.CompressFormat, o.ForceCompress = format, compression, true }); !errors.Is(err, errdef.ErrInvalid) {
				t.Errorf("%s to %s: %v", compression, dst, err)
			}
		}
		w.mustCopy(dst, "oci:DIR/src", func(o *Options) { o.Format, o.CompressFormat, o.ForceCompress = format, "gzip", true })
	}
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	amd, arm := w.layout("amd", 1, "amd64"), w.layout("arm", 2, "arm64")
	w.mustCopy("docker://REG/l/img:amd", "oci:DIR/amd")
	w.mustCopy("docker://REG/l/img:arm", "oci:DIR/arm")
	amd.Annotations, arm.Annotations = nil, nil
	list, _ := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{arm, amd}})
	req, _ := http.NewRequest(http.MethodPut, "http://"+w.host+"/v2/l/img/manifests/list", bytes.NewReader(list))
	req.Header.Set("Content-Type", string(types.OCIImageIndex))
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("put list: %v, %v", resp, err)
	}
	for arch, want := range map[string]v1.Descriptor{"arm64": arm, "amd64": amd} {
		res := w.mustCopy("dir:DIR/"+arch, "docker://REG/l/img:list", func(o *Options) { o.Platform.Architecture = arch })
		if res.Digest() != transport.Digest(want) {
			t.Errorf("%s: %s", arch, res.Digest())
		}
	}
	if _, err := w.copy("dir:DIR/none", "docker://REG/l/img:list", func(o *Options) { o.Platform.Architecture = "s390x" }); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("no such platform: %v", err)
	}
	all := func(o *Options) { o.Multi = MultiAll }
	for _, dst := range []string{"dir:DIR/all", "oci:DIR/all-oci", "docker://REG/copy/img:1"} {
		if res := w.mustCopy(dst, "docker://REG/l/img:list", all); res.Digest() != digest.FromBytes(list) {
			t.Errorf("%s: %s", dst, res.Digest())
		}
	}
	w.mustCopy("docker://REG/fromdir/img:1", "dir:DIR/all", all)

	// Images that change on the way are what the list's copy names.
	same := func(o *Options) { all(o); o.Format, o.PreserveDigests = FormatV2S2, true }
	if _, err := w.copy("dir:DIR/same", "docker://REG/l/img:list", same); err == nil || !strings.Contains(err.Error(), "digests are to be preserved") {
		t.Errorf("preserve-digests: %v", err)
	}
	changed := w.mustCopy("docker://REG/v2/img:1", "docker://REG/l/img:list", func(o *Options) { all(o); o.Format = FormatV2S2 })
	if changed.Manifest.MediaType != types.DockerManifestList || bytes.Contains(changed.Manifest.Bytes, []byte("vnd.oci")) {
		t.Errorf("converted list: %s", changed.Manifest.Bytes)
	}
	w.mustCopy("dir:DIR/v2arm", "docker://REG/v2/img:1", func(o *Options) { o.Platform.Architecture = "arm64" })

	// Every image in a further compression, once.
	zstd := func(o *Options) { all(o); o.AddCompression = []string{"zstd"} }
	first := w.mustCopy("docker://REG/z/img:1", "docker://REG/l/img:list", zstd)
	index, err := transport.ParseIndex(first.Manifest.Bytes)
	if err != nil || len(index.Manifests) != 4 || index.Manifests[0].Digest != arm.Digest || index.Manifests[2].Annotations[compressionNote+"zstd"] != "true" || index.Manifests[2].Platform.Architecture != "arm64" {
		t.Errorf("list with zstd: %s, %v", first.Manifest.Bytes, err)
	}
	if again := w.mustCopy("docker://REG/z/img:2", "docker://REG/z/img:1", zstd); len(again.Manifest.Bytes) != len(first.Manifest.Bytes) {
		t.Errorf("again: %s", again.Manifest.Bytes)
	}
}

func TestMountInsteadOfUpload(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 2, "amd64")
	w.mustCopy("docker://REG/a/img:1", "oci:DIR/src")
	var asked []string
	w.answer(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && r.URL.Query().Get("from") == "a/img" {
			w.mu.Lock()
			asked = append(asked, r.URL.Query().Get("mount"))
			w.mu.Unlock()
		}
		return false
	})
	w.mustCopy("docker://REG/b/img:1", "docker://REG/a/img:1")
	if len(asked) != 3 {
		t.Errorf("mounts asked for: %v", asked)
	}
}

func TestBadBlobsAreRefused(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 2, "amd64")
	w.mustCopy("docker://REG/a/img:1", "oci:DIR/src")
	for name, answer := range map[string]func(w http.ResponseWriter){
		"other content": func(w http.ResponseWriter) { w.Write([]byte("other")) },
		"endless":       func(w http.ResponseWriter) { w.Write(make([]byte, 1<<20)) },
		"missing":       func(w http.ResponseWriter) { w.WriteHeader(404) },
	} {
		w.answer(func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
				return false
			}
			answer(rw)
			return true
		})
		for _, dst := range []string{"dir:DIR/out", "oci:DIR/out", "oci-archive:DIR/out"} {
			if _, err := w.copy(dst, "docker://REG/a/img:1"); err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s to %s: %v", name, dst, err)
			}
			if _, err := os.Stat(filepath.Join(w.dir, "out")); !os.IsNotExist(err) {
				t.Errorf("%s to %s: something was left", name, dst)
			}
		}
	}
}

// lateDelete is a layout out of which another image goes just before one is
// entered.
type lateDelete struct {
	transport.Destination
	remove func()
	once   sync.Once
}

func (d *lateDelete) Commit(ctx context.Context) error {
	d.once.Do(d.remove)
	return d.Destination.Commit(ctx)
}

// An image whose blobs go with another one while it is copied has them in the end.
func TestBlobsRemovedDuringTheCopy(t *testing.T) {
	w := newWorld(t)
	w.layout("one", 2, "amd64")
	w.layout("two", 2, "arm64")
	w.mustCopy("oci:DIR/o:one", "oci:DIR/one")
	o := w.options()
	to, err := transport.OpenDestination(context.Background(), w.place("oci:DIR/o:two"), o.Destination)
	if err != nil {
		t.Fatal(err)
	}
	late := &lateDelete{Destination: to, remove: func() {
		if err := transport.DeleteLayout(w.place("oci:DIR/o:one"), o.Source); err != nil {
			t.Error(err)
		}
	}}
	if _, err := CopyTo(context.Background(), late, w.place("oci:DIR/two"), o); err != nil {
		t.Fatal(err)
	}
	w.mustCopy("dir:DIR/d", "oci:DIR/o:two")
}

func TestFailedCopyKeepsWhatAnotherMade(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 2, "amd64")
	w.mustCopy("docker://REG/a/img:1", "oci:DIR/src")
	w.answer(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		if _, err := os.Stat(filepath.Join(w.dir, "o/index.json")); err != nil {
			w.mustCopy("oci:DIR/o:mine", "oci:DIR/src")
		}
		http.NotFound(rw, r)
		return true
	})
	if _, err := w.copy("oci:DIR/o:its", "docker://REG/a/img:1", func(o *Options) { o.Parallel = 1 }); err == nil {
		t.Error("the copy succeeded")
	}
	w.mustCopy("dir:DIR/d", "oci:DIR/o:mine")
}

// Zeros take no room on the disk, whatever they are written to.
func TestZerosTakeNoRoom(t *testing.T) {
	w := newWorld(t)
	const size = 64 << 20
	f, err := os.Create(filepath.Join(w.dir, "zeros.tar"))
	if err == nil {
		tw := tar.NewWriter(f)
		tw.WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: size, Typeflag: tar.TypeReg})
		tw.Write(make([]byte, size))
		err = errors.Join(tw.Close(), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.mustCopy("oci:DIR/src", "tarball:DIR/zeros.tar", func(o *Options) { o.ForceCompress = true })
	os.Remove(filepath.Join(w.dir, "zeros.tar"))
	for _, place := range []string{"dir:DIR/d", "oci:DIR/o", "oci-archive:DIR/oa.tar", "docker-archive:DIR/da.tar"} {
		w.mustCopy(place, "oci:DIR/src", func(o *Options) { o.Decompress = true })
		w.mustCopy("dir:DIR/back", place)
	}
	out, err := exec.Command("du", "-sk", w.dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	var kb int
	if fmt.Sscan(string(out), &kb); kb > size>>10 {
		t.Errorf("it takes %d KB", kb)
	}
}

func TestDirectoryOfOtherThingsIsKept(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 1, "amd64")
	os.Mkdir(filepath.Join(w.dir, "mine"), 0o755)
	precious := filepath.Join(w.dir, "mine/precious")
	os.WriteFile(precious, []byte("x"), 0o600)
	if _, err := w.copy("dir:DIR/mine", "oci:DIR/src"); !errors.Is(err, errdef.ErrConflict) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestPolicy(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 1, "amd64")
	policy, err := trust.Parse([]byte(`{"default":[{"type":"reject"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	reject := func(o *Options) { o.Policy = policy }
	if _, err := w.copy("dir:DIR/o", "oci:DIR/src", reject); !errors.Is(err, errdef.ErrDenied) {
		t.Errorf("error %v", err)
	}
}

func TestMirrorIsUsed(t *testing.T) {
	w := newWorld(t)
	want := w.layout("src", 1, "amd64").Digest.String()
	w.mustCopy("docker://REG/m/x/img:1", "oci:DIR/src")
	if got := w.mustCopy("dir:DIR/o", "docker://mirrored.test/x/img:1").Digest().String(); got != want {
		t.Errorf("digest %s", got)
	}
	_, err := w.copy("dir:DIR/o2", "docker://mirrored.test/x/none:1")
	if err == nil || !strings.Contains(err.Error(), "mirrors also failed") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
}

func (w *world) store() *store.Store {
	w.t.Helper()
	if os.Getuid() != 0 {
		w.t.Skip("needs root")
	}
	st, err := store.Open(store.Options{GraphRoot: filepath.Join(w.dir, "graph"), RunRoot: filepath.Join(w.dir, "run"), Driver: "overlay",
		DriverOptions: []string{"overlay.skip_mount_home=true"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { st.Close() })
	return st
}

func TestPullResolvePush(t *testing.T) {
	w := newWorld(t)
	st := w.store()
	ctx := context.Background()
	src := w.layout("src", 3, "amd64")
	w.mustCopy("docker://REG/a/img:latest", "oci:DIR/src")

	id, err := Pull(ctx, st, w.cfg, "shorty", PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	full := w.host + "/a/img:latest"
	for _, name := range []string{"shorty", full, w.host + "/a/img", id, id[:12], "sha256:" + id, "a/img", w.host + "/a/img@" + src.Digest.String()} {
		if img, err := ResolveLocal(st, w.cfg, name); err != nil || img.ID != id {
			t.Errorf("resolve %q: %v, %v", name, img.ID, err)
		}
	}
	for _, name := range []string{"nosuch", "img:other", "ffffff", w.host + "/b/img"} {
		if _, err := ResolveLocal(st, w.cfg, name); !errors.Is(err, errdef.ErrNotFound) || err.Error() != name+": image not known" {
			t.Errorf("resolve %q: %v", name, err)
		}
	}

	// What came from the registry goes back to it without being sent.
	before := w.uploads
	if _, err := Push(ctx, st, w.cfg, "shorty", w.host+"/a/img:again", PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if w.uploads != before {
		t.Errorf("%d uploads", w.uploads-before)
	}
	// So do its layers in another image.
	w.mustCopy("dir:DIR/plain", "oci:DIR/src", func(o *Options) { o.Decompress = true })
	res := w.mustCopy("docker://REG/a/other:1", "dir:DIR/plain")
	if m, err := transport.ParseImage(res.Manifest.Bytes); err != nil || m.Layers[0].Digest.Hex != digest.FromBytes(zipped(layerTar(0))).Encoded() || w.uploads != before {
		t.Errorf("%d uploads of layers that were pulled, %v: %s", w.uploads-before, err, res.Manifest.Bytes)
	}
	// To a place that has nothing, it is compressed once and then remembered.
	other := newWorld(t)
	push := PushOptions{Registry: registry.Options{TLSVerify: new(bool)}}
	first, err := Push(ctx, st, w.cfg, id, other.host+"/new/img:1", push)
	if err != nil {
		t.Fatal(err)
	}
	sent := other.uploads
	again, err := Push(ctx, st, w.cfg, id, other.host+"/new/img:2", push)
	if err != nil {
		t.Fatal(err)
	}
	if sent == 0 || other.uploads != sent || first.Digest() != again.Digest() {
		t.Errorf("uploads: %d, then %d; digests %s and %s", sent, other.uploads, first.Digest(), again.Digest())
	}
	if err := st.AddImageNames(id, "localhost/named:1"); err != nil {
		t.Fatal(err)
	}
	back, err := Pull(ctx, st, w.cfg, other.host+"/new/img:1", PullOptions{Registry: push.Registry})
	if err != nil || back != id {
		t.Errorf("pulled back: %s, %v", back, err)
	}
}

func TestPullPolicies(t *testing.T) {
	w := newWorld(t)
	st := w.store()
	ctx := context.Background()
	w.layout("src", 1, "amd64")
	w.mustCopy("docker://REG/a/img:latest", "oci:DIR/src")
	name := w.host + "/a/img"
	if _, err := Pull(ctx, st, w.cfg, name, PullOptions{Policy: PullNever}); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("never: %v", err)
	}
	id, err := Pull(ctx, st, w.cfg, name, PullOptions{Policy: PullMissing})
	if err != nil {
		t.Fatal(err)
	}
	var requests int
	w.answer(func(http.ResponseWriter, *http.Request) bool {
		w.mu.Lock()
		requests++
		w.mu.Unlock()
		return false
	})
	for _, p := range []string{PullMissing, PullNever} {
		if got, err := Pull(ctx, st, w.cfg, name, PullOptions{Policy: p}); err != nil || got != id || requests != 0 {
			t.Errorf("%s: %s, %v, %d requests", p, got, err, requests)
		}
	}
	if got, err := Pull(ctx, st, w.cfg, name, PullOptions{Policy: PullNewer}); err != nil || got != id || requests == 0 {
		t.Errorf("newer: %s, %v", got, err)
	}
	if _, err := Pull(ctx, st, w.cfg, name, PullOptions{Policy: "sometimes"}); !errors.Is(err, errdef.ErrInvalid) {
		t.Errorf("unknown policy: %v", err)
	}
	if _, err := Pull(ctx, st, w.cfg, "unknownshort", PullOptions{}); err == nil || !strings.Contains(err.Error(), "did not resolve to an alias") {
		t.Errorf("short name: %v", err)
	}
}

func TestFailedPullLeavesNothing(t *testing.T) {
	w := newWorld(t)
	st := w.store()
	w.layout("src", 3, "amd64")
	w.mustCopy("docker://REG/a/img:1", "oci:DIR/src")
	w.answer(func(rw http.ResponseWriter, r *http.Request) bool {
		bad := false
		if r.Method == http.MethodGet {
			bad = strings.Contains(r.URL.Path, digest.FromBytes(zipped(layerTar(2))).String())
		}
		if bad {
			rw.Write([]byte("not the layer"))
		}
		return bad
	})
	if _, err := Pull(context.Background(), st, w.cfg, w.host+"/a/img:1", PullOptions{}); err == nil {
		t.Fatal("no error")
	}
	images, err := st.Images()
	if err != nil || len(images) != 0 {
		t.Errorf("images %v, %v", images, err)
	}
	if _, ok := st.FindLayer("", digest.FromBytes(layerTar(0))); ok {
		t.Error("a layer was left")
	}
}
