package unpack

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/vbatts/tar-split/archive/tar"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The names that mark what a layer removes (image-spec, layer.md).
const (
	whiteoutPrefix = ".wh."
	opaqueMarker   = ".wh..wh..opq"
)

// Options say how the files are made. The zero value is for an AUFS-like
// driver, which keeps whiteouts as they are in the tar.
type Options struct {
	// OverlayXattr is the prefix of the overlay file system's attributes,
	// "trusted.overlay." or "user.overlay.". If it is given, whiteouts and
	// opaque directories are made in that file system's form.
	OverlayXattr string
	// InUserNS leaves out devices and attributes that only the host's root can
	// make.
	InUserNS bool
	// IgnoreChownErrors keeps files whose owner can't be set.
	IgnoreChownErrors bool
	// MapIDs translates an owner in the tar to one on disk; nil leaves it.
	MapIDs func(uid, gid int) (int, int, error)
	// TarSplit receives what OpenLayer puts the tar together again from,
	// uncompressed; nil records nothing.
	TarSplit io.Writer
	// Scan reads and records the tar and writes no file.
	Scan bool
}

// Result describes what was unpacked.
type Result struct {
	UIDs, GIDs []uint32     // owners in the tar, sorted
	RootMode   *fs.FileMode // of the layer's root, nil if it isn't in the tar
}

// Layer unpacks a tar stream, uncompressed, into the directory, and reads the
// stream to its end. The directory must be out of others' reach meanwhile.
func Layer(ctx context.Context, root *os.File, r io.Reader, o Options) (Result, error) {
	u := newUnpacker(root, r, o)
	defer u.dirs.forget()
	return u.layer(ctx, r)
}

func newUnpacker(root *os.File, r io.Reader, o Options) *unpacker {
	u := &unpacker{
		Options: o,
		dirs:    dirs{root: root, open: map[string]int{}},
		tr:      tar.NewReader(r),
		buf:     make([]byte, 256<<10),
		uids:    map[uint32]struct{}{},
		gids:    map[uint32]struct{}{},
	}
	u.dirs.chown = u.chownImplicit
	if o.TarSplit != nil {
		u.split = newSplitter(o.TarSplit)
		u.tr.RawAccounting = true
	}
	return u
}

// layer unpacks the tar and records what follows it in r.
func (u *unpacker) layer(ctx context.Context, r io.Reader) (Result, error) {
	if err := u.run(ctx); err != nil {
		return Result{}, err
	}
	if err := u.padding(r); err != nil {
		return Result{}, err
	}
	return Result{UIDs: sorted(u.uids), GIDs: sorted(u.gids), RootMode: u.rootMode}, u.finishDirs()
}

func sorted(set map[uint32]struct{}) []uint32 {
	ids := make([]uint32, 0, len(set))
	for id := range set {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

type unpacker struct {
	Options
	dirs       dirs
	tr         *tar.Reader
	split      *splitter
	buf        []byte
	crc        checksum // of the file under way
	uids, gids map[uint32]struct{}
	rootMode   *fs.FileMode
	made       []madeDir // directories of the tar, whose times are set last
}

func (u *unpacker) run(ctx context.Context) error {
	for {
		hdr, err := u.tr.Next()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil && err != io.EOF {
			return tarError(err)
		}
		if u.split != nil {
			if err := u.split.segment(u.tr.RawBytes()); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err := u.entry(hdr); err != nil {
			return err
		}
	}
}

// tarError puts errors of the format, but not those of the source, in a class.
func tarError(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errdef.Newf(errdef.ErrInvalid, "read layer: %w", err)
	}
	return err
}

// entry makes one entry, reads its contents to the end and records it.
func (u *unpacker) entry(hdr *tar.Header) error {
	var contents io.Reader = u.tr
	recorded := hdr.Name
	if hdr.Size > maxSparse && isSparse(hdr) {
		return errdef.Newf(errdef.ErrInvalid, "layer has the sparse file %q of %d bytes, more than %d", hdr.Name, hdr.Size, int64(maxSparse))
	}
	if hdr.Size > 0 {
		u.crc = 0
		contents = io.TeeReader(u.tr, &u.crc)
	}
	if !u.Scan {
		if err := u.place(hdr, contents); err != nil {
			return err
		}
	}
	if hdr.Size > 0 { // what wasn't written counts too
		if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{contents}, u.buf); err != nil {
			return tarError(err)
		}
	}
	if !strings.HasPrefix(path.Base(recorded), whiteoutPrefix) {
		u.uids[uint32(hdr.Uid)] = struct{}{}
		u.gids[uint32(hdr.Gid)] = struct{}{}
	}
	if u.split == nil {
		return nil
	}
	var sum []byte
	if hdr.Size > 0 {
		sum = u.crc.Sum()
	}
	if err := u.split.file(recorded, hdr.Size, sum); err != nil {
		return err
	}
	return u.split.segment(u.tr.RawBytes())
}

// maxPadding bounds what follows a tar's end, in bytes: it is kept, and tar
// itself pads to 10 KB, or to the blocks of a tape.
const maxPadding = 16 << 20

// maxSparse bounds a file that takes no place in the tar, in bytes: all of it
// has to be read.
const maxSparse = 64 << 30

func isSparse(hdr *tar.Header) bool {
	return hdr.PAXRecords["GNU.sparse.major"] != "" || hdr.PAXRecords["GNU.sparse.map"] != "" || hdr.Typeflag == tar.TypeGNUSparse
}

// padding reads what follows the tar's end and records it.
func (u *unpacker) padding(r io.Reader) error {
	buf := make([]byte, 1<<20)
	total := 0
	for {
		n, err := r.Read(buf)
		if total += n; total > maxPadding {
			return errdef.Newf(errdef.ErrInvalid, "layer has more than %d bytes after the end of its tar", maxPadding)
		}
		if u.split != nil {
			if err := u.split.segment(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if u.split != nil {
		return u.split.w.Flush()
	}
	return nil
}

// place makes the entry at its place in the tree.
func (u *unpacker) place(hdr *tar.Header, contents io.Reader) error {
	if hdr.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name := path.Clean(hdr.Name)
	if name == ".." || strings.HasPrefix(name, "../") {
		return errdef.Newf(errdef.ErrInvalid, "layer has the path %q outside of it", hdr.Name)
	}
	name = strings.TrimPrefix(name, "/")
	if name == "" {
		name = "."
	}
	if name == "." && hdr.Typeflag != tar.TypeDir {
		return errdef.Newf(errdef.ErrInvalid, "layer's root is no directory")
	}
	dir, base := path.Dir(name), path.Base(name)
	fd, err := u.dirs.get(dir, true)
	if u.OverlayXattr != "" && strings.HasPrefix(base, whiteoutPrefix) {
		if errors.Is(err, unix.ENOTDIR) {
			return nil // the directory is removed itself, and what it had with it
		}
		if err != nil {
			return err
		}
		return u.whiteout(fd, base, hdr)
	}
	if err != nil {
		return err
	}
	e := entry{dir: fd, base: base, name: name, hdr: hdr}
	if e.uid, e.gid, err = u.mapped(hdr); err != nil {
		return err
	}
	if made, err := u.create(&e, contents); err != nil || !made {
		return err
	}
	if err := u.attributes(&e); err != nil {
		return err
	}
	if hdr.Typeflag == tar.TypeDir {
		if name == "." {
			mode := hdr.FileInfo().Mode()
			u.rootMode = &mode
		}
		u.made = append(u.made, madeDir{name, hdr.AccessTime, hdr.ModTime})
	}
	return nil
}

func (u *unpacker) mapped(hdr *tar.Header) (uid, gid int, err error) {
	if u.MapIDs == nil {
		return hdr.Uid, hdr.Gid, nil
	}
	return u.MapIDs(hdr.Uid, hdr.Gid)
}

// whiteout makes what removes an entry of the layers below, or all entries of
// the directory.
func (u *unpacker) whiteout(dir int, base string, hdr *tar.Header) error {
	if base == opaqueMarker {
		err := unix.Setxattr(procPath(dir, "."), u.OverlayXattr+"opaque", []byte("y"), 0)
		return pathError("make opaque", hdr.Name, err)
	}
	target := strings.TrimPrefix(base, whiteoutPrefix)
	if target == "" || target == "." || target == ".." {
		return errdef.Newf(errdef.ErrInvalid, "layer has the whiteout %q", hdr.Name)
	}
	if err := unix.Mknodat(dir, target, unix.S_IFCHR, 0); err != nil {
		return pathError("remove", hdr.Name, err)
	}
	uid, gid, err := u.mapped(hdr)
	if err != nil {
		return err
	}
	return u.chown(dir, target, hdr.Name, uid, gid)
}
