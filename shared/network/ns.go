package network

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network/rules"
	"github.com/podsuite/podsuite/shared/userns"
)

// NewNS makes a network namespace with its loopback up and binds it at path,
// where it stays until RemoveNS. A leftover file there is used, a namespace
// that is bound there already is replaced.
func NewNS(path string) error {
	if err := checkNSPath(path); err != nil {
		return err
	}
	if rules.IsNS(path) {
		if err := RemoveNS(path); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o444)
	if err != nil {
		return fmt.Errorf("make network namespace: %w", err)
	}
	f.Close()
	if err := onOwnThread(func() error { return unshareTo(path) }); err != nil {
		os.Remove(path)
		return fmt.Errorf("make network namespace %q: %w", path, err)
	}
	return nil
}

// unshareTo works on a locked thread.
func unshareTo(path string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
}

// loopbackUp sets lo up in the thread's namespace: one ioctl.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// onOwnThread runs fn on a thread whose network namespace it may change, and
// puts the thread back. A thread that can't be put back is given up.
func onOwnThread(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			runtime.UnlockOSThread()
			result <- err
			return
		}
		err = fn()
		if unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		unix.Close(home)
		result <- err
	}()
	return <-result
}

// RemoveNS takes away a namespace bound at path; that there is none is fine.
// Processes in it keep it until they end.
func RemoveNS(path string) error {
	if err := checkNSPath(path); err != nil {
		return err
	}
	return userns.Unbind(path)
}

func checkNSPath(path string) error {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/" {
		return errdef.Newf(errdef.ErrInvalid, "network namespace path %q is not a clean absolute path", path)
	}
	return nil
}

// openNS opens a network namespace, and nothing else.
func openNS(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	f := os.NewFile(uintptr(fd), path)
	if kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWNET {
		f.Close()
		return nil, errdef.Newf(errdef.ErrInvalid, "%q is not a network namespace", path)
	}
	return f, nil
}
