package fscopy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// file copies a regular file with its properties.
func (c *copier) file(e *Entry, to place, top bool) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	src, err := c.tree.openFile(e, top)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := createBelow(int(to.top.Fd()), to.rel)
	if err != nil {
		return fmt.Errorf("create %q: %w", path.Join(c.o.Dest, to.rel), err)
	}
	defer dst.Close()
	if err := c.content(dst, src, e); err != nil {
		return fmt.Errorf("copy %q: %w", path.Join(c.tree.Dir, e.Path), err)
	}
	if err := c.properties(int(dst.Fd()), int(src.Fd()), e); err != nil {
		return fmt.Errorf("copy properties of %q: %w", path.Join(c.tree.Dir, e.Path), err)
	}
	return nil
}

// createBelow makes a new file, removing one that is in its place.
func createBelow(top int, rel string) (*os.File, error) {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	f, err := openBelow(top, rel, flags, 0o600, false)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	parent, err := openBelow(top, path.Dir(rel), unix.O_PATH|unix.O_DIRECTORY, 0, false)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	if err := replace(int(parent.Fd()), path.Base(rel)); err != nil {
		return nil, err
	}
	return openBelow(top, rel, flags, 0o600, false)
}

// content copies bytes: inside the kernel if the digest is known or not asked
// for, else through a buffer that is hashed on the way.
func (c *copier) content(dst, src *os.File, e *Entry) error {
	if e.Digest == "" && c.o.NeedDigests && !c.o.Memory.recall(e) {
		h := sha256.New()
		if err := copyBytes(dst, src, e.Stat.Size, h); err != nil {
			return err
		}
		e.Digest = hex.EncodeToString(h.Sum(nil))
		c.o.Memory.remember(e)
		return nil
	}
	for {
		n, err := unix.CopyFileRange(int(src.Fd()), nil, int(dst.Fd()), nil, 1<<30, 0)
		if err != nil {
			return copyBytes(dst, src, e.Stat.Size, nil) // goes on where the kernel stopped
		}
		if n == 0 {
			return nil
		}
	}
}

func copyBytes(dst, src *os.File, size int64, h hash.Hash) error {
	buf := make([]byte, min(bufferSize, int(size)+512))
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if h != nil {
				h.Write(buf[:n])
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *copier) properties(dst, src int, e *Entry) error {
	owner := c.owner(e)
	if err := unix.Fchown(dst, owner.UID, owner.GID); err != nil {
		return err
	}
	if err := unix.Fchmod(dst, c.mode(e)); err != nil {
		return err
	}
	if err := copyXattrs(dst, src); err != nil {
		return err
	}
	return setTimes(dst, c.times(e))
}

// copyXattrs copies the attributes that mean the same elsewhere.
func copyXattrs(dst, src int) error {
	n, err := unix.Flistxattr(src, nil)
	if err != nil || n == 0 {
		return nil // none, or a file system that has none
	}
	list := make([]byte, n)
	if n, err = unix.Flistxattr(src, list); err != nil {
		return nil
	}
	for _, name := range strings.Split(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		if name != "security.capability" && !strings.HasPrefix(name, "user.") {
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Fgetxattr(src, name, value)
		if err != nil {
			continue
		}
		if err := unix.Fsetxattr(dst, name, value[:n], 0); err != nil && err != unix.ENOTSUP && err != unix.EPERM {
			return fmt.Errorf("set attribute %s: %w", name, err)
		}
	}
	return nil
}

// MkdirAll opens a directory below the open directory root, following links
// inside it, and makes what is missing with the owner and mode 0755.
func MkdirAll(root int, dir string, owner Owner, times *time.Time) (*os.File, error) {
	name := clean(dir)
	const flags = unix.O_PATH | unix.O_DIRECTORY
	f, err := openBelow(root, name, flags, 0, true)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.ENOTDIR) {
		return nil, errdef.Newf(errdef.ErrInvalid, "destination %s already exists but is not a directory", dir)
	}
	if !errors.Is(err, fs.ErrNotExist) || name == "" {
		return nil, fmt.Errorf("open directory %q: %w", dir, err)
	}
	parent, err := MkdirAll(root, path.Dir("/"+name), owner, times)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	base := path.Base(name)
	if err := unix.Mkdirat(int(parent.Fd()), base, 0o755); err != nil {
		return nil, fmt.Errorf("make directory %q: %w", dir, err)
	}
	f, err = openBelow(int(parent.Fd()), base, unix.O_RDONLY|unix.O_DIRECTORY, 0, false)
	if err != nil {
		return nil, err
	}
	err = unix.Fchown(int(f.Fd()), owner.UID, owner.GID)
	if err == nil {
		err = unix.Fchmod(int(f.Fd()), 0o755)
	}
	if err == nil && times != nil {
		t := unix.NsecToTimespec(times.UnixNano())
		err = setTimes(int(f.Fd()), &[2]unix.Timespec{t, t})
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("make directory %q: %w", dir, err)
	}
	return f, nil
}
