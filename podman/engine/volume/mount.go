package volume

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
)

// Mount mounts the volume's file system on its data directory. The kernel
// mounts what needs no helper; for the rest mount(8) is asked, which knows
// the helpers that are installed.
func (v *Volume) Mount() error {
	kind, device := v.Options["type"], v.Options["device"]
	flags, data := v.mountFlags()
	var err error
	switch {
	case flags&unix.MS_BIND != 0:
		err = v.bind(device, flags)
	case kind == "tmpfs":
		err = unix.Mount("tmpfs", v.Mountpoint, "tmpfs", flags, strings.Join(data, ","))
	default:
		return v.mountProgram(kind, device)
	}
	if err != nil {
		return fmt.Errorf("mount volume %s: %w", v.Name, err)
	}
	return nil
}

func (v *Volume) bind(device string, flags uintptr) error {
	if err := unix.Mount(device, v.Mountpoint, "", flags&(unix.MS_BIND|unix.MS_REC), ""); err != nil {
		return err
	}
	if rest := flags &^ (unix.MS_BIND | unix.MS_REC); rest != 0 {
		err := unix.Mount("", v.Mountpoint, "", unix.MS_BIND|unix.MS_REMOUNT|rest, "")
		if err != nil {
			return errors.Join(err, unix.Unmount(v.Mountpoint, unix.MNT_DETACH))
		}
	}
	return nil
}

// mountFlags reads the options that are flags of mount(2), and the others,
// which are for the file system. Those of podman alone are left out.
func (v *Volume) mountFlags() (flags uintptr, data []string) {
	known := map[string]uintptr{"ro": unix.MS_RDONLY, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "sync": unix.MS_SYNCHRONOUS,
		"dirsync": unix.MS_DIRSYNC, "noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME, "relatime": unix.MS_RELATIME,
		"strictatime": unix.MS_STRICTATIME, "bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC}
	if v.Options["type"] == "bind" {
		flags |= unix.MS_BIND
	}
	for o := range strings.SplitSeq(v.Options["o"], ",") {
		flag, isFlag := known[o]
		switch {
		case isFlag:
			flags |= flag
		case o == "" || o == "rw" || o == "suid" || o == "dev" || o == "exec" || o == "async" || o == "defaults" || o == "noquota":
		default:
			data = append(data, o)
		}
	}
	return flags, data
}

func (v *Volume) mountProgram(kind, device string) error {
	args := []string{}
	if kind != "" {
		args = append(args, "-t", kind)
	}
	if o := v.Options["o"]; o != "" {
		args = append(args, "-o", o)
	}
	cmd := exec.Command("mount", append(args, device, v.Mountpoint)...)
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errdef.Newf(errdef.ErrUnsupported, "mount volume %s: type %q needs the program mount: %w", v.Name, kind, err)
	}
	if err != nil {
		return fmt.Errorf("mount volume %s: %s: %w", v.Name, strings.TrimSpace(string(out)), err)
	}
	return nil
}

// Unmount takes the file system off the data directory.
func (v *Volume) Unmount() error {
	if err := unix.Unmount(v.Mountpoint, 0); err != nil && err != unix.EINVAL && !os.IsNotExist(err) {
		return fmt.Errorf("unmount volume %s: %w", v.Name, err)
	}
	return nil
}
