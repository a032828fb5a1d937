package imgcopy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

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
			r, _, err = tars.LayerTar(i)
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
