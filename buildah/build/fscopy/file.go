package fscopy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// job is a regular file to copy.
type job struct {
	e   *Entry
	to  place
	top bool
}

// Files are handed out in batches: the small ones are copied in less time than
// it takes to wake a worker.
const (
	batchFiles = 64
	batchBytes = 8 << 20
)

// enqueue adds a file to the batch, and starts the batch when it is large enough.
func (c *copier) enqueue(j job) {
	c.batch = append(c.batch, j)
	c.batchSize += j.e.Stat.Size
	if len(c.batch) >= batchFiles || c.batchSize >= batchBytes {
		c.flush()
	}
}

func (c *copier) flush() {
	batch := c.batch
	c.batch, c.batchSize = nil, 0
	if len(batch) == 0 {
		return
	}
	c.group.Go(func() error {
		for _, j := range batch {
			if err := c.file(j.e, j.to, j.top); err != nil {
				return err
			}
		}
		return nil
	})
}

// file copies a regular file with its properties.
func (c *copier) file(e *Entry, to place, top bool) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	src, err := c.tree.openRegular(e, top)
	if err != nil {
		return err
	}
	defer unix.Close(src)
	dst, err := c.createBelow(to.fd, to.rel)
	if err != nil {
		return fmt.Errorf("create %q: %w", path.Join(c.o.Dest, to.rel), err)
	}
	defer unix.Close(dst)
	if err := c.content(dst, src, e); err != nil {
		return fmt.Errorf("copy %q: %w", path.Join(c.tree.Dir, e.Path), err)
	}
	if err := c.properties(dst, src, e); err != nil {
		return fmt.Errorf("copy properties of %q: %w", path.Join(c.tree.Dir, e.Path), err)
	}
	return nil
}

// createBelow makes a new file, removing one that is in its place.
func (c *copier) createBelow(top int, rel string) (int, error) {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	fd, err := openFD(top, rel, flags, 0o600, false)
	if !errors.Is(err, fs.ErrExist) {
		return fd, err
	}
	parent, err := openBelow(top, path.Dir(rel), unix.O_PATH|unix.O_DIRECTORY, 0, false)
	if err != nil {
		return -1, err
	}
	defer parent.Close()
	if err := c.replace(int(parent.Fd()), path.Base(rel)); err != nil {
		return -1, err
	}
	return openFD(top, rel, flags, 0o600, false)
}

// content copies bytes: inside the kernel if the digest is known or not asked
// for, else through a buffer that is hashed on the way.
func (c *copier) content(dst, src int, e *Entry) error {
	if e.Digest == "" && c.o.NeedDigests && !c.o.Memory.recall(e) {
		h := sha256.New()
		if err := copyBytes(dst, src, e.Stat.Size, h); err != nil {
			return err
		}
		e.Digest = hex.EncodeToString(h.Sum(nil))
		c.o.Memory.remember(e)
		return nil
	}
	for left := e.Stat.Size; left > 0; {
		n, err := unix.CopyFileRange(src, nil, dst, nil, int(min(left, 1<<30)), 0)
		if err != nil {
			return copyBytes(dst, src, left, nil) // goes on where the kernel stopped
		}
		if n == 0 {
			return nil // it became shorter
		}
		left -= int64(n)
	}
	return nil
}

// copyBytes copies, and hashes if h is not nil, at most size bytes; a dst below
// 0 takes none.
func copyBytes(dst, src int, size int64, h hash.Hash) error {
	buf := make([]byte, min(bufferSize, size))
	for size > 0 {
		n, err := unix.Read(src, buf[:min(int64(len(buf)), size)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		size -= int64(n)
		if h != nil {
			h.Write(buf[:n])
		}
		if dst < 0 {
			continue
		}
		if err := writeAll(dst, buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

func writeAll(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		if err != nil && err != unix.EINTR {
			return err
		}
		p = p[max(n, 0):]
	}
	return nil
}

func (c *copier) properties(dst, src int, e *Entry) error {
	owner, err := c.owner(e)
	if err != nil {
		return err
	}
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
