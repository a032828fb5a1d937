package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// tarOf makes a tar; regular files contain "evil".
func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.Mode |= 0o755
		h.Uid, h.Gid = os.Geteuid(), os.Getegid()
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, 4
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			_, _ = io.WriteString(w, "evil")
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// victim makes a directory with a root for a layer in it and things beside the
// root that a layer would like to change.
func victim(t testing.TB) (root *os.File, outside string) {
	t.Helper()
	outside = t.TempDir()
	for _, d := range []string{"root", "dir"} {
		if err := os.Mkdir(filepath.Join(outside, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"secret", "dir/secret"} {
		if err := os.WriteFile(filepath.Join(outside, f), []byte("good"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.Open(filepath.Join(outside, "root"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root, outside
}

// untouched checks that all outside the root is as victim made it.
func untouched(t testing.TB, outside string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(outside, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == "root" {
			return fs.SkipDir
		}
		n++
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		want := uint32(unix.S_IFDIR | 0o700)
		if d.Name() == "secret" {
			want = unix.S_IFREG | 0o600
			if data, err := os.ReadFile(p); err != nil || string(data) != "good" || st.Nlink != 1 {
				t.Errorf("%s: %q, %d links, %v", p, data, st.Nlink, err)
			}
		}
		if p != outside && st.Mode != want {
			t.Errorf("%s has mode %o", p, st.Mode)
		}
		if size, err := unix.Llistxattr(p, nil); err != nil || size > 0 {
			t.Errorf("%s has attributes (%v)", p, err)
		}
		return nil
	})
	if err != nil || n != 4 {
		t.Errorf("%d entries outside, want 4 (%v)", n, err)
	}
}

func options() Options {
	o := Options{TarSplit: io.Discard, InUserNS: os.Geteuid() != 0, IgnoreChownErrors: os.Geteuid() != 0}
	o.OverlayXattr = "user.overlay."
	return o
}

func TestHostileLayers(t *testing.T) {
	sym, hard, dir := byte(tar.TypeSymlink), byte(tar.TypeLink), byte(tar.TypeDir)
	for name, c := range map[string]struct {
		entries func(outside string) []tar.Header
		refused bool
		inside  string // a file that is to be in the root instead
	}{
		"dot dot": {refused: true, entries: func(string) []tar.Header {
			return []tar.Header{{Name: "../secret"}}
		}},
		"dot dot after a directory": {refused: true, entries: func(string) []tar.Header {
			return []tar.Header{{Name: "a/", Typeflag: dir}, {Name: "a/../../secret"}}
		}},
		"only dot dot": {refused: true, entries: func(string) []tar.Header {
			return []tar.Header{{Name: "..", Typeflag: dir}}
		}},
		"absolute": {inside: "dir/secret", entries: func(string) []tar.Header {
			return []tar.Header{{Name: "/../dir/secret"}}
		}},
		"write through an absolute symlink": {inside: "$out/secret", entries: func(out string) []tar.Header {
			return []tar.Header{{Name: "l", Typeflag: sym, Linkname: out}, {Name: "l/secret"}}
		}},
		"write through a relative symlink": {inside: "dir/secret", entries: func(string) []tar.Header {
			return []tar.Header{{Name: "l", Typeflag: sym, Linkname: "../dir"}, {Name: "l/secret"}}
		}},
		"write through a chain of symlinks": {inside: "secret", entries: func(string) []tar.Header {
			return []tar.Header{
				{Name: "a", Typeflag: sym, Linkname: "."}, {Name: "b", Typeflag: sym, Linkname: "a/.."},
				{Name: "c", Typeflag: sym, Linkname: "b/.."}, {Name: "c/secret"},
			}
		}},
		"write to a symlink itself": {inside: "l", entries: func(out string) []tar.Header {
			return []tar.Header{{Name: "d/..", Typeflag: dir}, {Name: "k", Typeflag: sym, Linkname: "."}, {Name: "l", Typeflag: sym, Linkname: out + "/secret"}, {Name: "k/l"}}
		}},
		"directory over a symlink": {entries: func(out string) []tar.Header {
			return []tar.Header{
				{Name: "k", Typeflag: sym, Linkname: "."}, {Name: "l", Typeflag: sym, Linkname: out + "/dir"},
				{Name: "k/l", Typeflag: dir, Mode: 0o777},
			}
		}},
		"directory that becomes a symlink": {entries: func(out string) []tar.Header {
			return []tar.Header{
				{Name: "k", Typeflag: sym, Linkname: "."}, {Name: "l", Typeflag: dir, Mode: 0o777},
				{Name: "k/l", Typeflag: sym, Linkname: out + "/dir"},
			}
		}},
		"hard link out": {refused: true, entries: func(string) []tar.Header {
			return []tar.Header{{Name: "l", Typeflag: hard, Linkname: "../secret"}}
		}},
		"hard link out by an absolute path": {refused: true, entries: func(out string) []tar.Header {
			return []tar.Header{{Name: "l", Typeflag: hard, Linkname: out + "/secret"}}
		}},
		"hard link through a symlink": {refused: true, entries: func(out string) []tar.Header {
			return []tar.Header{{Name: "d", Typeflag: sym, Linkname: out}, {Name: "l", Typeflag: hard, Linkname: "d/secret"}}
		}},
		"hard link to a symlink": {entries: func(out string) []tar.Header {
			return []tar.Header{
				{Name: "s", Typeflag: sym, Linkname: out + "/secret"},
				{Name: "l", Typeflag: hard, Linkname: "s", Mode: 0o777},
			}
		}},
		"hard link to the root": {refused: true, entries: func(string) []tar.Header {
			return []tar.Header{{Name: "l", Typeflag: hard, Linkname: "/"}}
		}},
		"symlink as the root": {refused: true, entries: func(out string) []tar.Header {
			return []tar.Header{{Name: ".", Typeflag: sym, Linkname: out}}
		}},
		"root replaced through a symlink": {refused: true, entries: func(out string) []tar.Header {
			return []tar.Header{{Name: "a/", Typeflag: dir}, {Name: "a/..", Typeflag: sym, Linkname: out}}
		}},
		"whiteout of dot dot": {refused: true, entries: func(string) []tar.Header {
			return []tar.Header{{Name: "a/.wh..."}, {Name: "a/.wh..", Linkname: ""}}
		}},
		"whiteout of nothing": {refused: true, entries: func(string) []tar.Header {
			return []tar.Header{{Name: ".wh."}}
		}},
		"opaque through a symlink": {entries: func(out string) []tar.Header {
			return []tar.Header{{Name: "l", Typeflag: sym, Linkname: out + "/dir"}, {Name: "l/.wh..wh..opq"}}
		}},
		"overlay attributes": {inside: "f", entries: func(string) []tar.Header {
			return []tar.Header{{Name: "f", PAXRecords: map[string]string{
				"SCHILY.xattr.user.overlay.redirect": "/etc", "SCHILY.xattr.trusted.overlay.redirect": "/etc",
			}}}
		}},
		"same path twice": {refused: true, entries: func(string) []tar.Header {
			return []tar.Header{{Name: "a"}, {Name: "./a"}}
		}},
		"loop of symlinks": {refused: true, entries: func(string) []tar.Header {
			return []tar.Header{{Name: "a", Typeflag: sym, Linkname: "b"}, {Name: "b", Typeflag: sym, Linkname: "a"}, {Name: "a/x"}}
		}},
	} {
		for _, openat2 := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				root, outside := victim(t)
				data := tarOf(t, c.entries(outside)...)
				err := layer(root, data, !openat2)
				untouched(t, outside)
				if c.refused != (err != nil) {
					t.Errorf("got %v", err)
				}
				if c.inside != "" {
					in := filepath.Join(root.Name(), os.Expand(c.inside, func(string) string { return outside }))
					got, err := os.ReadFile(in)
					if err != nil || string(got) != "evil" {
						t.Errorf("%q in the root is %q, %v", c.inside, got, err)
					}
					if n, _ := unix.Lgetxattr(in, "user.overlay.redirect", nil); n > 0 {
						t.Error("it has overlay attributes")
					}
				}
			})
		}
	}
}

// layer unpacks data, with or without openat2.
func layer(root *os.File, data []byte, noOpenat2 bool) error {
	u := newUnpacker(root, bytes.NewReader(data), options())
	defer u.dirs.forget()
	u.dirs.noOpenat2 = noOpenat2
	_, err := u.layer(context.Background(), bytes.NewReader(nil))
	return err
}

func TestClassOfHostileLayer(t *testing.T) {
	root, _ := victim(t)
	if err := layer(root, tarOf(t, tar.Header{Name: "../x"}), false); !errors.Is(err, errdef.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func FuzzLayer(f *testing.F) {
	sym, hard, dir := byte(tar.TypeSymlink), byte(tar.TypeLink), byte(tar.TypeDir)
	f.Add(tarOf(f, tar.Header{Name: "a/", Typeflag: dir}, tar.Header{Name: "a/b"}, tar.Header{Name: "a/.wh.c"}))
	f.Add(tarOf(f, tar.Header{Name: "l", Typeflag: sym, Linkname: "../dir"}, tar.Header{Name: "l/secret"}))
	f.Add(tarOf(f, tar.Header{Name: "l", Typeflag: sym, Linkname: ".."}, tar.Header{Name: "h", Typeflag: hard, Linkname: "l/secret"}))
	f.Add(tarOf(f, tar.Header{Name: "d/.wh..wh..opq"}, tar.Header{Name: "p", Typeflag: tar.TypeFifo}))
	f.Fuzz(func(t *testing.T, data []byte) {
		root, outside := victim(t)
		// What a fuzzer declares can be larger than the disk is.
		_, _ = Layer(context.Background(), root, io.LimitReader(bytes.NewReader(data), 1<<20), options())
		untouched(t, outside)
	})
}

// A sparse file's size is a few digits, and all of it would be written.
func TestHugeSparseFile(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	content := make([]byte, 512) // the list of what is no hole: nothing
	copy(content, "0\n")
	// The library writes no such records, so they get their names afterwards.
	records := map[string]string{"GNX.sparse.major": "1", "GNX.sparse.minor": "0", "GNX.sparse.name": "huge", "GNX.sparse.realsize": strconv.Itoa(maxSparse + 1)}
	if err := w.WriteHeader(&tar.Header{Name: "huge", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content)), PAXRecords: records}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	root, _ := victim(t)
	layer := bytes.ReplaceAll(b.Bytes(), []byte("GNX."), []byte("GNU."))
	if _, err := Layer(context.Background(), root, bytes.NewReader(layer), options()); err == nil || !strings.Contains(err.Error(), "the sparse file") {
		t.Errorf("got %v", err)
	}
}
