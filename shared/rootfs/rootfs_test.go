package rootfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
)

// newRoot makes a root beside a secret that no path in it may reach.
func newRoot(t *testing.T) (root, secret string) {
	t.Helper()
	dir := t.TempDir()
	root, secret = filepath.Join(dir, "root"), filepath.Join(dir, "secret")
	for _, d := range []string{root, root + "/etc", root + "/deep/er"} {
		must(t, os.MkdirAll(d, 0o755))
	}
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	return root, secret
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHostileLinksStayInside(t *testing.T) {
	root, secret := newRoot(t)
	for name, target := range map[string]string{
		"abs": secret, "up": "../secret", "upup": "../../../../../../../../" + secret,
		"viaproc": "/proc/self/root" + secret, "chain": "abs", "dir": filepath.Dir(secret), "updir": "..",
	} {
		must(t, os.Symlink(target, filepath.Join(root, name)))
	}
	for _, name := range []string{"abs", "up", "upup", "viaproc", "chain", "dir/secret", "updir/secret", "../secret", "deep/../../secret", "/../secret"} {
		if data, err := rootfs.ReadFile(root, name, 100); err == nil {
			t.Errorf("ReadFile(%q) = %q, reached the outside", name, data)
		}
		if _, err := rootfs.Stat(root, name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Stat(%q) = %v, want not exist", name, err)
		}
		if p, err := rootfs.ResolvePath(root, name); err == nil && !strings.HasPrefix(p, root+"/") {
			t.Errorf("ResolvePath(%q) = %q, outside", name, p)
		}
	}
	if _, err := rootfs.OpenFile(root, "updir/created", os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "created")); err != nil {
		t.Errorf("the file was not made in the root: %v", err)
	}
}

func TestLinksAreFollowedInside(t *testing.T) {
	root, _ := newRoot(t)
	must(t, os.WriteFile(root+"/deep/file", []byte("inside"), 0o600))
	must(t, os.Symlink("/deep/file", root+"/etc/link"))
	data, err := rootfs.ReadFile(root, "etc/link", 100)
	if err != nil || string(data) != "inside" {
		t.Fatalf("ReadFile = %q, %v", data, err)
	}
	if p, err := rootfs.ResolvePath(root, "/etc/link"); err != nil || p != root+"/deep/file" {
		t.Fatalf("ResolvePath = %q, %v", p, err)
	}
	info, err := rootfs.Lstat(root, "etc/link")
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Fatalf("Lstat = %v, %v", info, err)
	}
}

func TestSpecialFilesAreRefused(t *testing.T) {
	root, _ := newRoot(t)
	must(t, unix.Mkfifo(root+"/etc/passwd", 0o600))
	if _, err := rootfs.Open(root, "etc/passwd"); !errors.Is(err, errdef.ErrInvalid) {
		t.Fatalf("Open of a pipe: %v", err)
	}
	if _, err := rootfs.LookupUser(root, "x"); !errors.Is(err, errdef.ErrInvalid) {
		t.Fatalf("LookupUser: %v", err)
	}
}

func TestReadFileLimit(t *testing.T) {
	root, _ := newRoot(t)
	must(t, os.WriteFile(root+"/f", []byte("12345"), 0o600))
	if _, err := rootfs.ReadFile(root, "f", 4); !errors.Is(err, errdef.ErrInvalid) {
		t.Fatalf("over the limit: %v", err)
	}
	if data, err := rootfs.ReadFile(root, "f", 5); err != nil || string(data) != "12345" {
		t.Fatalf("at the limit: %q, %v", data, err)
	}
}

func TestMkdirAllStaysInside(t *testing.T) {
	root, secret := newRoot(t)
	outside := filepath.Dir(secret)
	must(t, os.Symlink(outside, root+"/out"))
	must(t, os.Symlink("/deep", root+"/in"))
	err := rootfs.MkdirAll(root, "out/made", 0o755, os.Getuid(), os.Getgid())
	if _, serr := os.Stat(filepath.Join(outside, "made")); serr == nil {
		t.Fatal("a directory was made outside the root")
	}
	if err == nil {
		t.Fatal("a link to nowhere was replaced")
	}
	must(t, rootfs.MkdirAll(root, "in/a/b", 0o750, os.Getuid(), os.Getgid()))
	st, err := os.Stat(root + "/deep/a/b")
	if err != nil || st.Mode().Perm() != 0o750 {
		t.Fatalf("made %v, %v", st, err)
	}
	must(t, rootfs.MkdirAll(root, "/../../x/../y", 0o700, os.Getuid(), os.Getgid()))
	if _, err := os.Stat(root + "/y"); err != nil {
		t.Fatal(err)
	}
}

func TestMkdirAllOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	root, _ := newRoot(t)
	must(t, rootfs.MkdirAll(root, "etc/mine/too", os.ModeSticky|0o777, 1234, 5678))
	for _, d := range []string{"/etc/mine", "/etc/mine/too"} {
		var st unix.Stat_t
		must(t, unix.Stat(root+d, &st))
		if st.Uid != 1234 || st.Gid != 5678 || st.Mode&0o7777 != 0o1777 {
			t.Errorf("%s: %d:%d %o", d, st.Uid, st.Gid, st.Mode)
		}
	}
	var st unix.Stat_t
	must(t, unix.Stat(root+"/etc", &st))
	if st.Uid != 0 {
		t.Error("a directory that was there changed hands")
	}
}

// TestRenameRace turns a directory into a link to the outside and back while
// it is read; the secret must never be seen.
func TestRenameRace(t *testing.T) {
	root, secret := newRoot(t)
	must(t, os.Mkdir(root+"/d", 0o755))
	must(t, os.WriteFile(root+"/d/secret", []byte("decoy"), 0o600))
	must(t, os.Symlink(filepath.Dir(secret), root+"/link"))
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			_ = unix.Renameat2(unix.AT_FDCWD, root+"/d", unix.AT_FDCWD, root+"/link", unix.RENAME_EXCHANGE)
		}
	}()
	seen := 0
	for range 20000 {
		data, err := rootfs.ReadFile(root, "d/../d/secret", 100)
		if err == nil && string(data) != "decoy" {
			t.Errorf("read %q", data)
			break
		}
		if err == nil {
			seen++
		}
	}
	stop.Store(true)
	<-done
	if seen == 0 {
		t.Error("nothing was ever read")
	}
}

func TestLookupUser(t *testing.T) {
	root, _ := newRoot(t)
	must(t, os.WriteFile(root+"/etc/passwd", []byte("root:x:0:0:root:/root:/bin/sh\nbroken:x\nweb:x:33:34:w:/srv:/bin/sh\n7:x:70:71::/seven:\n#c:x:1:1::/:\n"), 0o644))
	must(t, os.WriteFile(root+"/etc/group", []byte("root:x:0:\nwww:x:34:\nextra:x:40:other,web\nmore:x:41:web\nbig:x:99999999999:web\n"), 0o644))
	for _, c := range []struct {
		spec string
		want rootfs.User
	}{
		{"", rootfs.User{Name: "root", Home: "/root"}},
		{"web", rootfs.User{Name: "web", UID: 33, GID: 34, Home: "/srv", Groups: []int{40, 41}}},
		{"33", rootfs.User{Name: "web", UID: 33, GID: 34, Home: "/srv", Groups: []int{40, 41}}},
		{"web:more", rootfs.User{Name: "web", UID: 33, GID: 41, Home: "/srv"}},
		{"web:4242", rootfs.User{Name: "web", UID: 33, GID: 4242, Home: "/srv"}},
		{"1000", rootfs.User{UID: 1000, Home: "/"}},
		{"1000:www", rootfs.User{UID: 1000, GID: 34, Home: "/"}},
		{"7", rootfs.User{Name: "7", UID: 70, GID: 71, Home: "/seven"}},
	} {
		got, err := rootfs.LookupUser(root, c.spec)
		if err != nil || got.Name != c.want.Name || got.UID != c.want.UID || got.GID != c.want.GID || got.Home != c.want.Home || !slices.Equal(got.Groups, c.want.Groups) {
			t.Errorf("LookupUser(%q) = %+v, %v; want %+v", c.spec, got, err, c.want)
		}
	}
	for _, spec := range []string{"nobody", "web:nogroup", "-1", "4294967295", "+5", "c", "#c"} {
		if u, err := rootfs.LookupUser(root, spec); !errors.Is(err, errdef.ErrNotFound) {
			t.Errorf("LookupUser(%q) = %+v, %v; want not found", spec, u, err)
		}
	}
}

func TestLookupUserHostileDatabase(t *testing.T) {
	root, secret := newRoot(t)
	must(t, os.WriteFile(secret, []byte("evil:x:0:0::/:\n"), 0o644))
	must(t, os.Symlink(secret, root+"/etc/passwd"))
	if u, err := rootfs.LookupUser(root, "evil"); err == nil {
		t.Fatalf("read the host's file: %+v", u)
	}
}

func TestCopyOut(t *testing.T) {
	root, secret := newRoot(t)
	src := root + "/data"
	must(t, os.MkdirAll(src+"/sub", 0o755))
	must(t, os.WriteFile(src+"/sub/file", []byte("content"), 0o640))
	must(t, os.Link(src+"/sub/file", src+"/again"))
	must(t, os.Symlink(secret, src+"/link"))
	must(t, os.Chmod(src, 0o710))
	must(t, os.Symlink("/data", root+"/alias"))
	dest := t.TempDir()
	must(t, rootfs.CopyOut(root, "alias", dest))
	if data, err := os.ReadFile(dest + "/sub/file"); err != nil || string(data) != "content" {
		t.Fatalf("copied %q, %v", data, err)
	}
	if target, err := os.Readlink(dest + "/link"); err != nil || target != secret {
		t.Fatalf("link %q, %v: want a link, not what it leads to", target, err)
	}
	var a, b unix.Stat_t
	must(t, unix.Stat(dest+"/again", &a))
	must(t, unix.Stat(dest+"/sub/file", &b))
	if a.Ino != b.Ino {
		t.Error("hard links became two files")
	}
	if st, err := os.Stat(dest); err != nil || st.Mode().Perm() != 0o710 {
		t.Errorf("mode of the directory: %v, %v", st.Mode(), err)
	}
	if err := rootfs.CopyOut(root, "nosuch", dest); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing source: %v", err)
	}
}

func TestChownTreeLeavesLinkTargets(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	root, secret := newRoot(t)
	must(t, os.Symlink(secret, root+"/etc/link"))
	r, err := os.OpenRoot(root)
	must(t, err)
	defer r.Close()
	must(t, rootfs.ChownTree(r, 77, 78))
	var st unix.Stat_t
	must(t, unix.Stat(secret, &st))
	if st.Uid == 77 {
		t.Error("a file outside changed hands")
	}
	must(t, unix.Lstat(root+"/etc/link", &st))
	if st.Uid != 77 || st.Gid != 78 {
		t.Error("the link kept its owner")
	}
}
