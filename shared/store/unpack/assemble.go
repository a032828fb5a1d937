package unpack

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"github.com/vbatts/tar-split/tar/storage"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Assembler reads a layer as the tar that it was unpacked from. It fails at
// the end of a file that doesn't have the checksum it was stored with.
type Assembler struct {
	dirs  dirs
	split storage.Unpacker

	rest []byte // of a segment
	err  error

	// Of the open file.
	file int // -1 for none
	left int64
	name string
	sum  checksum
	want []byte
}

// NewAssembler puts together the tar that was unpacked into the root. split is
// what Options.TarSplit got. The Assembler owns neither.
func NewAssembler(root *os.File, split io.Reader) *Assembler {
	return &Assembler{dirs: dirs{root: root, open: map[string]int{}}, split: storage.NewJSONUnpacker(split), file: -1}
}

// Read fills p as far as the tar goes, so that a reader with a large buffer
// gets large pieces of layers with small files.
func (a *Assembler) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && a.err == nil {
		var m int
		m, a.err = a.read(p[n:])
		n += m
	}
	if n > 0 {
		return n, nil
	}
	return 0, a.err
}

func (a *Assembler) read(p []byte) (int, error) {
	switch {
	case len(a.rest) > 0:
		n := copy(p, a.rest)
		a.rest = a.rest[n:]
		return n, nil
	case a.file >= 0:
		return a.readFile(p)
	}
	return 0, a.next()
}

func (a *Assembler) readFile(p []byte) (int, error) {
	n, err := unix.Read(a.file, p[:min(int64(len(p)), a.left)])
	switch {
	case err == unix.EINTR:
		return 0, nil
	case err != nil:
		return 0, pathError("read", a.name, err)
	case n == 0:
		return 0, errdef.Newf(errdef.ErrInvalid, "the layer's file %q was cut short since it was stored", a.name)
	}
	_, _ = a.sum.Write(p[:n])
	if a.left -= int64(n); a.left > 0 {
		return n, nil
	}
	a.closeFile()
	if !bytes.Equal(a.sum.Sum(), a.want) {
		return n, errdef.Newf(errdef.ErrInvalid, "the layer's file %q was changed since it was stored", a.name)
	}
	return n, nil
}

// next goes on to the next entry of the tar-split.
func (a *Assembler) next() error {
	e, err := a.split.Next()
	if err != nil {
		return err
	}
	if e.Type == storage.SegmentType {
		a.rest = e.Payload
		return nil
	}
	if e.Size == 0 {
		return nil
	}
	a.sum, a.want = 0, e.Payload
	return a.open(e.GetName(), e.Size)
}

func (a *Assembler) open(name string, size int64) error {
	clean := strings.TrimPrefix(path.Clean(name), "/")
	if clean == "." || clean == ".." || strings.HasPrefix(clean, "../") || size < 0 {
		return errdef.Newf(errdef.ErrInvalid, "the layer's record has the path %q", name)
	}
	dir, err := a.dirs.get(path.Dir(clean), false)
	if err == nil {
		a.file, err = unix.Openat(dir, path.Base(clean), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	}
	if errors.Is(err, unix.ENOENT) {
		return errdef.Newf(errdef.ErrNotFound, "the layer's file %q is gone: the layer was removed while it was read, or changed before", name)
	}
	a.name, a.left = name, size
	return pathError("open", name, err)
}

func (a *Assembler) closeFile() {
	if a.file >= 0 {
		_ = unix.Close(a.file)
		a.file = -1
	}
}

// Close lets go of what is open. It must not be called during a Read.
func (a *Assembler) Close() error {
	a.closeFile()
	a.dirs.forget()
	if a.err == nil {
		a.err = os.ErrClosed
	}
	return nil
}
