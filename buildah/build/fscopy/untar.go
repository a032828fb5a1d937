package fscopy

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store/unpack"
)

// IsArchive tells whether the file is a tar archive, compressed or not.
func (t *Tree) IsArchive(e *Entry) bool {
	f, err := t.openFile(e, true)
	if err != nil {
		return false
	}
	defer f.Close()
	r, _, err := unpack.Decompress(f)
	if err != nil {
		return false
	}
	_, err = tar.NewReader(r).Next()
	return err == nil
}

// extract unpacks an archive below a directory of the root.
func (c *copier) extract(s *Source, target string) error {
	top, err := c.top(target)
	if err != nil {
		return err
	}
	e := &s.Entries[0]
	f, err := c.tree.openFile(e, true)
	if err != nil {
		return err
	}
	defer f.Close()
	if c.o.NeedDigests && e.Digest == "" && !c.o.Memory.recall(e) {
		if err := c.tree.hashEntry(e, true, c.o.Memory); err != nil {
			return err
		}
	}
	r, _, err := unpack.Decompress(f)
	if err != nil {
		return fmt.Errorf("read archive %q: %w", s.Name, err)
	}
	x := &extractor{c: c, top: top}
	if c.o.OwnArchives {
		x.owner = c.o.Chown
	}
	header, err := x.all(r)
	if err != nil {
		return fmt.Errorf("unpack %q of archive %q: %w", entryName(header), s.Name, err)
	}
	return nil
}

// Extract unpacks a tar, compressed or not, below o.Dest, a directory of the
// root.
func Extract(ctx context.Context, root string, r io.Reader, o Options) error {
	dir, err := os.OpenFile(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	plain, _, err := unpack.Decompress(r)
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	if o.DirOwner, err = o.outside(o.DirOwner); err != nil {
		return err
	}
	c := &copier{ctx: ctx, root: int(dir.Fd()), o: o}
	defer c.close()
	top, err := c.top(o.Dest)
	if err != nil {
		return err
	}
	x := &extractor{c: c, top: top, owner: o.Chown}
	header, err := x.all(plain)
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errdef.Newf(errdef.ErrInvalid, "read archive: %w", err)
	}
	if err != nil {
		return fmt.Errorf("unpack %q: %w", entryName(header), err)
	}
	return nil
}

// all unpacks the entries to the end; with an error comes the entry's header.
func (x *extractor) all(r io.Reader) (*tar.Header, error) {
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil, x.finish()
		}
		if err == nil {
			err = x.c.ctx.Err()
		}
		if err == nil {
			if x.owner != nil {
				header.Uid, header.Gid = x.owner.UID, x.owner.GID
			}
			var owner Owner
			owner, err = x.c.o.outside(Owner{header.Uid, header.Gid})
			header.Uid, header.Gid = owner.UID, owner.GID
		}
		if err == nil {
			err = x.entry(header, archive)
		}
		if err != nil {
			return header, err
		}
	}
}

func entryName(h *tar.Header) string {
	if h == nil {
		return "?"
	}
	return h.Name
}

type extractor struct {
	c     *copier
	top   *os.File
	owner *Owner // of everything; nil keeps the archive's
	dirs  []*tar.Header
}

func (x *extractor) entry(h *tar.Header, content io.Reader) error {
	name := clean(h.Name)
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeDir:
		x.dirs = append(x.dirs, h)
		f, err := MkdirAll(int(x.top.Fd()), name, x.c.o.DirOwner, nil)
		if err != nil {
			return err
		}
		return f.Close()
	}
	if name == "" {
		return errdef.Newf(errdef.ErrInvalid, "an archive can't replace the directory it is unpacked in")
	}
	parent, err := MkdirAll(int(x.top.Fd()), path.Dir("/"+name), x.c.o.DirOwner, nil)
	if err != nil {
		return err
	}
	defer parent.Close()
	fd, base := int(parent.Fd()), path.Base(name)
	if h.Typeflag == tar.TypeReg {
		return x.file(fd, base, h, content)
	}
	err = x.make(fd, base, h)
	if err == unix.EEXIST {
		if err = x.c.replace(fd, base); err == nil {
			err = x.make(fd, base, h)
		}
	}
	if err != nil || h.Typeflag == tar.TypeLink {
		return err
	}
	if err := unix.Fchownat(fd, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	times := x.times(h)
	return unix.UtimesNanoAt(fd, base, times[:], unix.AT_SYMLINK_NOFOLLOW)
}

// make makes what has no content of its own.
func (x *extractor) make(parent int, base string, h *tar.Header) error {
	mode := uint32(h.Mode & 0o7777)
	dev := int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)))
	switch h.Typeflag {
	case tar.TypeSymlink:
		return unix.Symlinkat(h.Linkname, parent, base)
	case tar.TypeFifo:
		return unix.Mknodat(parent, base, unix.S_IFIFO|mode, 0)
	case tar.TypeChar:
		return unix.Mknodat(parent, base, unix.S_IFCHR|mode, dev)
	case tar.TypeBlock:
		return unix.Mknodat(parent, base, unix.S_IFBLK|mode, dev)
	case tar.TypeLink:
		target := clean(h.Linkname)
		dir, err := openBelow(int(x.top.Fd()), path.Dir("/" + target)[1:], unix.O_PATH|unix.O_DIRECTORY, 0, true)
		if err != nil {
			return err
		}
		defer dir.Close()
		return unix.Linkat(int(dir.Fd()), path.Base(target), parent, base, 0)
	}
	return errdef.Newf(errdef.ErrUnsupported, "unknown kind of entry %q", h.Typeflag)
}

func (x *extractor) file(parent int, base string, h *tar.Header, content io.Reader) error {
	fd, err := x.c.createBelow(parent, base)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), base)
	defer f.Close()
	if _, err := io.Copy(f, content); err != nil {
		return err
	}
	if err := unix.Fchown(fd, h.Uid, h.Gid); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, uint32(h.Mode&0o7777)); err != nil {
		return err
	}
	if err := paxXattrs(fd, h); err != nil {
		return err
	}
	return setTimes(fd, x.times(h))
}

func paxXattrs(fd int, h *tar.Header) error {
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, "SCHILY.xattr.")
		if !ok || name != "security.capability" && !strings.HasPrefix(name, "user.") {
			continue
		}
		if err := unix.Fsetxattr(fd, name, []byte(value), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("set attribute %s: %w", name, err)
		}
	}
	return nil
}

func (x *extractor) times(h *tar.Header) *[2]unix.Timespec {
	mtime := h.ModTime
	if x.c.o.Times != nil {
		mtime = *x.c.o.Times
	}
	if mtime.Before(time.Unix(0, 0)) {
		mtime = time.Unix(0, 0)
	}
	t := unix.NsecToTimespec(mtime.UnixNano())
	return &[2]unix.Timespec{t, t}
}

// finish sets the directories' own properties, the deepest first. The top
// itself keeps its own.
func (x *extractor) finish() error {
	for i := len(x.dirs) - 1; i >= 0; i-- {
		h := x.dirs[i]
		if clean(h.Name) == "" {
			continue
		}
		f, err := openBelow(int(x.top.Fd()), clean(h.Name), unix.O_RDONLY|unix.O_DIRECTORY, 0, true)
		if err != nil {
			return err
		}
		err = unix.Fchown(int(f.Fd()), h.Uid, h.Gid)
		if err == nil {
			err = unix.Fchmod(int(f.Fd()), uint32(h.Mode&0o7777))
		}
		if err == nil {
			err = setTimes(int(f.Fd()), x.times(h))
		}
		f.Close()
		if err != nil {
			return fmt.Errorf("finish directory %q: %w", h.Name, err)
		}
	}
	return nil
}
