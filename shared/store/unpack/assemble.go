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

// Assembler reads a layer as the tar that it was unpacked from, or that can be
// made of several layers and a stream. It fails at the end of a file that
// doesn't have the checksum it was stored with.
type Assembler struct {
	layers []dirs
	split  storage.Unpacker
	places []Place   // of the files that aren't empty; nil: all are in the first layer
	stream io.Reader // what is in no layer

	rest []byte // of a segment
	err  error

	// Of the open file.
	open bool
	file int // -1 for none: it is read from the stream
	left int64
	name string
	sum  checksum
	want []byte
}

// Place is where the content of a file is.
type Place struct {
	Layer int    // -1: it comes next in the stream
	Name  string // in the layer
}

// NewAssembler puts together the tar that was unpacked into the root. split is
// what Options.TarSplit got. The Assembler owns neither.
func NewAssembler(root *os.File, split io.Reader) *Assembler {
	// The library reads entries of any size, which old versions of it wrote.
	return newAssembler([]*os.File{root}, storage.NewJSONUnpacker(split))
}

// NewMixer puts together the tar that the split describes. places says where its
// files are, without the empty ones: in layers or in the stream.
func NewMixer(roots []*os.File, split *Split, places []Place, stream io.Reader) *Assembler {
	a := newAssembler(roots, split)
	a.places, a.stream = places, stream
	return a
}

func newAssembler(roots []*os.File, split storage.Unpacker) *Assembler {
	a := &Assembler{split: split, file: -1}
	for _, root := range roots {
		a.layers = append(a.layers, dirs{root: root, open: map[string]int{}})
	}
	return a
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
	case a.open:
		return a.readFile(p)
	}
	return 0, a.next()
}

func (a *Assembler) readFile(p []byte) (int, error) {
	n, err := a.content(p[:min(int64(len(p)), a.left)])
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

// content reads the open file.
func (a *Assembler) content(p []byte) (int, error) {
	if a.file >= 0 {
		return unix.Read(a.file, p)
	}
	n, err := io.ReadFull(a.stream, p)
	return n, Classify(err)
}

// next goes on to the next entry of the tar-split.
func (a *Assembler) next() error {
	e, err := a.split.Next()
	if err != nil {
		return err
	}
	if e.Type != storage.FileType {
		a.rest = e.Payload
		return nil
	}
	if e.Size == 0 {
		return nil
	}
	if e.Size < 0 {
		return errdef.Newf(errdef.ErrInvalid, "the layer's record has the size %d", e.Size)
	}
	a.sum, a.want, a.name, a.left = 0, e.Payload, e.GetName(), e.Size
	at := Place{Name: a.name}
	if a.places != nil {
		if len(a.places) == 0 {
			return errdef.Newf(errdef.ErrInvalid, "the layer's record has more files than were counted")
		}
		at, a.places = a.places[0], a.places[1:]
	}
	a.open = true
	if at.Layer < 0 {
		return nil
	}
	return a.openFile(&a.layers[at.Layer], at.Name)
}

func (a *Assembler) openFile(layer *dirs, name string) error {
	clean := strings.TrimPrefix(path.Clean(name), "/")
	if clean == "." || clean == ".." || strings.HasPrefix(clean, "../") {
		return errdef.Newf(errdef.ErrInvalid, "the layer's record has the path %q", name)
	}
	dir, err := layer.get(path.Dir(clean), false)
	if err == nil {
		a.file, err = unix.Openat(dir, path.Base(clean), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	}
	if errors.Is(err, unix.ENOENT) {
		return errdef.Newf(errdef.ErrNotFound, "the layer's file %q is gone: the layer was removed while it was read, or changed before", name)
	}
	return pathError("open", name, err)
}

func (a *Assembler) closeFile() {
	if a.file >= 0 {
		_ = unix.Close(a.file)
		a.file = -1
	}
	a.open = false
}

// Close lets go of what is open. It must not be called during a Read.
func (a *Assembler) Close() error {
	a.closeFile()
	for i := range a.layers {
		a.layers[i].forget()
	}
	if a.err == nil {
		a.err = os.ErrClosed
	}
	return nil
}
