package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// TTYGroup is the group of terminals on every Linux distribution.
const TTYGroup = 5

// groupMapped tells whether a group exists in this process's user namespace.
func groupMapped(gid int) bool {
	data, err := os.ReadFile("/proc/self/gid_map")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		first, err1 := strconv.ParseInt(f[0], 10, 64)
		count, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 == nil && err2 == nil && int64(gid) >= first && int64(gid) < first+count {
			return true
		}
	}
	return false
}

// HostDevice describes a device node of the host for a container.
func HostDevice(path string) (specs.LinuxDevice, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return specs.LinuxDevice{}, fmt.Errorf("stat %s: %w", path, err)
	}
	d := specs.LinuxDevice{Path: path, Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev)), UID: &st.Uid, GID: &st.Gid}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		d.Type = "c"
	case unix.S_IFBLK:
		d.Type = "b"
	case unix.S_IFIFO:
		d.Type = "p"
	default:
		return specs.LinuxDevice{}, errdef.Newf(errdef.ErrInvalid, "%s is not a device", path)
	}
	mode := os.FileMode(st.Mode & 0o7777)
	d.FileMode = &mode
	return d, nil
}

// HostDevices lists the host's device nodes, for a privileged container. The
// container's own /dev/pts, /dev/shm, /dev/mqueue and /dev/console stay its
// own.
func HostDevices() ([]specs.LinuxDevice, error) {
	var devices []specs.LinuxDevice
	err := filepath.WalkDir("/dev", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
				return nil
			}
			return err
		}
		switch {
		case e.IsDir() && ownDeviceDir(path):
			return filepath.SkipDir
		case e.Type()&os.ModeDevice == 0 || path == "/dev/console":
			return nil
		}
		d, err := HostDevice(path)
		if err != nil {
			// It went away, or may not be looked at: the container has it not.
			return nil
		}
		devices = append(devices, d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	return devices, nil
}

func ownDeviceDir(path string) bool {
	switch path {
	case "/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/fd":
		return true
	}
	return false
}
