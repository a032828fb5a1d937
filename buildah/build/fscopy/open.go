package fscopy

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// open opens a path below the tree. With follow symbolic links are resolved as
// if the tree were the root directory; without it there may be none.
func (t *Tree) open(name string, flags int, follow bool) (*os.File, error) {
	return openBelow(int(t.root.Fd()), name, flags, 0, follow)
}

func openBelow(root int, name string, flags int, mode uint32, follow bool) (*os.File, error) {
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
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), name), nil
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
