package fscopy

import (
	"os"
	"path"
	"unsafe"

	"golang.org/x/sys/unix"
)

// open opens a path below the tree. With follow symbolic links are resolved as
// if the tree were the root directory; without it there may be none.
func (t *Tree) open(name string, flags int, follow bool) (*os.File, error) {
	return openBelow(int(t.root.Fd()), name, flags, 0, follow)
}

func openBelow(root int, name string, flags int, mode uint32, follow bool) (*os.File, error) {
	fd, err := openFD(root, name, flags, mode, follow)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openFD is openBelow without an *os.File around the descriptor, which would
// cost more system calls than the copy of a small file.
func openFD(root int, name string, flags int, mode uint32, follow bool) (int, error) {
	if name == "" {
		name = "."
	}
	how := unix.OpenHow{Flags: uint64(flags) | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if flags&unix.O_CREAT != 0 {
		how.Mode = uint64(mode)
	}
	if follow {
		how.Resolve |= unix.RESOLVE_IN_ROOT
	} else {
		how.Resolve |= unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS
	}
	for {
		fd, err := unix.Openat2(root, name, &how)
		// A rename elsewhere in the file system makes the kernel ask to retry.
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: name, Err: err}
		}
		return fd, nil
	}
}

func readlink(f *os.File) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(f.Fd()), "", buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// setTimes sets the times of the open file itself.
func setTimes(fd int, times *[2]unix.Timespec) error {
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(times)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// OpenRoot opens a root directory for RemoveEmpty.
func OpenRoot(dir string) (*os.File, error) {
	return os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// RemoveEmpty removes an empty file or directory inside the root, and leaves
// anything else.
func RemoveEmpty(root *os.File, name string) error {
	parent, err := openBelow(int(root.Fd()), clean(path.Dir(name)), unix.O_PATH|unix.O_DIRECTORY, 0, true)
	if err != nil {
		return err
	}
	defer parent.Close()
	var st unix.Stat_t
	fd, base := int(parent.Fd()), path.Base(name)
	if err := unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		err = unix.Unlinkat(fd, base, unix.AT_REMOVEDIR)
		if err == unix.ENOTEMPTY {
			err = nil
		}
	case st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size == 0:
		err = unix.Unlinkat(fd, base, 0)
	}
	return err
}
