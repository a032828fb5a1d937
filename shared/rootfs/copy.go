package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// CopyOut copies what a directory of the container holds into dest, a
// directory of the caller, with owners, modes, times and extended attributes;
// dest gets those of the directory itself. Links are copied as links. A
// missing directory is os.ErrNotExist; one that is no directory is left out.
func CopyOut(root, name, dest string) error {
	src, err := Open(root, name)
	if err != nil {
		return err
	}
	defer src.Close()
	if st, err := src.Stat(); err != nil || !st.IsDir() {
		return err
	}
	dst, err := os.Open(dest)
	if err != nil {
		return fmt.Errorf("copy out of container: %w", err)
	}
	defer dst.Close()
	c := copier{links: map[[2]uint64]string{}, base: dst}
	if err := c.dir(src, dst, "."); err != nil {
		return fmt.Errorf("copy %q out of container: %w", name, err)
	}
	return nil
}

// copier copies a tree between open directories, name by name, so that no
// path is ever resolved twice. links remembers files with several names.
type copier struct {
	links map[[2]uint64]string
	base  *os.File
}

func (c *copier) dir(src, dst *os.File, at string) error {
	entries, err := src.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := c.entry(src, dst, e.Name(), path.Join(at, e.Name())); err != nil {
			return err
		}
	}
	return copyMeta(int(src.Fd()), int(dst.Fd()))
}

func (c *copier) entry(src, dst *os.File, name, at string) error {
	var st unix.Stat_t
	sfd, dfd := int(src.Fd()), int(dst.Fd())
	if err := unix.Fstatat(sfd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return pathError("stat", name, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return c.subdir(sfd, dfd, name, at)
	case unix.S_IFREG:
		return c.file(sfd, dfd, name, at, &st)
	case unix.S_IFLNK:
		return copyLink(sfd, dfd, name, &st)
	case unix.S_IFSOCK:
		return nil // means nothing without its listener
	}
	if err := unix.Mknodat(dfd, name, st.Mode, int(st.Rdev)); err != nil {
		return pathError("mknod", name, err)
	}
	return chownAt(dfd, name, &st)
}

func (c *copier) subdir(sfd, dfd int, name, at string) error {
	if err := unix.Mkdirat(dfd, name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return pathError("mkdir", name, err)
	}
	src, err := openAt(sfd, name, unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := openAt(dfd, name, unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer dst.Close()
	return c.dir(src, dst, at)
}

func (c *copier) file(sfd, dfd int, name, at string, st *unix.Stat_t) error {
	id := [2]uint64{st.Dev, st.Ino}
	if st.Nlink > 1 {
		if first, ok := c.links[id]; ok {
			return pathError("link", name, unix.Linkat(int(c.base.Fd()), first, dfd, name, 0))
		}
		c.links[id] = at
	}
	src, err := openAt(sfd, name, unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	defer src.Close()
	fd, err := unix.Openat(dfd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return pathError("create", name, err)
	}
	dst := os.NewFile(uintptr(fd), name)
	_, err = io.Copy(dst, src)
	if err == nil {
		err = copyMeta(int(src.Fd()), fd)
	}
	return errors.Join(err, dst.Close())
}

func copyLink(sfd, dfd int, name string, st *unix.Stat_t) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(sfd, name, buf)
	if err != nil {
		return pathError("readlink", name, err)
	}
	if err := unix.Symlinkat(string(buf[:n]), dfd, name); err != nil {
		return pathError("symlink", name, err)
	}
	if err := unix.Fchownat(dfd, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return pathError("chown", name, err)
	}
	return pathError("set times of", name, unix.UtimesNanoAt(dfd, name, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW))
}

func chownAt(dfd int, name string, st *unix.Stat_t) error {
	if err := unix.Fchownat(dfd, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return pathError("chown", name, err)
	}
	return pathError("chmod", name, unix.Fchmodat(dfd, name, st.Mode&0o7777, 0))
}

// copyMeta gives one open file the attributes of another.
func copyMeta(from, to int) error {
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if err := unix.Fchown(to, int(st.Uid), int(st.Gid)); err != nil {
		return fmt.Errorf("chown: %w", err)
	}
	if err := copyXattrs(from, to); err != nil {
		return err
	}
	if err := unix.Fchmod(to, st.Mode&0o7777); err != nil {
		return fmt.Errorf("chmod: %w", err)
	}
	times := []unix.Timeval{unix.NsecToTimeval(st.Atim.Nano()), unix.NsecToTimeval(st.Mtim.Nano())}
	if err := unix.Futimes(to, times); err != nil {
		return fmt.Errorf("set times: %w", err)
	}
	return nil
}

// copyXattrs copies user attributes and file capabilities.
func copyXattrs(from, to int) error {
	list := make([]byte, 64<<10)
	n, err := unix.Flistxattr(from, list)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		if !strings.HasPrefix(name, "user.") && name != "security.capability" {
			continue
		}
		size, err := unix.Fgetxattr(from, name, value)
		if err != nil {
			return fmt.Errorf("read extended attribute %q: %w", name, err)
		}
		if err := unix.Fsetxattr(to, name, value[:size], 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("write extended attribute %q: %w", name, err)
		}
	}
	return nil
}

// openAt opens a name of an open directory for reading, never a link.
func openAt(dirfd int, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: name, Err: err}
}

// ChownTree gives a directory and all it holds to an owner. Links are changed
// themselves, never what they lead to.
func ChownTree(r *os.Root, uid, gid int) error {
	return fs.WalkDir(r.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("change owner: %w", err)
		}
		if err := r.Lchown(name, uid, gid); err != nil {
			return fmt.Errorf("change owner: %w", err)
		}
		return nil
	})
}
