package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/userns"
	"golang.org/x/sys/unix"
)

// view is a container's root directory as its processes see it, volumes and
// other mounts included. Its path is good until it is closed.
type view struct {
	path  string
	close func()
}

// openView opens the container's root: that of its process, or where none
// runs the mounted layer with the container's volumes on it. The container
// must be locked, so that it isn't started or removed meanwhile.
func (e *Engine) openView(c *container.Config) (*view, error) {
	if s := e.status(c.ID); s.Running() {
		return e.liveView(c, s.Pid)
	}
	root, err := e.mountRoot(c)
	if err != nil {
		return nil, err
	}
	v, err := stoppedView(root, c.Mounts)
	if err != nil {
		return nil, closeAfter(err, func() { e.Store.Unmount(c.ID, false) })
	}
	inner := v.close
	v.close = func() {
		inner()
		e.Store.Unmount(c.ID, false)
	}
	return v, nil
}

func closeAfter(err error, f func()) error {
	f()
	return err
}

// liveView is the root of a running process. The look at the process after
// the root is open makes sure that it is this one's.
func (e *Engine) liveView(c *container.Config, pid int) (*view, error) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open root of container %q: %w", c.Name, err)
	}
	pidfd, _, err := e.initHandle(c.ID)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	unix.Close(pidfd)
	return fdView(fd, func() { unix.Close(fd) }), nil
}

func fdView(fd int, end func()) *view {
	return &view{path: "/proc/self/fd/" + strconv.Itoa(fd), close: end}
}

// stoppedView mounts the volumes and host directories of a container on its
// root in a mount namespace that a thread of ours has for itself: nobody else
// sees them, and links in the container lead to what they would lead to in it.
func stoppedView(root string, mounts []container.Mount) (*view, error) {
	type result struct {
		fd  int
		err error
	}
	opened, done := make(chan result), make(chan struct{})
	go userns.OnThread(func() {
		fd, err := mountView(root, mounts)
		opened <- result{fd, err}
		<-done
		if err == nil {
			unix.Close(fd)
		}
	})
	r := <-opened
	if r.err != nil {
		close(done)
		return nil, r.err
	}
	return fdView(r.fd, func() { close(done) }), nil
}

// mountView gives the calling thread a mount namespace with the container's
// mounts in it, and opens the root there.
func mountView(root string, mounts []container.Mount) (fd int, err error) {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return -1, fmt.Errorf("make mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return -1, fmt.Errorf("make mount namespace: %w", err)
	}
	for i := range mounts {
		m := &mounts[i]
		if m.Type != "volume" && m.Type != "bind" || m.Source == "" || m.Has("O") || m.SubPath != "" {
			continue
		}
		// A place that isn't there yet is made when the container starts.
		at, err := rootfs.ResolvePath(root, m.Destination)
		if err != nil {
			continue
		}
		if err := bindOver(m, at); err != nil {
			return -1, fmt.Errorf("mount %s: %w", m.Destination, err)
		}
	}
	fd, err = unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open root: %w", err)
	}
	return fd, nil
}

func bindOver(m *container.Mount, at string) error {
	if _, err := os.Stat(m.Source); err != nil {
		return nil // its source is gone: there is nothing to be seen of it
	}
	if err := unix.Mount(m.Source, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if !m.Has("ro") {
		return nil
	}
	return unix.Mount("", at, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// inView is the path of a file of the view from its root on, links resolved.
func (v *view) inView(name string) (string, error) {
	root, err := rootfs.ResolvePath(v.path, "/")
	if err != nil {
		return "", err
	}
	at, err := rootfs.ResolvePath(v.path, name)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(root, at); err == nil && filepath.IsLocal(rel) {
		return "/" + rel, nil
	}
	return at, nil
}
