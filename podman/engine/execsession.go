package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
)

// execDir holds, in a container's directory on the run root, a file for each
// process that was started in it with exec: its ID, and in it the pid with the
// time of its start.
const execDir = "exec"

// keepExec records a process, so that inspect can tell of it.
func (e *Engine) keepExec(container, id string, pid int) error {
	dir := filepath.Join(e.Store.ContainerRunDir(container), execDir)
	start, _ := monitor.PidStart(pid)
	record := []byte(strconv.Itoa(pid) + " " + strconv.FormatUint(start, 10) + "\n")
	err := os.WriteFile(filepath.Join(dir, id), record, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Mkdir(dir, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			err = os.WriteFile(filepath.Join(dir, id), record, 0o600)
		}
	}
	if err != nil {
		return fmt.Errorf("record exec session: %w", err)
	}
	return nil
}

// forgetExec drops the record of a process that has ended.
func (e *Engine) forgetExec(container, id string) error {
	err := os.Remove(filepath.Join(e.Store.ContainerRunDir(container), execDir, filepath.Base(id)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// execIDs lists the processes of exec that run.
func (e *Engine) execIDs(container string) []string {
	dir := filepath.Join(e.Store.ContainerRunDir(container), execDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return []string{}
	}
	ids := []string{}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			continue
		}
		pid, start, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
		s := monitor.State{}
		s.Pid, _ = strconv.Atoi(pid)
		s.PidStart, _ = strconv.ParseUint(start, 10, 64)
		if s.Alive() {
			ids = append(ids, entry.Name())
		}
	}
	slices.Sort(ids)
	return ids
}

// CleanupExec drops what a process of exec has left.
func (e *Engine) CleanupExec(nameOrID, session string) error {
	c, err := e.Lookup(nameOrID)
	if err != nil {
		return err
	}
	return e.forgetExec(c.ID, session)
}

// preserved opens what of this process's descriptors is passed on: the first
// so many behind the standard ones, and single ones. The list is what the
// process gets from descriptor 3 on; nil stays closed there.
func preserved(count uint, single []uint) ([]*os.File, error) {
	if count > 0 && len(single) > 0 {
		return nil, errdef.Newf(errdef.ErrInvalid, "cannot specify both --preserve-fds and --preserve-fd")
	}
	last := 2 + count
	for _, fd := range single {
		if fd <= 2 {
			return nil, &errdef.Exit{Code: 126, Err: errdef.Newf(errdef.ErrInvalid, "cannot preserve FD %d: the standard streams are attached, or not, by options of their own", fd)}
		}
		last = max(last, fd)
	}
	const limit = 1 << 16
	if last > limit {
		return nil, fmt.Errorf("descriptor %d is beyond the limit", last)
	}
	var files []*os.File
	for fd := uint(3); fd <= last; fd++ {
		if fd > 2+count && !slices.Contains(single, fd) {
			files = append(files, nil)
			continue
		}
		// What this process opened itself is closed on exec, what it inherited is not.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
			option := "preserve-fds"
			if slices.Contains(single, fd) {
				option = "preserve-fd"
			}
			return nil, fmt.Errorf("file descriptor %d is not available - the %s option requires that file descriptors must be passed", fd, option)
		}
		files = append(files, os.NewFile(uintptr(fd), "descriptor "+strconv.Itoa(int(fd))))
	}
	return files, nil
}
