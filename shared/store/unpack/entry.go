package unpack

import (
	"errors"
	"io"
	"math"
	"os"
	"path"
	"strings"
	"time"

	"github.com/vbatts/tar-split/archive/tar"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// entry is one entry of the tar on its way to the disk.
type entry struct {
	dir      int    // its directory
	base     string // its name there, never with a slash and never ".."
	name     string // its clean path, for messages
	hdr      *tar.Header
	uid, gid int // on disk
	file     int // open while the attributes of a regular file are set, or 0
	symlink  bool
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: name, Err: err}
}

// create makes the entry without its attributes. What is in its place goes,
// unless both are directories. It returns false for what is left out.
func (u *unpacker) create(e *entry, contents io.Reader) (bool, error) {
	h := e.hdr
	var make func() error
	switch h.Typeflag {
	case tar.TypeReg:
		return true, u.createFile(e, contents)
	case tar.TypeDir:
		return true, u.createDir(e)
	case tar.TypeSymlink:
		e.symlink = true
		make = func() error { return unix.Symlinkat(h.Linkname, e.dir, e.base) }
	case tar.TypeLink:
		var err error
		if make, err = u.link(e); err != nil {
			return false, err
		}
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		if u.InUserNS && h.Typeflag != tar.TypeFifo {
			return false, u.vacate(e)
		}
		kind := map[byte]uint32{tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO}[h.Typeflag]
		dev := unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))
		make = func() error {
			return unix.Mknodat(e.dir, e.base, kind|uint32(h.Mode&0o7777), int(dev))
		}
	default:
		return false, errdef.Newf(errdef.ErrInvalid, "layer has %q with the unknown type %q", h.Name, h.Typeflag)
	}
	err := make()
	if err == unix.EEXIST {
		if err = u.vacate(e); err == nil {
			err = make()
		}
	}
	return true, pathError("create", e.name, err)
}

// vacate removes what is in the entry's place.
func (u *unpacker) vacate(e *entry) error {
	if e.base == "." {
		return errdef.Newf(errdef.ErrInvalid, "layer replaces its root")
	}
	if err := removeAll(e.dir, e.base); err != nil {
		return pathError("replace", e.name, err)
	}
	// Other paths may lead elsewhere now; the entry's own directory is needed
	// still, and what is removed is not above it.
	keep := path.Dir(e.name)
	for dir, fd := range u.dirs.open {
		if dir != keep {
			_ = unix.Close(fd)
			delete(u.dirs.open, dir)
		}
	}
	return nil
}

func (u *unpacker) createFile(e *entry, contents io.Reader) error {
	const flags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	mode := uint32(e.hdr.Mode & 0o777)
	fd, err := unix.Openat(e.dir, e.base, flags, mode)
	if err == unix.EEXIST {
		if err = u.vacate(e); err == nil {
			fd, err = unix.Openat(e.dir, e.base, flags, mode)
		}
	}
	if err != nil {
		return pathError("create", e.name, err)
	}
	e.file = fd
	h := NewHoles(fdFile(fd))
	for {
		n, readErr := contents.Read(u.buf)
		if _, err := h.Write(u.buf[:n]); err != nil {
			_ = unix.Close(fd)
			return pathError("write", e.name, err)
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			_ = unix.Close(fd)
			return tarError(readErr)
		}
	}
	if err := h.Finish(); err != nil {
		_ = unix.Close(fd)
		return pathError("write", e.name, err)
	}
	return nil
}

// fdFile is an open file without what os.File adds.
type fdFile int

func (f fdFile) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Write(int(f), p[done:])
		if err != nil && err != unix.EINTR {
			return done, err
		}
		done += max(n, 0)
	}
	return done, nil
}

func (f fdFile) Seek(offset int64, whence int) (int64, error) {
	return unix.Seek(int(f), offset, whence)
}

func (u *unpacker) createDir(e *entry) error {
	err := unix.Mkdirat(e.dir, e.base, uint32(e.hdr.Mode&0o777))
	if err != unix.EEXIST {
		return pathError("create", e.name, err)
	}
	var st unix.Stat_t
	if err := unix.Fstatat(e.dir, e.base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return pathError("create", e.name, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return nil
	}
	if err := u.vacate(e); err != nil {
		return err
	}
	return pathError("create", e.name, unix.Mkdirat(e.dir, e.base, uint32(e.hdr.Mode&0o777)))
}

// link prepares a hard link. Its target is looked up as the entries' own paths
// are, and a symlink at its end is linked to itself.
func (u *unpacker) link(e *entry) (func() error, error) {
	target := path.Clean(e.hdr.Linkname)
	if target == ".." || strings.HasPrefix(target, "../") {
		return nil, errdef.Newf(errdef.ErrInvalid, "layer links %q to %q outside of it", e.hdr.Name, e.hdr.Linkname)
	}
	target = strings.TrimPrefix(target, "/")
	if target == "" || target == "." {
		return nil, errdef.Newf(errdef.ErrInvalid, "layer links %q to its root", e.hdr.Name)
	}
	if target == e.name {
		return nil, errdef.Newf(errdef.ErrInvalid, "layer links %q to itself", e.hdr.Name)
	}
	return func() error {
		// Opening the target's directory may close the entry's: go by a copy,
		// and open the entry's again.
		dir, err := unix.FcntlInt(uintptr(e.dir), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(dir)
		from, err := u.dirs.get(path.Dir(target), false)
		if err == nil {
			err = unix.Linkat(from, path.Base(target), dir, e.base, 0)
		}
		var st unix.Stat_t
		if err == nil {
			err = unix.Fstatat(dir, e.base, &st, unix.AT_SYMLINK_NOFOLLOW)
		}
		e.symlink = st.Mode&unix.S_IFMT == unix.S_IFLNK
		again, openErr := u.dirs.get(path.Dir(e.name), false)
		if openErr != nil {
			return openErr
		}
		e.dir = again
		return err
	}, nil
}

// attributes sets owner, mode, times and extended attributes, in the order in
// which none undoes another. It closes e.file.
func (u *unpacker) attributes(e *entry) (err error) {
	if e.file != 0 {
		defer func() {
			if closeErr := unix.Close(e.file); err == nil {
				err = pathError("close", e.name, closeErr)
			}
		}()
	}
	if e.file != 0 {
		err = u.chownError(unix.Fchown(e.file, e.uid, e.gid), e.name, e.uid, e.gid)
	} else {
		err = u.chown(e.dir, e.base, e.name, e.uid, e.gid)
	}
	if err != nil {
		return err
	}
	if err := e.setMode(); err != nil {
		return pathError("set mode of", e.name, err)
	}
	atime := e.hdr.AccessTime
	if atime.Before(e.hdr.ModTime) {
		atime = e.hdr.ModTime
	}
	ts := times(atime, e.hdr.ModTime)
	if err := unix.UtimesNanoAt(e.dir, e.base, ts[:], unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return pathError("set times of", e.name, err)
	}
	return u.setXattrs(e)
}

func (e *entry) setMode() error {
	mode := uint32(e.hdr.Mode & 0o7777)
	switch {
	case e.symlink:
		return nil
	case e.file != 0:
		return unix.Fchmod(e.file, mode)
	}
	// The plain call, which follows symlinks: the entry is known to be none,
	// and fchmodat2, which wouldn't, is too new.
	return unix.Fchmodat(e.dir, e.base, mode, 0)
}

// times bounds the times to what every file system can have.
func times(atime, mtime time.Time) [2]unix.Timespec {
	var ts [2]unix.Timespec
	for i, t := range []time.Time{atime, mtime} {
		if t.Unix() >= 0 && !t.After(time.Unix(0, math.MaxInt64)) {
			ts[i] = unix.NsecToTimespec(t.UnixNano())
		}
	}
	return ts
}

func (u *unpacker) chown(dir int, base, name string, uid, gid int) error {
	return u.chownError(unix.Fchownat(dir, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW), name, uid, gid)
}

func (u *unpacker) chownError(err error, name string, uid, gid int) error {
	if err == nil || u.IgnoreChownErrors {
		return nil
	}
	if err == unix.EINVAL && u.InUserNS {
		return errdef.Newf(errdef.ErrInvalid,
			"owner %d:%d of %q has no mapping in the user namespace (check /etc/subuid and /etc/subgid): %w", uid, gid, name, err)
	}
	return pathError("set owner of", name, err)
}

// chownImplicit gives a directory that the tar doesn't have itself to root.
func (u *unpacker) chownImplicit(dir int, name string) error {
	uid, gid := 0, 0
	if u.MapIDs != nil {
		var err error
		if uid, gid, err = u.MapIDs(0, 0); err != nil {
			return err
		}
	}
	return u.chown(dir, name, name, uid, gid)
}

const xattrRecord = "SCHILY.xattr."

func (u *unpacker) setXattrs(e *entry) error {
	for key, value := range e.hdr.PAXRecords {
		attr, ok := strings.CutPrefix(key, xattrRecord)
		// Labels are the host's to give. The overlay file system's attributes
		// say where data comes from: a layer has no say in that.
		if !ok || attr == "security.selinux" ||
			strings.HasPrefix(attr, "trusted.overlay.") || strings.HasPrefix(attr, "user.overlay.") {
			continue
		}
		var err error
		if e.file != 0 {
			err = unix.Fsetxattr(e.file, attr, []byte(value), 0)
		} else {
			err = unix.Lsetxattr(procPath(e.dir, e.base), attr, []byte(value), 0)
		}
		if errors.Is(err, unix.ENOTSUP) || u.InUserNS && errors.Is(err, unix.EPERM) {
			continue
		}
		if err != nil {
			return pathError("set attribute "+attr+" of", e.name, err)
		}
	}
	return nil
}

// madeDir is a directory whose times are set when nothing is made in it any more.
type madeDir struct {
	name         string
	atime, mtime time.Time
}

func (u *unpacker) finishDirs() error {
	for _, d := range u.made {
		fd, err := u.dirs.get(path.Dir(d.name), false)
		if err != nil {
			if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENOENT) {
				continue // a later entry replaced what it was in
			}
			return err
		}
		var st unix.Stat_t
		base := path.Base(d.name)
		err = unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.ENOENT || err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue // replaced
		}
		if err == nil {
			ts := times(d.atime, d.mtime)
			err = unix.UtimesNanoAt(fd, base, ts[:], unix.AT_SYMLINK_NOFOLLOW)
		}
		if err != nil {
			return pathError("set times of", d.name, err)
		}
	}
	return nil
}
