package rootfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// tries bounds how often the kernel may ask to resolve a path again because
// something was renamed meanwhile.
const tries = 64

// openRoot gives a handle of a root directory. The root itself is the
// caller's path and trusted.
func openRoot(root string) (int, error) {
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open root", Path: root, Err: err}
	}
	return fd, nil
}

// openIn resolves name below the directory rootfd.
func openIn(rootfd int, name string, flags int, perm os.FileMode) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	if flags&unix.O_CREAT != 0 {
		how.Mode = uint64(perm.Perm())
	}
	for range tries {
		fd, err := unix.Openat2(rootfd, name, &how)
		switch {
		case err == nil:
			return fd, nil
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOSYS):
			return -1, errdef.Newf(errdef.ErrUnsupported, "open %q in a container: the kernel is older than 5.6", name)
		}
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return -1, &os.PathError{Op: "open", Path: name, Err: unix.EAGAIN}
}

// within runs f with a handle of root.
func within[T any](root string, f func(rootfd int) (T, error)) (T, error) {
	fd, err := openRoot(root)
	if err != nil {
		var none T
		return none, err
	}
	defer unix.Close(fd)
	return f(fd)
}

// Open opens a file for reading, or a directory. A device or a pipe is
// refused: to open one can block, or act on the host's hardware.
func Open(root, name string) (*os.File, error) {
	return OpenFile(root, name, os.O_RDONLY, 0)
}

// OpenFile opens a regular file or directory as os.OpenFile does. With
// os.O_CREATE the name's last link, if it is one, is followed within root.
func OpenFile(root, name string, flags int, perm os.FileMode) (*os.File, error) {
	return within(root, func(rootfd int) (*os.File, error) {
		// A pipe without a writer, or a terminal, must not hold us up.
		fd, err := openIn(rootfd, name, flags|unix.O_NONBLOCK|unix.O_NOCTTY, perm)
		if err != nil {
			return nil, err
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
			return nil, &os.PathError{Op: "stat", Path: name, Err: err}
		}
		if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR {
			unix.Close(fd)
			return nil, errdef.Newf(errdef.ErrInvalid, "open %q: not a regular file or directory", name)
		}
		return os.NewFile(uintptr(fd), name), nil
	})
}

// ReadFile reads a regular file of at most limit bytes.
func ReadFile(root, name string, limit int64) ([]byte, error) {
	f, err := Open(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, errdef.Newf(errdef.ErrInvalid, "read %q: larger than %d bytes", name, limit)
	}
	return data, nil
}

// Stat describes what name leads to, links followed.
func Stat(root, name string) (os.FileInfo, error) { return stat(root, name, 0) }

// Lstat describes name itself, which may be a link.
func Lstat(root, name string) (os.FileInfo, error) { return stat(root, name, unix.O_NOFOLLOW) }

func stat(root, name string, flags int) (os.FileInfo, error) {
	return within(root, func(rootfd int) (os.FileInfo, error) {
		fd, err := openIn(rootfd, name, unix.O_PATH|flags, 0)
		if err != nil {
			return nil, err
		}
		f := os.NewFile(uintptr(fd), path.Base(name))
		defer f.Close()
		return f.Stat()
	})
}

// ResolvePath gives the place of name as a path below root without links, for
// messages and for mounts made before the container runs. What the path leads
// to can change once a process of the container runs.
func ResolvePath(root, name string) (string, error) {
	return within(root, func(rootfd int) (string, error) {
		fd, err := openIn(rootfd, name, unix.O_PATH, 0)
		if err != nil {
			return "", err
		}
		defer unix.Close(fd)
		return procPath(fd)
	})
}

// procPath is the path of an open file, as the kernel has it.
func procPath(fd int) (string, error) {
	p, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return "", fmt.Errorf("resolve path: %w", err)
	}
	return p, nil
}
