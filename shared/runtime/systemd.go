package runtime

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"

	"github.com/podsuite/podsuite/shared/errdef"
)

// SystemdUsable is nil where systemd can make the control groups of this
// process's containers, else it says why it can't. A user without privileges
// needs a manager of their own to talk to.
func SystemdUsable() error {
	if info, err := os.Lstat("/run/systemd/system"); err != nil || !info.IsDir() {
		return errdef.Newf(errdef.ErrUnsupported, "systemd does not run on this system")
	}
	if !unprivileged() {
		return nil
	}
	if !cgroups.IsCgroup2UnifiedMode() {
		return errdef.Newf(errdef.ErrUnsupported, "users without privileges get control groups of version 2 only, which this system doesn't use")
	}
	if !findUserBus() {
		return errdef.Newf(errdef.ErrUnsupported, "there is no systemd user session: log in as the user (not by su), or have root run `loginctl enable-linger %d`", realUID())
	}
	return nil
}

// findUserBus looks for the bus of the user's systemd. Where the environment
// doesn't name it, as below su or cron, but it is at its usual place, the
// environment is completed: the library looks nowhere else.
func findUserBus() bool {
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if _, err := os.Stat(filepath.Join(dir, "bus")); dir != "" && err == nil {
		return true
	}
	bus := fmt.Sprintf("/run/user/%d/bus", realUID())
	if _, err := os.Stat(bus); err != nil {
		return false
	}
	os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+bus)
	return true
}

// realUID is this user's number on the host, of whose user namespace they are
// root.
func realUID() int {
	data, err := os.ReadFile("/proc/self/uid_map")
	if fields := strings.Fields(string(data)); err == nil && len(fields) >= 3 && fields[0] == strconv.Itoa(os.Geteuid()) {
		if uid, err := strconv.Atoi(fields[1]); err == nil {
			return uid
		}
	}
	return os.Geteuid()
}

// userManagerGroup is the control group that the user's systemd has been given.
func userManagerGroup() string {
	uid := realUID()
	return fmt.Sprintf("/user.slice/user-%d.slice/user@%d.service", uid, uid)
}

// groupPath is where a control group lies below the mount of cgroup v2 or of
// a controller: a slice of systemd's by its name, else the path itself.
func groupPath(group string) string {
	if !strings.HasSuffix(group, ".slice") || strings.Contains(group, "/") {
		return group
	}
	path := "/" + expandSlice(group)
	if unprivileged() {
		path = userManagerGroup() + path
	}
	return path
}

// expandSlice is the path of a systemd slice: "a-b.slice" lies in "a.slice".
func expandSlice(slice string) string {
	name, ok := strings.CutSuffix(slice, ".slice")
	if !ok || name == "-" {
		return ""
	}
	path, prefix := "", ""
	for part := range strings.SplitSeq(name, "-") {
		path = filepath.Join(path, prefix+part+".slice")
		prefix += part + "-"
	}
	return path
}

// GroupOf is the control group of a process, below the mount of cgroup v2, or
// of the memory controller's hierarchy on v1; "" where it can't be told.
func GroupOf(pid int) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return ""
	}
	want := []byte("memory")
	if cgroups.IsCgroup2UnifiedMode() {
		want = nil
	}
	for line := range bytes.Lines(data) {
		if f := bytes.SplitN(bytes.TrimSuffix(line, []byte{'\n'}), []byte{':'}, 3); len(f) == 3 && bytes.Equal(f[1], want) {
			return string(f[2])
		}
	}
	return ""
}
