package fscopy

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Find lists one path, which is taken as it stands, and everything below it.
func (t *Tree) Find(name string) (*Source, error) {
	source, err := t.list(clean(name))
	if err == nil && source == nil {
		return nil, errdef.Newf(errdef.ErrNotFound, "%s is left out", name)
	}
	return source, err
}

// Archive writes the source as a tar to w, without an end mark: call Close on
// the writer for that. The source itself is called name; "" leaves a directory
// itself out, so that what is in it stands at the top.
func (t *Tree) Archive(ctx context.Context, w *tar.Writer, s *Source, name string) error {
	links := map[[2]uint64]string{}
	for i := range s.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := &s.Entries[i]
		at := path.Join(name, strings.TrimPrefix(strings.TrimPrefix(e.Path, s.Name), "/"))
		if at == "" {
			continue
		}
		if err := t.archiveEntry(w, e, at, i == 0, links); err != nil {
			return fmt.Errorf("archive %q: %w", path.Join(t.Dir, e.Path), err)
		}
	}
	return nil
}

func (t *Tree) archiveEntry(w *tar.Writer, e *Entry, at string, top bool, links map[[2]uint64]string) error {
	owner := t.owner(e)
	h := &tar.Header{Name: at, Mode: int64(e.Stat.Mode & 0o7777), Uid: owner.UID, Gid: owner.GID,
		ModTime: time.Unix(e.Stat.Mtim.Unix()), Format: tar.FormatPAX}
	switch e.Stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return t.archiveFile(w, e, h, top, links)
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, at+"/"
	case unix.S_IFLNK:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
	case unix.S_IFCHR:
		h.Typeflag = tar.TypeChar
	case unix.S_IFBLK:
		h.Typeflag = tar.TypeBlock
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	default:
		return nil
	}
	if h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock {
		h.Devmajor, h.Devminor = int64(unix.Major(e.Stat.Rdev)), int64(unix.Minor(e.Stat.Rdev))
	}
	return w.WriteHeader(h)
}

func (t *Tree) archiveFile(w *tar.Writer, e *Entry, h *tar.Header, top bool, links map[[2]uint64]string) error {
	h.Typeflag = tar.TypeReg
	if key := [2]uint64{e.Stat.Dev, e.Stat.Ino}; e.Stat.Nlink > 1 {
		if first, ok := links[key]; ok {
			h.Typeflag, h.Linkname = tar.TypeLink, first
			return w.WriteHeader(h)
		}
		links[key] = h.Name
	}
	f, err := t.openFile(e, top)
	if err != nil {
		return err
	}
	defer f.Close()
	// The size is that of the file which is open now: it may have been
	// written to since it was listed.
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	h.Size = st.Size
	h.PAXRecords = fileXattrs(int(f.Fd()))
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(f, st.Size))
	if err == nil && n < st.Size {
		return errdef.Newf(errdef.ErrConflict, "the file became shorter while it was read")
	}
	return err
}

// fileXattrs reads the attributes that travel with a file: those of users, and
// capabilities. Nil where there are none.
func fileXattrs(fd int) map[string]string {
	names := make([]byte, 64<<10)
	n, err := unix.Flistxattr(fd, names)
	if err != nil || n == 0 {
		return nil
	}
	var records map[string]string
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		if !strings.HasPrefix(name, "user.") && name != "security.capability" {
			continue
		}
		size, err := unix.Fgetxattr(fd, name, value)
		if err != nil {
			continue
		}
		if records == nil {
			records = map[string]string{}
		}
		records["SCHILY.xattr."+name] = string(value[:size])
	}
	return records
}

// OpenEntry opens a source's own file for reading.
func (t *Tree) OpenEntry(e *Entry) (*os.File, error) { return t.openFile(e, true) }
