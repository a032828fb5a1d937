package imgcopy

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/transport"
)

// everyTransport lists a place of each kind that can be written to and read
// from, and which is not there yet.
func (w *world) everyTransport() map[string]string {
	places := map[string]string{
		"docker":         "docker://REG/c/img:1",
		"dir":            "dir:DIR/c.dir",
		"oci":            "oci:DIR/c.oci:name",
		"oci-archive":    "oci-archive:DIR/c.oci.tar:name",
		"docker-archive": "docker-archive:DIR/c.docker.tar:some/name:1",
		"docker-daemon":  "docker-daemon:some/name:1",
	}
	if os.Geteuid() == 0 {
		places["containers-storage"] = "containers-storage:[overlay@DIR/c.graph+DIR/c.run:overlay.skip_mount_home=true]some/name:1"
	}
	return places
}

// content is what must not change on the way: the configuration, and the
// layers in their order, uncompressed.
func (w *world) content(place string) (string, []digest.Digest) {
	w.t.Helper()
	ctx := context.Background()
	src, err := transport.OpenSource(ctx, w.place(place), w.options().Source)
	if err != nil {
		w.t.Fatal(err)
	}
	defer src.Close()
	m, err := src.Manifest(ctx, "")
	if err != nil {
		w.t.Fatal(err)
	}
	parsed, err := transport.ParseImage(m.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	conf, err := ReadConfig(ctx, src, parsed.Config)
	if err != nil {
		w.t.Fatal(err)
	}
	var ids []digest.Digest
	for i, l := range parsed.Layers {
		var r io.ReadCloser
		if tars, ok := src.(transport.LayerSource); ok {
			r, _, _, err = tars.LayerTar(i)
		} else if r, _, err = src.Blob(ctx, transport.Digest(l)); err == nil {
			r, err = decompress(r)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		id, err := digest.FromReader(r)
		r.Close()
		if err != nil {
			w.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return string(conf), ids
}

// fakeDaemon takes and gives one archive, as a Docker daemon does.
func (w *world) fakeDaemon() {
	w.t.Helper()
	l, err := net.Listen("unix", filepath.Join(w.dir, "docker.sock"))
	if err != nil {
		w.t.Fatal(err)
	}
	var mu sync.Mutex
	var archive []byte
	s := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/images/load":
			archive, _ = io.ReadAll(r.Body)
			io.WriteString(rw, "{\"stream\":\"Loaded image\"}\n")
		case archive != nil && r.Method == http.MethodGet && r.URL.EscapedPath() == "/images/"+url.PathEscape("some/name:1")+"/get":
			rw.Write(archive)
		default:
			rw.WriteHeader(http.StatusNotFound)
			io.WriteString(rw, `{"message":"reference does not exist"}`)
		}
	})}
	go s.Serve(l) //nolint:errcheck // ends with Close
	w.t.Cleanup(func() { s.Close() })
	w.daemon = "unix://" + l.Addr().String()
}

func TestContractOfTransports(t *testing.T) {
	names := (&world{}).everyTransport()
	for name := range names {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fakeDaemon()
			place := w.everyTransport()[name]
			w.layout("src", 3, "amd64")
			conf, ids := w.content("oci:DIR/src")

			_, err := w.copy("oci:DIR/none", place)
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("reading what is not there: %v", err)
			}

			// A copy that ends early leaves nothing that looks like an image.
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := Copy(ctx, w.place(place), w.place("oci:DIR/src"), w.options()); err == nil {
				t.Error("a cancelled copy gave no error")
			}
			w.breakLayer("src", 1, func() {
				if _, err := w.copy(place, "oci:DIR/src"); name != "docker" && !errors.Is(err, errdef.ErrInvalid) || err == nil {
					t.Errorf("copying a broken layer: %v", err)
				}
			})
			if _, err := w.copy("oci:DIR/none", place); err == nil {
				t.Error("what failed copies left is an image")
			}

			// What goes in comes out, also after a second copy to the same place.
			for range 2 {
				w.mustCopy(place, "oci:DIR/src")
				if name == "docker-archive" {
					break // it can't be written to again
				}
			}
			gotConf, gotIDs := w.content(place)
			if gotConf != conf {
				t.Errorf("configuration %s, want %s", gotConf, conf)
			}
			if len(gotIDs) != len(ids) {
				t.Fatalf("%d layers, want %d", len(gotIDs), len(ids))
			}
			for i := range ids {
				if gotIDs[i] != ids[i] {
					t.Errorf("layer %d is %s, want %s", i, gotIDs[i], ids[i])
				}
			}
			w.mustCopy("oci:DIR/back", place)
			if _, back := w.content("oci:DIR/back"); len(back) != len(ids) || back[1] != ids[1] {
				t.Errorf("copied on: layers %v, want %v", back, ids)
			}
		})
	}
}

// breakLayer has a layer of a layout with other content of the same size.
func (w *world) breakLayer(layout string, seed uint64, during func()) {
	w.t.Helper()
	path := filepath.Join(w.dir, layout, "blobs/sha256", digest.FromBytes(zipped(layerTar(seed))).Encoded())
	good, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	bad := append([]byte{}, good...)
	bad[len(bad)/2] ^= 1
	if err := os.WriteFile(path, bad, 0o644); err != nil {
		w.t.Fatal(err)
	}
	during()
	if err := os.WriteFile(path, good, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func TestTarballIsTheSameImageEachTime(t *testing.T) {
	w := newWorld(t)
	for name, data := range map[string][]byte{"a.tar": layerTar(1), "b.tar.gz": zipped(layerTar(2))} {
		if err := os.WriteFile(filepath.Join(w.dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	from := "tarball:DIR/a.tar:DIR/b.tar.gz"
	first := w.mustCopy("dir:DIR/d", from)
	if again := w.mustCopy("dir:DIR/e", from); again.Digest() != first.Digest() {
		t.Errorf("digests %s and %s", first.Digest(), again.Digest())
	}
	if _, ids := w.content("dir:DIR/d"); len(ids) != 2 || ids[0] != digest.FromBytes(layerTar(1)) || ids[1] != digest.FromBytes(layerTar(2)) {
		t.Errorf("layers %v", ids)
	}
	if _, err := w.copy("tarball:DIR/new.tar", "dir:DIR/d"); !errors.Is(err, errdef.ErrUnsupported) {
		t.Errorf("writing a tarball: %v", err)
	}
}

// Docker with its newer store saves the layers as it got them.
func TestDockerArchiveOfCompressedLayers(t *testing.T) {
	w := newWorld(t)
	tars := [][]byte{layerTar(0), layerTar(1), layerTar(2)}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, layers := range map[string][][]byte{
		"gzip": {tars[0], zipped(tars[1]), zipped(tars[2])},
		"zstd": {tars[0], zipped(tars[1]), z.EncodeAll(tars[2], nil)},
	} {
		ids := []digest.Digest{}
		for _, l := range tars {
			ids = append(ids, digest.FromBytes(l))
		}
		conf, _ := json.Marshal(map[string]any{"architecture": "amd64", "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": ids}})
		f, err := os.Create(filepath.Join(w.dir, name+".tar"))
		if err != nil {
			t.Fatal(err)
		}
		tw := tar.NewWriter(f)
		add := func(name string, data []byte) {
			tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg})
			tw.Write(data)
		}
		add("conf", conf)
		for i, l := range layers {
			add(fmt.Sprint("layer", i), l)
		}
		add("manifest.json", []byte(`[{"Config":"conf","RepoTags":["x:1"],"Layers":["layer0","layer1","layer2"]}]`))
		tw.Close()
		f.Close()
		for _, dst := range []string{"dir:DIR/d-" + name, "docker://REG/" + name + ":1", "docker-archive:DIR/again-" + name + ".tar:x:1"} {
			made := w.mustCopy(dst, "docker-archive:DIR/"+name+".tar")
			if zstd := bytes.Contains(made.Manifest.Bytes, []byte(types.OCILayerZStd)); zstd != (name == "zstd" && !strings.HasPrefix(dst, "docker-archive")) {
				t.Errorf("%s: %s has the manifest %s", name, dst, made.Manifest.Bytes)
			}
			if _, got := w.content(dst); !slices.Equal(got, ids) {
				t.Errorf("%s: %s has the layers %v, not %v", name, dst, got, ids)
			}
		}
		st := w.store()
		id, err := Pull(context.Background(), st, w.cfg, "docker-archive:"+f.Name(), PullOptions{})
		if err != nil || id != digest.FromBytes(conf).Encoded() {
			t.Errorf("%s: pulled %s, %v", name, id, err)
		}
		st.Close()
	}
}

// An archive goes into a pipe as it comes, not by a file.
func TestArchiveIntoAPipe(t *testing.T) {
	w := newWorld(t)
	w.layout("src", 2, "amd64")
	for _, kind := range []string{"docker-archive", "oci-archive"} {
		pipe := filepath.Join(w.dir, kind)
		if err := unix.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		copied := make(chan error, 1)
		go func() {
			_, err := w.copy(kind+":DIR/"+kind+":x:1", "oci:DIR/src")
			copied <- err
		}()
		in, err := os.Open(pipe)
		if err != nil {
			t.Fatal(err)
		}
		if files, _ := filepath.Glob(filepath.Join(w.dir, ".archive*")); len(files) > 0 {
			t.Errorf("beside the pipe there is %v", files)
		}
		data, err := io.ReadAll(in)
		in.Close()
		if cerr := <-copied; err != nil || cerr != nil {
			t.Fatalf("%s: %v, %v", kind, err, cerr)
		}
		if err := os.WriteFile(filepath.Join(w.dir, "read"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		want, wantIDs := w.content("oci:DIR/src")
		if conf, ids := w.content(kind + ":DIR/read:x:1"); conf != want || !slices.Equal(ids, wantIDs) {
			t.Errorf("%s: %s, layers %v", kind, conf, ids)
		}
	}
}
