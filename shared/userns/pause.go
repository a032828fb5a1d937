package userns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// startPause starts a pause process and, once it keeps mapped namespaces,
// records it in pidFile. The caller holds the lock.
func startPause(pidFile string, free func(pid int)) error {
	m, why, err := subordinate()
	if err != nil {
		return err
	}
	if m.single() {
		warn(why)
		return startMapped(pidFile, m, free)
	}
	err = startMapped(pidFile, m, free)
	var refused *mapError
	if errors.As(err, &refused) {
		warn(refused.Error())
		return startMapped(pidFile, idMaps{}, free)
	}
	return err
}

func warn(why string) {
	fmt.Fprintf(os.Stderr, "warning: %s: using a single ID in the user namespace, so images with files of other users can't be used\n", why)
}

func startMapped(pidFile string, m idMaps, free func(pid int)) (err error) {
	// The pause process locks the file before it gets its final name, so no
	// reader sees it without the lock.
	f, err := os.CreateTemp(filepath.Dir(pidFile), ".pause-*")
	if err != nil {
		return err
	}
	defer f.Close()
	defer os.Remove(f.Name())
	p, sock, err := spawnPause(f)
	if err != nil {
		return err
	}
	defer sock.Close()
	defer func() {
		if err != nil {
			p.Kill()
			p.Wait()
			return
		}
		p.Release()
	}()
	if err := await(sock, "lock"); err != nil {
		return err
	}
	if err := await(sock, "unshare"); err != nil {
		return err
	}
	if err := m.write(p.Pid); err != nil {
		return err
	}
	if free != nil {
		free(p.Pid) // before it goes on: until then it ends with this process
	}
	if _, err := sock.Write([]byte{1}); err != nil {
		return fmt.Errorf("wake the pause process: %w", err)
	}
	for _, step := range []string{"become root", "set mount propagation"} {
		if err := await(sock, step); err != nil {
			return err
		}
	}
	if _, err := f.WriteString(strconv.Itoa(p.Pid)); err != nil {
		return err
	}
	return os.Rename(f.Name(), pidFile)
}

// spawnPause starts this program as the pause process, which reports on the
// returned socket.
func spawnPause(pidFile *os.File) (*os.Process, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	sock, theirs := os.NewFile(uintptr(fds[0]), "pause"), os.NewFile(uintptr(fds[1]), "pause")
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		sock.Close()
		return nil, nil, err
	}
	defer null.Close()
	p, err := os.StartProcess("/proc/self/exe", []string{"podman pause"}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{envPause + "=1"},
		Files: []*os.File{null, null, null, theirs, pidFile},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		sock.Close()
		return nil, nil, fmt.Errorf("start the pause process: %w", err)
	}
	return p, sock, nil
}

// await reads one report of the pause process.
func await(sock *os.File, step string) error {
	var b [4]byte
	n, err := sock.Read(b[:])
	if err != nil || n != len(b) {
		return errdef.Newf(errdef.ErrUnavailable, "start the pause process: it ended before step %q", step)
	}
	errno := syscall.Errno(binary.NativeEndian.Uint32(b[:]))
	switch {
	case errno == 0:
		return nil
	case step != "unshare":
		return fmt.Errorf("start the pause process: %s: %w", step, errno)
	case errno == unix.ENOSPC:
		return errdef.Newf(errdef.ErrUnavailable, "make a user namespace: %w: raise the sysctl user.max_user_namespaces", errno)
	}
	return errdef.Newf(errdef.ErrUnavailable, "make a user namespace: %w: this system doesn't allow it to ordinary users (see the sysctls kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns)", errno)
}
