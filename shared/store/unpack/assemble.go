package unpack

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/vbatts/tar-split/tar/storage"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Assembler reads a layer as the tar that it was unpacked from. It fails at
// its end, instead of io.EOF, if the bytes don't have the layer's diff ID:
// that stands for the checksums of single files, which take as long.
type Assembler struct {
	dirs   dirs
	split  storage.Unpacker
	diffID digest.Digest
	hash   hash.Hash

	rest []byte // of a segment
	file int    // open, or -1
	left int64  // of the open file
	name string // of the open file
	err  error
}

// NewAssembler puts together the tar that was unpacked into the root. split is
// what Options.TarSplit got. The Assembler owns neither.
func NewAssembler(root *os.File, split io.Reader, diffID digest.Digest) *Assembler {
	return &Assembler{
		dirs:  dirs{root: root, open: map[string]int{}},
		split: storage.NewJSONUnpacker(split), diffID: diffID, hash: sha256.New(), file: -1,
	}
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
	a.hash.Write(p[:n])
	if a.err == io.EOF {
		if got := digest.NewDigest(digest.SHA256, a.hash); got != a.diffID {
			a.err = errdef.Newf(errdef.ErrInvalid, "the layer's files were changed since it was stored: its diff ID is %s, not %s", got, a.diffID)
		}
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
	if a.left -= int64(n); a.left == 0 {
		a.closeFile()
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
