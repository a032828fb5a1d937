package store

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// rich is a layer with every kind of entry.
func rich(t *testing.T) []byte {
	t.Helper()
	when := time.Unix(1_600_000_000, 123_456_789)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, data string) {
		t.Helper()
		h.Size = int64(len(data))
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if h.ModTime.IsZero() {
			h.ModTime = when
		}
		h.Format = tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, data); err != nil {
			t.Fatal(err)
		}
	}
	dir, link, sym := byte(tar.TypeDir), byte(tar.TypeLink), byte(tar.TypeSymlink)
	add(tar.Header{Name: "./", Typeflag: dir, Mode: 0o751, Uid: 7, Gid: 8}, "")
	add(tar.Header{Name: "etc/", Typeflag: dir, Mode: 0o755}, "")
	add(tar.Header{Name: "etc/passwd", Mode: 0o640, Gid: 42}, "root:x:0:0::/:/bin/sh\n")
	add(tar.Header{Name: "etc/empty", ModTime: time.Unix(0, 0)}, "")
	add(tar.Header{Name: "etc/big", AccessTime: when.Add(time.Hour)}, strings.Repeat("0123456789abcdef", 100_000))
	add(tar.Header{Name: "usr/bin/su", Mode: 0o4755, Uid: 1000, Gid: 1000}, "set-uid")
	add(tar.Header{Name: "tmp/", Typeflag: dir, Mode: 0o1777}, "")
	add(tar.Header{Name: "var/mail/", Typeflag: dir, Mode: 0o2775, Gid: 8}, "")
	add(tar.Header{Name: "var/mail/box", Mode: 0o600, Uid: 5}, "mail")
	add(tar.Header{Name: "lib", Typeflag: sym, Linkname: "usr/lib", Mode: 0o777, Uid: 3}, "")
	add(tar.Header{Name: "lib/libc.so", Mode: 0o755}, "through a symlink of the layer")
	add(tar.Header{Name: "abs", Typeflag: sym, Linkname: "/etc", Mode: 0o777}, "")
	add(tar.Header{Name: "etc/hard", Typeflag: link, Linkname: "etc/passwd", Mode: 0o640, Gid: 42}, "")
	add(tar.Header{Name: "hardsym", Typeflag: link, Linkname: "abs", Mode: 0o777}, "")
	add(tar.Header{Name: "dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Mode: 0o666}, "")
	add(tar.Header{Name: "dev/sda", Typeflag: tar.TypeBlock, Devmajor: 8, Mode: 0o660, Gid: 6}, "")
	add(tar.Header{Name: "run/fifo", Typeflag: tar.TypeFifo, Mode: 0o600}, "")
	add(tar.Header{Name: "caps", Mode: 0o755, PAXRecords: map[string]string{
		"SCHILY.xattr.user.note":           "hello",
		"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	}}, "x")
	add(tar.Header{Name: "opt/.wh..wh..opq"}, "")
	add(tar.Header{Name: "opt/new"}, "new")
	add(tar.Header{Name: "srv/.wh.gone", Uid: 9}, "")
	add(tar.Header{Name: ".wh.old"}, "")
	add(tar.Header{Name: "old/.wh.under"}, "")
	add(tar.Header{Name: "odd <&>\"\\ \xc3\xa9\u2028"}, "quoting")
	add(tar.Header{Name: strings.Repeat("long/", 60) + "end"}, "deep")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b.Write(make([]byte, 4096)) // padding beyond the end is kept
	return b.Bytes()
}

// attributes describes all that a tree has, a line per entry.
func attributes(t *testing.T, root string) []string {
	t.Helper()
	var lines []string
	inodes := map[uint64]string{}
	err := filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		line := fmt.Sprintf("%q mode=%o owner=%d:%d rdev=%x", rel, st.Mode, st.Uid, st.Gid, st.Rdev)
		whiteout := st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
		implicit := slices.Contains([]string{"usr", "usr/bin", "usr/lib", "var", "dev", "run", "opt", "srv"}, rel) || strings.HasPrefix(rel, "long") && st.Mode&unix.S_IFMT == unix.S_IFDIR
		if !whiteout && !implicit { // these two have the time they were made
			line += fmt.Sprintf(" mtime=%d.%09d", st.Mtim.Sec, st.Mtim.Nsec)
			if st.Mode&unix.S_IFMT == unix.S_IFREG {
				line += fmt.Sprintf(" atime=%d.%09d", st.Atim.Sec, st.Atim.Nsec)
			}
		}
		if st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			if inodes[st.Ino] == "" {
				inodes[st.Ino] = rel
			}
			line += " linked=" + inodes[st.Ino]
		}
		if st.Mode&unix.S_IFMT == unix.S_IFLNK {
			target, _ := os.Readlink(p)
			line += " -> " + target
		}
		names := make([]byte, 4096)
		n, err := unix.Llistxattr(p, names)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(strings.SplitSeq(strings.Trim(string(names[:n]), "\x00"), "\x00")) {
			if name == "" {
				continue
			}
			v := make([]byte, 4096)
			n, err := unix.Lgetxattr(p, name, v)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %s=%q", name, v[:n])
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// contents adds the digests of the files, which are read last: reading sets times.
func contents(t *testing.T, root string, lines []string) []string {
	t.Helper()
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			data, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%s %x", strings.TrimPrefix(p, root), sha256.Sum256(data)))
		}
		return nil
	})
	return lines
}

func splitOf(t *testing.T, s *Store, id string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(s.GraphRoot(), "overlay-layers", id+".tar-split.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func compressed(t *testing.T, how string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		return data
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mustStage(t *testing.T, s *Store, data []byte) *StagedLayer {
	t.Helper()
	l, err := s.StageLayer(context.Background(), Blob{Size: -1}, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustCommit(t *testing.T, s *Store, data []byte, parent string) Layer {
	t.Helper()
	l, err := mustStage(t, s, data).Commit(parent)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestStagedLayerIsTheLibrarys(t *testing.T) {
	plain := rich(t)
	for _, how := range []string{"plain", "gzip", "zstd"} {
		t.Run(how, func(t *testing.T) {
			blob := compressed(t, how, plain)
			ours, theirs := open(t), open(t)
			staged, err := ours.StageLayer(context.Background(), Blob{
				Digest: digest.FromBytes(blob), DiffID: digest.FromBytes(plain), Size: int64(len(blob)),
			}, bytes.NewReader(blob))
			if err != nil {
				t.Fatal(err)
			}
			got, err := staged.Commit("")
			if err != nil {
				t.Fatal(err)
			}
			want, _, err := theirs.lib.PutLayer(got.ID, "", nil, "", false, nil, bytes.NewReader(blob))
			if err != nil {
				t.Fatal(err)
			}
			compareLayers(t, ours, theirs, got, want)
			rc, err := ours.OpenLayer(got.ID)
			if err != nil {
				t.Fatal(err)
			}
			defer rc.Close()
			if back, err := io.ReadAll(rc); err != nil || !bytes.Equal(back, plain) {
				t.Errorf("OpenLayer gives other bytes than were staged (%d of %d, %v)", len(back), len(plain), err)
			}
			if left, _ := os.ReadDir(filepath.Join(ours.GraphRoot(), "overlay/staging")); len(left) > 0 {
				t.Errorf("staging has %v left", left)
			}
		})
	}
}

func compareLayers(t *testing.T, ours, theirs *Store, got Layer, want *storage.Layer) {
	t.Helper()
	a, b := filepath.Join(ours.GraphRoot(), "overlay", got.ID, "diff"), filepath.Join(theirs.GraphRoot(), "overlay", got.ID, "diff")
	la, lb := attributes(t, a), attributes(t, b)
	la, lb = contents(t, a, la), contents(t, b, lb)
	for i := range max(len(la), len(lb)) {
		var x, y string
		if i < len(la) {
			x = la[i]
		}
		if i < len(lb) {
			y = lb[i]
		}
		if x != y {
			t.Errorf("ours   %s\ntheirs %s", x, y)
		}
	}
	if !bytes.Equal(splitOf(t, ours, got.ID), splitOf(t, theirs, got.ID)) {
		t.Error("tar-split differs")
	}
	have, err := ours.lib.Layer(got.ID)
	if err != nil {
		t.Fatal(err)
	}
	if have.UncompressedDigest != want.UncompressedDigest || have.CompressedDigest != want.CompressedDigest ||
		have.UncompressedSize != want.UncompressedSize || !slices.Equal(have.UIDs, want.UIDs) || !slices.Equal(have.GIDs, want.GIDs) {
		t.Errorf("record %+v, want %+v", have, want)
	}
	if got.Size != want.CompressedSize {
		t.Errorf("size %d, want %d", got.Size, want.CompressedSize)
	}
}

func TestStageLayerVerifies(t *testing.T) {
	s := open(t)
	data := compressed(t, "gzip", rich(t))
	other := digest.FromString("other")
	for name, b := range map[string]Blob{
		"digest":      {Digest: other, Size: -1},
		"diff ID":     {DiffID: other, Size: -1},
		"too short":   {Size: int64(len(data)) + 1},
		"too long":    {Size: int64(len(data)) - 1},
		"far to long": {Size: 10},
	} {
		_, err := s.StageLayer(context.Background(), b, bytes.NewReader(data))
		if !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, broken := range map[string][]byte{
		"cut":      data[:len(data)/2],
		"no tar":   bytes.Repeat([]byte("garbage "), 1000),
		"bad gzip": append(slices.Clone(data[:len(data)-8]), 1, 2, 3, 4, 5, 6, 7, 8),
	} {
		if _, err := s.StageLayer(context.Background(), Blob{Size: -1}, bytes.NewReader(broken)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(s.GraphRoot(), "overlay/staging")); len(left) > 0 {
		t.Errorf("staging has %v left", left)
	}
}

func TestStageLayerStopsWithItsContext(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	pr, pw := io.Pipe()
	defer pr.Close()
	go func() {
		_, _ = pw.Write(rich(t)[:1024])
		cancel()
	}()
	if _, err := s.StageLayer(ctx, Blob{Size: -1}, pr); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestStagingLeftBehindGoes(t *testing.T) {
	s := open(t)
	live := mustStage(t, s, rich(t))
	dead := filepath.Join(s.GraphRoot(), "overlay/staging/dead")
	if err := os.MkdirAll(dead+"/dir", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead, ownerFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(Options{GraphRoot: s.GraphRoot(), RunRoot: s.RunRoot()})
	if err != nil {
		t.Fatal(err)
	}
	if err := mustStage(t, again, compressed(t, "gzip", rich(t))).Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dead process's staging directory is there: %v", err)
	}
	if _, err := live.Commit(""); err != nil {
		t.Errorf("the living one's is gone: %v", err)
	}
}

// Who cleans up sees no staging directory whose owner is about to lock it.
func TestStagingIsNeverTakenForLeftBehind(t *testing.T) {
	for range 200 {
		dir := t.TempDir()
		stop, taken := make(chan struct{}), make(chan bool)
		go func() {
			for {
				select {
				case <-stop:
					taken <- false
					return
				default:
					if abandoned(dir) {
						taken <- true
						return
					}
				}
			}
		}()
		owner, err := claim(dir)
		close(stop)
		if err != nil || <-taken {
			t.Fatalf("taken for left behind, %v", err)
		}
		owner.Close()
	}
}

func TestFullDiskLeavesNothing(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skip("needs to mount: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	s, err := Open(Options{GraphRoot: dir + "/graph", RunRoot: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.lib.Shutdown(true) })
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "huge", Mode: 0o644, Size: 8 << 20})
	_, _ = w.Write(bytes.Repeat([]byte("x"), 8<<20))
	_ = w.Close()
	if _, err := s.StageLayer(context.Background(), Blob{Size: -1}, &b); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir + "/graph/overlay/staging"); len(left) > 0 {
		t.Errorf("staging has %v left", left)
	}
	if l, err := s.lib.Layers(); err != nil || len(l) > 0 {
		t.Errorf("layers %v, %v", l, err)
	}
	mustCommit(t, s, rich(t), "")
}
