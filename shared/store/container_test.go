package store

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// files makes a tar of regular files with their names in them; a name with a
// slash at its end is a directory.
func files(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, n := range names {
		h := tar.Header{Name: n, Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(n))}
		if strings.HasSuffix(n, "/") {
			h = tar.Header{Name: n, Mode: 0o755, Typeflag: tar.TypeDir}
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			_, _ = io.WriteString(w, n)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// image makes an image of the layers, the lowest first.
func image(t *testing.T, s *Store, name string, layers ...[]byte) Image {
	t.Helper()
	top := ""
	var ids []string
	for _, data := range layers {
		l := mustCommit(t, s, data, top)
		top = l.ID
		ids = append(ids, fmt.Sprintf("%q", l.DiffID))
	}
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","config":{"Labels":{"name":%q}},"rootfs":{"type":"layers","diff_ids":[%s]}}`, name, strings.Join(ids, ","))
	img, err := s.CreateImage(NewImage{Names: []string{name}, Manifest: []byte(`{"schemaVersion":2,"for":"` + name + `"}`), Config: []byte(config), TopLayer: top})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestImages(t *testing.T) {
	s := open(t)
	base := files(t, "a")
	one := image(t, s, "localhost/one:latest", base)
	two := image(t, s, "localhost/two:latest", base, files(t, "b"))
	for _, q := range []string{"localhost/one:latest", one.ID, one.ID[:8], "localhost/one@" + one.Digest.String(), "localhost/one:other@" + one.Digest.String()} {
		if got, err := s.Image(q); err != nil || got.ID != one.ID {
			t.Errorf("Image(%q) is %q, %v", q, got.ID, err)
		}
	}
	for _, q := range []string{"one", "localhost/one", "", "localhost/two@" + one.Digest.String(), "zz"} {
		if got, err := s.Image(q); !errors.Is(err, errdef.ErrNotFound) {
			t.Errorf("Image(%q) is %q, %v", q, got.ID, err)
		}
	}
	if m, err := s.ImageManifest(one.ID); err != nil || !strings.Contains(string(m), "one") {
		t.Errorf("manifest %q, %v", m, err)
	}
	if c, err := s.ImageConfig("localhost/one:latest"); err != nil || !strings.Contains(string(c), "one") {
		t.Errorf("config %q, %v", c, err)
	}
	size, err := s.ImageSize(two.ID)
	if sizes, err2 := s.ImageSizes(); err != nil || err2 != nil || sizes[two.ID] != size || size < 2*1024 {
		t.Errorf("sizes %v and %d, %v, %v", sizes, size, err, err2)
	}
	if err := s.AddImageNames(two.ID, "localhost/one:latest"); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Image("localhost/one:latest"); got.ID != two.ID {
		t.Error("the name didn't move")
	}
	again := image(t, s, "localhost/two:latest", base, files(t, "b"))
	if again.ID != two.ID || !slices.Contains(again.Names, "localhost/one:latest") {
		t.Errorf("made again it is %+v", again)
	}
	removed, err := s.RemoveImage(two.ID)
	if err != nil || len(removed) != 1 || removed[0] != two.TopLayer {
		t.Errorf("removed %v, %v", removed, err)
	}
	if _, err := s.Layer(one.TopLayer); err != nil {
		t.Errorf("the shared layer went: %v", err)
	}
}

func TestContainers(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/x:latest", files(t, "a"))
	c, err := s.CreateContainer(NewContainer{Names: []string{"k1"}, ImageID: img.ID, Metadata: "m", BigData: map[string][]byte{"config": []byte("{}")}})
	if err != nil {
		t.Fatal(err)
	}
	if c.LayerID != containerLayer(c.ID) {
		t.Error("the layer has another ID than the one by which a killed creation is undone")
	}
	var conflict *ConflictError
	if _, err := s.CreateContainer(NewContainer{Names: []string{"k1"}, ImageID: img.ID}); !errors.As(err, &conflict) || conflict.Owner != c.ID || !errors.Is(err, errdef.ErrConflict) {
		t.Errorf("taken name: %v", err)
	}
	if all, err := s.lib.Layers(); err != nil || len(all) != 2 {
		t.Errorf("%d layers, want the image's and the container's (%v)", len(all), err)
	}
	if _, err := s.CreateContainer(NewContainer{ImageID: "nosuch"}); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("unknown image: %v", err)
	}
	var inUse *InUseError
	if _, err := s.RemoveImage(img.ID); !errors.As(err, &inUse) || inUse.Containers[0] != c.ID || !errors.Is(err, errdef.ErrBusy) {
		t.Errorf("image in use: %v", err)
	}
	for _, q := range []string{"k1", c.ID, c.ID[:6]} {
		if got, err := s.Container(q); err != nil || got.ID != c.ID || got.Metadata != "m" || got.ImageID != img.ID {
			t.Errorf("Container(%q) is %+v, %v", q, got, err)
		}
	}
	if _, err := s.Container("k"); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("part of a name: %v", err)
	}
	other, err := s.CreateContainer(NewContainer{Names: []string{"k2"}, TopLayer: img.TopLayer})
	if err != nil || other.ImageID != "" {
		t.Fatalf("on a layer: %+v, %v", other, err)
	}
	if images, err := s.Images(); err != nil || len(images) != 1 {
		t.Errorf("%d images, %v", len(images), err)
	}
	if err := s.RenameContainer(other.ID, "k1"); !errors.As(err, &conflict) || conflict.Owner != c.ID {
		t.Errorf("rename to a taken name: %v", err)
	}
	if err := s.RenameContainer(other.ID, "name3"); err != nil {
		t.Error(err)
	}
	path, err := s.Mount(other.ID)
	if err != nil {
		t.Skip("needs to mount: ", err)
	}
	if data, err := os.ReadFile(path + "/a"); err != nil || string(data) != "a" {
		t.Errorf("in the container: %q, %v", data, err)
	}
	for range 2 {
		if err := s.Unmount(other.ID, true); err != nil {
			t.Error(err)
		}
	}
	if err := s.RemoveContainer("name3"); err != nil {
		t.Error(err)
	}
	if _, err := s.Container("name3"); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}

// change changes a container in every way a layer can tell of.
func change(t *testing.T, root string) {
	t.Helper()
	for _, err := range []error{
		os.WriteFile(root+"/new", []byte("new"), 0o600),
		os.Chown(root+"/new", 5, 6),
		os.Remove(root + "/gone"),
		os.RemoveAll(root + "/dir"),
		os.MkdirAll(root+"/dir/sub", 0o755),
		os.WriteFile(root+"/dir/sub/f", bytes.Repeat([]byte("x"), 1<<20), 0o644),
		os.WriteFile(root+"/changed", []byte("other"), 0o644),
		os.Link(root+"/new", root+"/linked"),
		os.Symlink("/new", root+"/sym"),
		unix.Setxattr(root+"/new", "user.k", []byte("v"), 0),
		unix.Mkfifo(root+"/fifo", 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestVolatileContainers(t *testing.T) {
	needRoot(t)
	for synced, want := range map[bool]bool{false: true, true: false} {
		dir := t.TempDir()
		s, err := Open(Options{GraphRoot: dir + "/graph", RunRoot: dir + "/run", AlwaysSynced: synced})
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.CreateContainer(NewContainer{ImageID: image(t, s, "localhost/a", files(t, "f")).ID, Volatile: true})
		if err != nil {
			t.Fatal(err)
		}
		root, err := s.Mount(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		_, line, found := strings.Cut(string(mounts), " "+root+" ")
		line, _, _ = strings.Cut(line, "\n")
		if got := strings.Contains(line, "volatile"); !found || got != want {
			t.Errorf("always synced %t: %q", synced, line)
		}
		if err := s.Unmount(c.ID, true); err != nil {
			t.Error(err)
		}
		if _, err := s.lib.Shutdown(true); err != nil {
			t.Error(err)
		}
	}
}

func TestCommitChanges(t *testing.T) {
	for _, consume := range []bool{false, true} {
		t.Run(fmt.Sprintf("consume %v", consume), func(t *testing.T) {
			s := open(t)
			img := image(t, s, "localhost/x:latest", files(t, "gone", "kept", "changed", "dir/", "dir/old"))
			c, err := s.CreateContainer(NewContainer{ImageID: img.ID})
			if err != nil {
				t.Fatal(err)
			}
			root, err := s.Mount(c.ID)
			if err != nil {
				t.Skip("needs to mount: ", err)
			}
			change(t, root)
			var before unix.Stat_t
			inUpper := filepath.Join(s.GraphRoot(), "overlay", c.LayerID, "diff/dir/sub/f")
			if err := unix.Stat(inUpper, &before); err != nil {
				t.Fatal(err)
			}
			if consume {
				if _, err := s.CommitChanges(c.ID, true); !errors.Is(err, errdef.ErrBusy) {
					t.Errorf("mounted: %v", err)
				}
			}
			if err := s.Unmount(c.ID, false); err != nil {
				t.Fatal(err)
			}
			staged, err := s.CommitChanges(c.ID, consume)
			if err != nil {
				t.Fatal(err)
			}
			l, err := staged.Commit(img.TopLayer)
			if err != nil {
				t.Fatal(err)
			}
			var after unix.Stat_t
			if err := unix.Stat(filepath.Join(s.GraphRoot(), "overlay", l.ID, "diff/dir/sub/f"), &after); err != nil {
				t.Fatal(err)
			}
			if (before.Ino == after.Ino) != consume {
				t.Errorf("inode %d became %d", before.Ino, after.Ino)
			}
			checkTar(t, s, l)
			next, err := s.CreateContainer(NewContainer{TopLayer: l.ID})
			if err != nil {
				t.Fatal(err)
			}
			checkChanged(t, s, next.ID)
			if err := s.RemoveContainer(c.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

// checkTar checks the layer's tar: its digest, and how it tells of removals.
func checkTar(t *testing.T, s *Store, l Layer) {
	t.Helper()
	rc, err := s.OpenLayer(l.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	data, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.DiffID.Algorithm().FromBytes(data); got != l.DiffID {
		t.Errorf("the tar's digest is %s, the layer's diff ID %s", got, l.DiffID)
	}
	names := map[string]byte{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		names[h.Name] = h.Typeflag
	}
	for _, want := range []string{".wh.gone", "dir/.wh..wh..opq", "new", "linked", "changed"} {
		if _, ok := names[want]; !ok {
			t.Errorf("the tar lacks %q: %v", want, names)
		}
	}
	if _, ok := names["kept"]; ok || names["gone"] != 0 {
		t.Errorf("the tar has what didn't change: %v", names)
	}
}

func checkChanged(t *testing.T, s *Store, container string) {
	t.Helper()
	root, err := s.Mount(container)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Unmount(container, true); err != nil {
			t.Error(err)
		}
	}()
	var names []string
	_ = filepath.WalkDir(root, func(p string, _ os.DirEntry, _ error) error {
		names = append(names, strings.TrimPrefix(p, root))
		return nil
	})
	want := []string{"", "/changed", "/dir", "/dir/sub", "/dir/sub/f", "/fifo", "/kept", "/linked", "/new", "/sym"}
	if !slices.Equal(names, want) {
		t.Errorf("the container has %q, want %q", names, want)
	}
	var st unix.Stat_t
	v := make([]byte, 8)
	n, err := unix.Getxattr(root+"/linked", "user.k", v)
	if unix.Stat(root+"/linked", &st) != nil || st.Uid != 5 || st.Gid != 6 || err != nil || string(v[:n]) != "v" {
		t.Errorf("linked: %+v, %q, %v", st, v[:max(n, 0)], err)
	}
}
