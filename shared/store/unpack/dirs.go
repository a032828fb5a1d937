package unpack

import (
	"errors"
	"os"
	"strconv"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
	"golang.org/x/sys/unix"
)

// maxOpenDirs bounds the directories that are kept open.
const maxOpenDirs = 64

// dirs opens directories below a root. A path is resolved as if the root were
// the root of the file system: symlinks and ".." never lead out of it.
type dirs struct {
	root *os.File
	open map[string]int // by clean path; descriptors are O_PATH
	// noOpenat2 is set where the kernel (or a filter) lacks openat2.
	noOpenat2 bool
	chown     func(dir int, name string) error // for directories that are made on the way
}

// get opens the directory. The descriptor belongs to d, and is good until the
// next get or forget. With create, missing directories are made.
func (d *dirs) get(dir string, create bool) (int, error) {
	if dir == "." {
		return int(d.root.Fd()), nil
	}
	if fd, ok := d.open[dir]; ok {
		return fd, nil
	}
	fd, err := d.resolve(dir)
	if errors.Is(err, unix.ENOENT) && create {
		fd, err = d.create(dir)
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	if len(d.open) >= maxOpenDirs {
		d.forget()
	}
	d.open[dir] = fd
	return fd, nil
}

// forget closes what is open. It must be called when an entry is removed: a
// path may lead somewhere else then.
func (d *dirs) forget() {
	for dir, fd := range d.open {
		_ = unix.Close(fd)
		delete(d.open, dir)
	}
}

func (d *dirs) resolve(dir string) (int, error) {
	if !d.noOpenat2 {
		for range 100 { // EAGAIN: something was renamed meanwhile
			fd, err := unix.Openat2(int(d.root.Fd()), dir, &unix.OpenHow{
				Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
				Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
			})
			switch err {
			case unix.EAGAIN, unix.EINTR:
				continue
			case unix.ENOSYS, unix.EPERM:
				d.noOpenat2 = true
				return d.walk(dir, false)
			}
			return fd, err
		}
		return -1, unix.EAGAIN
	}
	return d.walk(dir, false)
}

func (d *dirs) create(dir string) (int, error) { return d.walk(dir, true) }

// walk resolves symlinks first and then opens one component after the other,
// following none: should the first step be wrong, the second can't get out.
func (d *dirs) walk(dir string, create bool) (int, error) {
	full, err := securejoin.SecureJoin(d.root.Name(), dir)
	if err != nil {
		return -1, err
	}
	rel := strings.Trim(strings.TrimPrefix(full, d.root.Name()), "/")
	fd, err := unix.Openat(int(d.root.Fd()), ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil || rel == "" {
		return fd, err
	}
	for name := range strings.SplitSeq(rel, "/") {
		if create {
			err = unix.Mkdirat(fd, name, 0o777)
			if err == nil {
				err = d.chown(fd, name)
			}
			if err != nil && err != unix.EEXIST {
				_ = unix.Close(fd)
				return -1, err
			}
		}
		next, err := unix.Openat(fd, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		_ = unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

// removeAll removes the entry, whatever it is.
func removeAll(dir int, name string) error {
	err := unix.Unlinkat(dir, name, 0)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	if err != unix.EISDIR && err != unix.EPERM {
		return err
	}
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := removeAll(fd, n); err != nil {
			return err
		}
	}
	return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
}

// procPath names an entry for the system calls that take no descriptor. They
// must not follow a symlink at its end.
func procPath(dir int, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name
}
