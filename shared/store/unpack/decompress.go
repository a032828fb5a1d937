package unpack

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/podsuite/podsuite/shared/errdef"
)

// MaxWindow is the largest zstd window, which the stream chooses, and so
// the memory that decoding it takes. It is what the zstd command takes.
const MaxWindow = 128 << 20

// What compressed content may become: so many times its size, or maxSmall bytes
// if that is more. Even logs come to some 50 times. Zeros don't count: Holes
// keeps them off the disk.
const (
	maxRatio = 200
	maxSmall = 4 << 30
)

// Decompress reads what gzip, zstd, bzip2 or xz wrote, and anything else as it
// is; compressed tells which.
func Decompress(r io.Reader) (content io.Reader, compressed bool, err error) {
	return decompress(r, maxSmall)
}

func decompress(r io.Reader, small int64) (content io.Reader, compressed bool, err error) {
	in := &counted{r: r}
	head := bufio.NewReaderSize(in, 64<<10)
	magic, err := head.Peek(6)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	var z io.Reader
	switch {
	case hasMagic(magic, "\x1f\x8b\x08"):
		z, err = gzip.NewReader(head)
	case hasMagic(magic, "\x28\xb5\x2f\xfd"):
		// With one goroutine there is nothing to close.
		z, err = zstd.NewReader(head, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(MaxWindow))
	case hasMagic(magic, "BZh"):
		z = bzip2.NewReader(head)
	case hasMagic(magic, "\xfd7zXZ\x00"):
		z, err = xz.NewReader(head)
	default:
		return head, false, nil
	}
	if err != nil {
		return nil, true, errdef.Newf(errdef.ErrInvalid, "decompress: %w", err)
	}
	return &bounded{z: z, in: in, small: small}, true, nil
}

func hasMagic(b []byte, magic string) bool {
	return len(b) >= len(magic) && string(b[:len(magic)]) == magic
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// bounded fails when too much comes out of what went in.
type bounded struct {
	z     io.Reader
	in    *counted
	small int64 // bytes that are never too much
	out   int64 // bytes, without those of holes
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.z.Read(p)
	if n < minHole || !allZero(p[:n]) {
		b.out += int64(n)
	}
	if b.out > max(b.small, b.in.n*maxRatio) {
		return n, errdef.Newf(errdef.ErrInvalid, "decompress: its first %d bytes become more than %d", b.in.n, b.out-int64(n))
	}
	return n, err
}

// minHole is the number of zeros from which on they take no place on the disk,
// so that a few bytes of a layer can't fill it.
const minHole = 4 << 10

func allZero(b []byte) bool {
	return b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
}

// Holes writes to a new file and leaves holes where the content has many zeros.
// Finish ends it.
type Holes struct {
	f    io.WriteSeeker
	hole bool // at the end of what was written
}

// NewHoles begins at the file's offset, behind which it has nothing.
func NewHoles(f io.WriteSeeker) *Holes { return &Holes{f: f} }

// Write leaves out what has many zeros in a row: a byte here and there must not
// put the zeros around it on the disk, which were not counted.
func (h *Holes) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		piece, hole := run(p[done:])
		var err error
		if hole {
			_, err = h.f.Seek(int64(piece), io.SeekCurrent)
		} else {
			piece, err = h.f.Write(p[done : done+piece])
		}
		if done += piece; err != nil {
			return done, err
		}
		h.hole = hole
	}
	return len(p), nil
}

// run is how many bytes at the beginning are to be written at once, or left out.
func run(p []byte) (n int, hole bool) {
	for n < len(p) {
		zero := len(p)-n >= minHole && allZero(p[n:n+minHole])
		if n == 0 {
			hole = zero
		}
		if zero != hole {
			break
		}
		n = min(n+minHole, len(p))
	}
	return n, hole
}

// Finish makes a hole at the end part of the file.
func (h *Holes) Finish() error {
	if !h.hole {
		return nil
	}
	h.hole = false
	if _, err := h.f.Seek(-1, io.SeekCurrent); err != nil {
		return err
	}
	_, err := h.f.Write([]byte{0})
	return err
}
