package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// repeated is a zstd frame that becomes n times 128 KB of the byte.
func repeated(n int, b byte) []byte {
	const block = 128 << 10
	z := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3} // no content size, a window of 128 KB
	for i := range n {
		head := block<<3 | 1<<1 // one byte, repeated
		if i == n-1 {
			head |= 1
		}
		z = append(z, byte(head), byte(head>>8), byte(head>>16), b)
	}
	return z
}

func TestBombs(t *testing.T) {
	const small = 16 << 20
	for name, c := range map[string]struct {
		blocks int
		b      byte
		fits   bool
	}{
		"small":               {blocks: small >> 17, b: 'x', fits: true},
		"64 MB in 2 KB":       {blocks: 512, b: 'x'},
		"64 MB of zeros only": {blocks: 512, fits: true},
	} {
		r, compressed, err := decompress(bytes.NewReader(repeated(c.blocks, c.b)), small)
		if err != nil || !compressed {
			t.Fatal(err)
		}
		n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, make([]byte, 1<<20))
		switch {
		case c.fits && (err != nil || n != int64(c.blocks)<<17):
			t.Errorf("%s: %d bytes, %v", name, n, err)
		case !c.fits && (!errors.Is(err, errdef.ErrInvalid) || n > small+1<<20):
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

func TestHoles(t *testing.T) {
	piece := make([]byte, minHole)
	word := []byte("word")
	for name, pieces := range map[string][][]byte{
		"nothing": nil, "a word": {word}, "zeros": {piece, piece}, "in the middle": {word, piece, word},
		"at the end": {word, piece}, "few": {word, piece[:10]}, "few after many": {piece, piece[:10]},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		h := NewHoles(f)
		for _, p := range pieces {
			if n, err := h.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := h.Finish(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, bytes.Join(pieces, nil)) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// Else a byte in each buffer would put zeros on the disk that the bound doesn't count.
func TestHolesBetweenBytes(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, p := NewHoles(f), make([]byte, 1<<20)
	p[300<<10] = 1
	for range 8 {
		if n, err := h.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := h.Finish(); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Blocks*512 > 1<<20 {
		t.Errorf("%d bytes on the disk, %v", st.Blocks*512, err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, bytes.Repeat(p, 8)) {
		t.Errorf("other content, %v", err)
	}
}

// Where a device can't be made, the layer is none the worse for it.
func TestDevicesInAUserNamespace(t *testing.T) {
	root, _ := victim(t)
	data := tarOf(t, tarHeader("dev/null", '3'), tarHeader("dev/sda", '4'), tarHeader("dev/pipe", '6'), tarHeader("after", '5'))
	o := options()
	o.InUserNS = true
	if _, err := Layer(context.Background(), root, bytes.NewReader(data), o); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint32{"dev/null": 0, "dev/sda": 0, "dev/pipe": unix.S_IFIFO, "after": unix.S_IFDIR} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(root.Name(), name), &st); (err == nil) != (want != 0) || st.Mode&unix.S_IFMT != want {
			t.Errorf("%s has the mode %o, %v", name, st.Mode, err)
		}
	}
}

func TestMalformedTars(t *testing.T) {
	good := tarOf(t, tarHeader("a", 0), tarHeader("b", 0))
	broken := func(at int, with string) []byte {
		b := bytes.Clone(good)
		copy(b[at:], with)
		return b
	}
	for name, data := range map[string][]byte{
		"checksum":         broken(148, "0000000\x00"),
		"size":             broken(124, "99999999999\x00"),
		"cut in a header":  good[:1024+100],
		"cut in a file":    good[:512+2],
		"second header":    broken(1024+148, "0000000\x00"),
		"unknown type":     tarOf(t, tarHeader("a", 'Q')),
		"endless numbers":  broken(124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		"not a tar at all": bytes.Repeat([]byte("text"), 1000),
	} {
		root, outside := victim(t)
		if _, err := Layer(context.Background(), root, bytes.NewReader(data), options()); !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
		untouched(t, outside)
	}
}

func tarHeader(name string, kind byte) tar.Header { return tar.Header{Name: name, Typeflag: kind} }
