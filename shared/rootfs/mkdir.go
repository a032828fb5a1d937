package rootfs

import (
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// MkdirAll makes a directory and its missing parents, each with the
// permissions and the owner given. What is there stays as it is. Links on the
// way are followed within root; one that leads nowhere is an error.
func MkdirAll(root, name string, perm os.FileMode, uid, gid int) error {
	_, err := within(root, func(rootfd int) (struct{}, error) {
		return struct{}{}, mkdirAll(rootfd, name, perm, uid, gid)
	})
	return err
}

func mkdirAll(rootfd int, name string, perm os.FileMode, uid, gid int) error {
	at, err := unix.Dup(rootfd)
	if err != nil {
		return &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	defer func() { unix.Close(at) }()
	done := ""
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+name), "/"), "/") {
		if part == "" {
			continue
		}
		done += "/" + part
		next, err := openIn(rootfd, done, unix.O_PATH|unix.O_DIRECTORY, 0)
		if errors.Is(err, os.ErrNotExist) {
			next, err = mkdirAt(at, part, perm, uid, gid)
		}
		if err != nil {
			return err
		}
		unix.Close(at)
		at = next
	}
	return nil
}

// mkdirAt makes one directory in an open one and opens it. A link that takes
// its place meanwhile is not followed.
func mkdirAt(dirfd int, name string, perm os.FileMode, uid, gid int) (int, error) {
	err := unix.Mkdirat(dirfd, name, uint32(perm.Perm()))
	made := err == nil
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	fd, err := unix.Openat(dirfd, name, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	if !made {
		return fd, nil
	}
	// The umask of this process has no say; a change of owner clears bits.
	err = unix.Fchown(fd, uid, gid)
	if err == nil {
		err = unix.Fchmod(fd, modeBits(perm))
	}
	if err != nil {
		unix.Close(fd)
		return -1, &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return fd, nil
}

// Symlink makes a link in a directory that is made where it is missing. What
// has the name already stays, whatever it is.
func Symlink(root, target, name string, uid, gid int) error {
	_, err := within(root, func(rootfd int) (struct{}, error) {
		dir, base := path.Split(path.Clean("/" + name))
		if err := mkdirAll(rootfd, dir, 0o755, uid, gid); err != nil {
			return struct{}{}, err
		}
		fd, err := openIn(rootfd, dir, unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return struct{}{}, err
		}
		defer unix.Close(fd)
		if err = unix.Symlinkat(target, fd, base); errors.Is(err, unix.EEXIST) {
			return struct{}{}, nil
		}
		if err == nil {
			err = unix.Fchownat(fd, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
		}
		if err != nil {
			return struct{}{}, &os.PathError{Op: "symlink", Path: name, Err: err}
		}
		return struct{}{}, nil
	})
	return err
}

// modeBits translates permissions with the set-ID and sticky bits.
func modeBits(m os.FileMode) uint32 {
	bits := uint32(m.Perm())
	if m&os.ModeSetuid != 0 {
		bits |= unix.S_ISUID
	}
	if m&os.ModeSetgid != 0 {
		bits |= unix.S_ISGID
	}
	if m&os.ModeSticky != 0 {
		bits |= unix.S_ISVTX
	}
	return bits
}
