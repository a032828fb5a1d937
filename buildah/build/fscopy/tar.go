package fscopy

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// WriteTar writes all that is in the tree as a tar archive, names sorted; links
// between files and extended attributes are kept.
func (t *Tree) WriteTar(ctx context.Context, out io.Writer) error {
	sources, err := t.List([]string{"."})
	if err != nil {
		return err
	}
	w := &tarWriter{tree: t, tar: tar.NewWriter(out), links: map[[2]uint64]string{}}
	for i := range sources[0].Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.entry(&sources[0].Entries[i]); err != nil {
			return fmt.Errorf("archive %q: %w", path.Join(t.Dir, sources[0].Entries[i].Path), err)
		}
	}
	return w.tar.Close()
}

type tarWriter struct {
	tree  *Tree
	tar   *tar.Writer
	links map[[2]uint64]string // name of the first of several
}

func (w *tarWriter) entry(e *Entry) error {
	if e.Path == "" {
		return nil
	}
	owner := w.tree.owner(e)
	h := &tar.Header{
		Name: e.Path, Mode: int64(e.Stat.Mode & 0o7777), Uid: owner.UID, Gid: owner.GID, Format: tar.FormatPAX,
		ModTime: time.Unix(e.Stat.Mtim.Sec, e.Stat.Mtim.Nsec),
	}
	switch e.Stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return w.file(h, e)
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		attributes, err := w.attributesAt(e)
		if err != nil {
			return err
		}
		h.PAXRecords = attributes
	case unix.S_IFLNK:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFCHR, unix.S_IFBLK:
		h.Typeflag = tar.TypeChar
		if e.Stat.Mode&unix.S_IFMT == unix.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = int64(unix.Major(e.Stat.Rdev)), int64(unix.Minor(e.Stat.Rdev))
	default:
		return nil
	}
	return w.tar.WriteHeader(h)
}

func (w *tarWriter) file(h *tar.Header, e *Entry) error {
	if e.Stat.Nlink > 1 {
		key := [2]uint64{e.Stat.Dev, e.Stat.Ino}
		if first, ok := w.links[key]; ok {
			h.Typeflag, h.Linkname = tar.TypeLink, first
			return w.tar.WriteHeader(h)
		}
		w.links[key] = e.Path
	}
	f, err := w.tree.openFile(e, false)
	if err != nil {
		return err
	}
	defer f.Close()
	if h.PAXRecords, err = attributes(int(f.Fd())); err != nil {
		return err
	}
	h.Typeflag, h.Size = tar.TypeReg, e.Stat.Size
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.Copy(w.tar, io.LimitReader(f, h.Size))
	if err == nil && n < h.Size {
		err = io.ErrUnexpectedEOF // somebody made it shorter
	}
	return err
}

func (w *tarWriter) attributesAt(e *Entry) (map[string]string, error) {
	f, err := w.tree.open(e.Path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, true)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return attributes(int(f.Fd()))
}

// attributes are the file's extended attributes as the archive's records.
func attributes(fd int) (map[string]string, error) {
	names := make([]byte, 64<<10)
	n, err := unix.Flistxattr(fd, names)
	if errors.Is(err, unix.ENOTSUP) || n == 0 && err == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	records := map[string]string{}
	value := make([]byte, 64<<10)
	for _, name := range strings.Split(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		if strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay.") || name == "security.selinux" {
			continue
		}
		size, err := unix.Fgetxattr(fd, name, value)
		if err != nil {
			return nil, err
		}
		records["SCHILY.xattr."+name] = string(value[:size])
	}
	return records, nil
}
