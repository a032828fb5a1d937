package fscopy

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
)

// write makes the files: a name that ends with "/" is a directory, a content
// that begins with "->" a symbolic link.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "->"); ok {
			err = os.Symlink(target, file)
		} else if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(file, 0o755)
		} else {
			err = os.WriteFile(file, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func openTree(t *testing.T, files map[string]string, patterns ...string) *Tree {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	ignore, err := NewIgnore("ignore", patterns)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := OpenTree(dir, ignore)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

// me is the owner of what an unprivileged test can make.
func me() *Owner { return &Owner{os.Geteuid(), os.Getegid()} }

func copyTo(t *testing.T, tree *Tree, root string, o Options, patterns ...string) error {
	t.Helper()
	sources, err := tree.List(patterns)
	if err != nil {
		return err
	}
	o.Chown, o.DirOwner = me(), *me()
	return tree.Copy(context.Background(), root, sources, o)
}

func content(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCopyStaysInRoot(t *testing.T) {
	outside := t.TempDir()
	root := filepath.Join(outside, "root")
	write(t, root, map[string]string{"out": "->" + outside, "up": "->../../../../../../" + outside, "in": "->/real", "real/": ""})
	tree := openTree(t, map[string]string{"f": "text", "d/out/x": "text"})
	for _, dest := range []string{"/in/f", "/in/../../f2", "/../../f3"} {
		if err := copyTo(t, tree, root, Options{Dest: dest}, "f"); err != nil {
			t.Errorf("copy to %s: %v", dest, err)
		}
	}
	if content(t, filepath.Join(root, "real/f")) != "text" {
		t.Error("a link to a directory of the root is not followed")
	}
	for _, dest := range []string{"/out/f", "/up/f"} { // leads to a place that is not in the root
		_ = copyTo(t, tree, root, Options{Dest: dest}, "f")
	}
	if err := copyTo(t, tree, root, Options{Dest: "/"}, "d"); err != nil { // a directory takes the place of the link
		t.Error(err)
	}
	if content(t, filepath.Join(root, "out/x")) != "text" {
		t.Error("the link is not replaced")
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 {
		t.Errorf("outside of the root: %v, %v", entries, err)
	}
}

func TestListStaysInTree(t *testing.T) {
	tree := openTree(t, map[string]string{
		"abs": "->/etc/hostname", "up": "->../../../../../../../etc/hostname", "dir": "->/d", "d/f": "inside", "link": "->/d/f",
	})
	for _, name := range []string{"abs", "up", "../x", "/../../etc/passwd", "nosuch", "nosuch*"} {
		if sources, err := tree.List([]string{name}); !errors.Is(err, errdef.ErrNotFound) {
			t.Errorf("%s: %v, %v", name, sources, err)
		}
	}
	root := t.TempDir()
	if err := copyTo(t, tree, root, Options{Dest: "/"}, "link", "dir/f"); err != nil {
		t.Fatal(err)
	}
	if content(t, filepath.Join(root, "link")) != "inside" || content(t, filepath.Join(root, "f")) != "inside" {
		t.Error("links inside the tree are not followed")
	}
}

func TestIgnore(t *testing.T) {
	tree := openTree(t, map[string]string{"a/x": "1", "a/y": "2", "b/x": "3", "c": "4"}, "a", "!a/y", "c")
	sources, err := tree.List([]string{"."})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range sources[0].Entries {
		got = append(got, e.Path)
	}
	if want := []string{"", "a", "a/y", "b", "b/x"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := tree.List([]string{"c"}); err == nil || !strings.Contains(err.Error(), "1 filtered out using ignore") {
		t.Errorf("c: %v", err)
	}
}

func TestCopyKeeps(t *testing.T) {
	tree := openTree(t, map[string]string{"d/f": "text", "d/l": "->f"})
	src := filepath.Join(tree.Dir, "d")
	if err := os.Link(filepath.Join(src, "f"), filepath.Join(src, "hard")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(src, "f"), 0o4751); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(1000, 5)
	if err := os.Chtimes(filepath.Join(src, "f"), when, when); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := copyTo(t, tree, root, Options{Dest: "/d", StripSetID: true, NeedDigests: true}, "d"); err != nil {
		t.Fatal(err)
	}
	f, err := os.Stat(filepath.Join(root, "d/f"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Mode() != 0o751 || !f.ModTime().Equal(when) {
		t.Errorf("f: %v %v", f.Mode(), f.ModTime())
	}
	if hard, err := os.Stat(filepath.Join(root, "d/hard")); err != nil || !os.SameFile(f, hard) {
		t.Errorf("the hard link is a file of its own: %v", err)
	}
	if link, err := os.Readlink(filepath.Join(root, "d/l")); err != nil || link != "f" {
		t.Errorf("link: %q, %v", link, err)
	}
}

func TestMemory(t *testing.T) {
	tree := openTree(t, map[string]string{"f": "text"})
	file := filepath.Join(t.TempDir(), "memory")
	digest := func() string {
		t.Helper()
		m := OpenMemory(file)
		sources, err := tree.List([]string{"f"})
		if err == nil {
			err = tree.Hash(context.Background(), sources, m)
		}
		if err == nil {
			err = m.Save()
		}
		if err != nil {
			t.Fatal(err)
		}
		return Digest(sources)
	}
	time.Sleep(60 * time.Millisecond) // a file that has just changed is not remembered
	first := digest()
	m := OpenMemory(file)
	if len(m.known) != 1 {
		t.Fatalf("%d files are remembered", len(m.known))
	}
	rec := m.known["f"]
	rec.digest[0]++
	m.known["f"], m.changed = rec, true
	if err := m.Save(); err != nil {
		t.Fatal(err)
	}
	if digest() == first {
		t.Error("the memory is not used")
	}
	if err := os.WriteFile(filepath.Join(tree.Dir, "f"), []byte("else"), 0o644); err != nil {
		t.Fatal(err)
	}
	if second := digest(); second == first {
		t.Error("a changed file has the digest of the old one")
	}
	if err := os.WriteFile(file, []byte(memoryMagic+"\xff\xff\xff\xff\xff\x7fx"), 0o644); err != nil {
		t.Fatal(err)
	}
	digest() // damage is no error
}

func TestExtractStaysInside(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range []tar.Header{
		{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/../../../../outside"},
		{Name: "link/f", Typeflag: tar.TypeReg, Size: 1, Mode: 0o644},
		{Name: "../up", Typeflag: tar.TypeReg, Size: 1, Mode: 0o644},
		{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o700},
		{Name: "d/f", Typeflag: tar.TypeReg, Size: 1, Mode: 0o600},
		{Name: "d/h", Typeflag: tar.TypeLink, Linkname: "d/f"},
	} {
		h.Uid, h.Gid = me().UID, me().GID
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			_, _ = w.Write([]byte("x"))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	good := archive.String()
	tree := openTree(t, map[string]string{"bad.tar": good, "no.tar": "no archive"})
	outer := t.TempDir()
	root := filepath.Join(outer, "root")
	write(t, root, map[string]string{"in/": ""})
	err := copyTo(t, tree, root, Options{Dest: "/in/", Extract: true}, "bad.tar")
	if err == nil || !strings.Contains(err.Error(), `unpack "link/f"`) { // leads nowhere inside
		t.Errorf("an archive with a link that leads out: %v", err)
	}
	if entries, _ := os.ReadDir(outer); len(entries) != 1 {
		t.Errorf("outside of the root: %v", entries)
	}
	if err := copyTo(t, tree, root, Options{Dest: "/in/", Extract: true}, "no.tar"); err != nil {
		t.Error(err)
	}
	if content(t, filepath.Join(root, "in/no.tar")) != "no archive" {
		t.Error("what is no archive is not copied")
	}
}
