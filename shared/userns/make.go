package userns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Namespaces says what Make makes, and where it is bound.
type Namespaces struct {
	Maps Maps   // of a new user namespace
	Join string // the user namespace to use instead of a new one
	User string // where the new user namespace is bound
	Net  string // where a network namespace of its own is bound; "" is none

	with func(pid int) error // called with a process that is in them; nothing is bound then
}

// Make makes a user namespace, and a network namespace that belongs to it, its
// loopback up, and binds them to files, where they stay without any process
// until Unbind. What is bound there already is replaced.
func Make(n Namespaces) error {
	if err := n.make(); err != nil {
		return errors.Join(fmt.Errorf("make user namespace: %w", err), Unbind(n.User), Unbind(n.Net))
	}
	return nil
}

// Open makes a user namespace that is there while the file is open, to map the
// owners of a mount.
func Open(m Maps) (*os.File, error) {
	var f *os.File
	n := Namespaces{Maps: m, with: func(pid int) (err error) {
		f, err = os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
		return err
	}}
	if err := n.make(); err != nil {
		return nil, fmt.Errorf("make user namespace: %w", err)
	}
	return f, nil
}

// MapsAt returns the ID maps of the user namespace at path, as seen from here.
func MapsAt(path string) (m Maps, err error) {
	n := Namespaces{Join: path, with: func(pid int) (err error) {
		m, err = MapsOf(pid)
		return err
	}}
	if err := n.make(); err != nil {
		return Maps{}, fmt.Errorf("join user namespace %q: %w", path, err)
	}
	return m, nil
}

func (n *Namespaces) make() error {
	user, flags := -1, 0
	if n.Join != "" {
		f, err := os.OpenFile(n.Join, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0) // it may be a pipe
		if err != nil {
			return err
		}
		defer f.Close()
		user = int(f.Fd())
	} else {
		flags |= unix.CLONE_NEWUSER
	}
	if n.Net != "" {
		flags |= unix.CLONE_NEWNET
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours := os.NewFile(uintptr(pair[0]), "namespaces")
	defer ours.Close()
	// The kernel ends the child with the thread that made it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := fork(user, flags, pair[1])
	unix.Close(pair[1])
	if err != nil {
		return err
	}
	defer func() {
		unix.Kill(pid, unix.SIGKILL)
		for {
			if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
				return
			}
		}
	}()
	var report [4]byte
	if _, err := ours.Read(report[:]); err != nil {
		return fmt.Errorf("the process that makes it ended: %w", err)
	}
	if errno := syscall.Errno(binary.NativeEndian.Uint32(report[:])); errno == unix.ENOSPC {
		return errdef.Newf(errdef.ErrUnavailable, "%w: raise the sysctl user.max_user_namespaces", errno)
	} else if errno != 0 {
		return errno
	}
	if n.Join == "" {
		if err := WriteMaps(pid, n.Maps); err != nil {
			return err
		}
	}
	if n.with != nil {
		return n.with(pid)
	}
	if n.Join == "" {
		if err := bindNS(pid, "user", n.User); err != nil {
			return err
		}
	}
	if n.Net == "" {
		return nil
	}
	return bindNS(pid, "net", n.Net)
}

// WriteMaps gives the new user namespace of a process its IDs.
func WriteMaps(pid int, m Maps) error {
	for _, f := range []struct {
		name string
		maps []IDMap
	}{{"uid_map", m.UIDs}, {"gid_map", m.GIDs}} {
		var text strings.Builder
		for _, x := range f.maps {
			fmt.Fprintf(&text, "%d %d %d\n", x.ContainerID, x.HostID, x.Size)
		}
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, f.name), []byte(text.String()), 0); err != nil {
			if errors.Is(err, unix.EPERM) {
				err = fmt.Errorf("%w: not all of these IDs are this user's", unix.EPERM)
			}
			return fmt.Errorf("write %s %q: %w", f.name, strings.TrimSpace(text.String()), err)
		}
	}
	return nil
}

// bindNS binds a namespace of the process at path.
func bindNS(pid int, kind, path string) error {
	if err := Unbind(path); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o444)
	if err != nil {
		return err
	}
	f.Close()
	return unix.Mount(fmt.Sprintf("/proc/%d/ns/%s", pid, kind), path, "", unix.MS_BIND, "")
}

// Unbind takes away a namespace that is bound at path; that there is none is
// fine. Processes in it keep it until they end.
func Unbind(path string) error {
	if path == "" {
		return nil
	}
	var st unix.Statfs_t
	for unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC { // it may be bound more than once
		if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && err != unix.EINVAL && err != unix.ENOENT {
			return fmt.Errorf("remove namespace %q: %w", path, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove namespace: %w", err)
	}
	return nil
}
