package userns

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The variables that tell child processes and the storage library that their
// root is an ordinary user. The names are those the container tools share.
const (
	envConfigured = "_CONTAINERS_USERNS_CONFIGURED"
	envUID        = "_CONTAINERS_ROOTLESS_UID"
	envGID        = "_CONTAINERS_ROOTLESS_GID"
)

// What the constructor did, as join.h numbers it.
const (
	stateNone = iota
	stateJoined
	stateStuck
)

// IDMap maps a run of Size IDs: ContainerID and up inside this process's user
// namespace are HostID and up in the one around it.
type IDMap struct{ ContainerID, HostID, Size int }

// Rootless tells whether the invoking user is not root: no root at all, or the
// root of a namespace that Enter made. Root inside a container is root.
func Rootless() bool {
	if os.Geteuid() != 0 {
		return true
	}
	if uid, _ := before(); uid != 0 {
		return true
	}
	if os.Getenv(envConfigured) == "" {
		return false
	}
	uid, ok := outside("/proc/self/uid_map")
	return ok && uid != 0
}

// RealUID is the invoking user's ID outside the namespace that Enter joins.
func RealUID() int {
	uid, _ := before()
	return realID(uid, os.Geteuid(), "/proc/self/uid_map")
}

// RealGID is the invoking user's group ID outside the namespace.
func RealGID() int {
	_, gid := before()
	return realID(gid, os.Getegid(), "/proc/self/gid_map")
}

func realID(started, now int, mapFile string) int {
	if started != 0 {
		return started
	}
	if now == 0 && Rootless() {
		if id, ok := outside(mapFile); ok {
			return id
		}
	}
	return now
}

// outside returns what ID 0 is outside this process's user namespace.
func outside(mapFile string) (int, bool) {
	maps, err := readMap(mapFile)
	if err != nil {
		return 0, false
	}
	for _, m := range maps {
		if m.ContainerID == 0 {
			return m.HostID, true
		}
	}
	return 0, false
}

// Home is the invoking user's home directory: $HOME, else what /etc/passwd
// says, else "/".
func Home() string {
	if home := os.Getenv("HOME"); filepath.IsAbs(home) {
		return home
	}
	if _, home := passwd(RealUID()); filepath.IsAbs(home) {
		return home
	}
	return "/"
}

// passwd returns the name and home directory of the user, empty when unknown.
func passwd(uid int) (name, home string) {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return "", ""
	}
	defer f.Close()
	want := strconv.Itoa(uid)
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Split(s.Text(), ":")
		if len(fields) >= 6 && fields[2] == want {
			return fields[0], fields[5]
		}
	}
	return "", ""
}

// RuntimeDir is the directory for the invoking user's volatile files: root's
// is /run; else $XDG_RUNTIME_DIR, /run/user/UID, or /tmp/podman-run-UID, which is made
// when needed and refused when somebody else owns it.
func RuntimeDir() (string, error) {
	if !Rootless() {
		return "/run", nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return dir, nil
	}
	uid := strconv.Itoa(RealUID())
	if dir := "/run/user/" + uid; owned(dir) {
		return dir, nil
	}
	dir := "/tmp/podman-run-" + uid
	return dir, ownDir(dir)
}

// StateDir is where the pause process is recorded when Enter is given no
// directory.
func StateDir() (string, error) {
	dir, err := RuntimeDir()
	return filepath.Join(dir, "libpod", "tmp"), err
}

// owned tells whether dir is a directory, no link, of the user. Inside the
// namespace the user's files are root's.
func owned(dir string) bool {
	var st syscall.Stat_t
	if syscall.Lstat(dir, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return false
	}
	return int(st.Uid) == os.Geteuid()
}

// ownDir makes dir for the user alone, or checks that it is theirs.
func ownDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	if !owned(dir) {
		return errdef.Newf(errdef.ErrDenied, "directory %q belongs to somebody else: set XDG_RUNTIME_DIR to a directory of your own", dir)
	}
	return os.Chmod(dir, 0o700)
}

// Mappings returns the ID maps of this process's user namespace. In the
// initial one each is a single run of every ID.
func Mappings() (uids, gids []IDMap, err error) {
	if uids, err = readMap("/proc/self/uid_map"); err != nil {
		return nil, nil, err
	}
	gids, err = readMap("/proc/self/gid_map")
	return uids, gids, err
}

// MapsOf returns the ID maps of a process's user namespace, as seen from here;
// none, where it is this process's own.
func MapsOf(pid int) (m Maps, err error) {
	dir := "/proc/" + strconv.Itoa(pid)
	its, err := os.Stat(dir + "/ns/user")
	if err != nil {
		return Maps{}, err
	}
	if own, err := os.Stat("/proc/self/ns/user"); err != nil || os.SameFile(its, own) {
		return Maps{}, err
	}
	if m.UIDs, err = readMap(dir + "/uid_map"); err != nil {
		return Maps{}, err
	}
	m.GIDs, err = readMap(dir + "/gid_map")
	return m, err
}

func readMap(path string) ([]IDMap, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var maps []IDMap
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		var m IDMap
		for i, to := range []*int{&m.ContainerID, &m.HostID, &m.Size} {
			if *to, err = strconv.Atoi(f[i]); err != nil {
				return nil, err
			}
		}
		maps = append(maps, m)
	}
	return maps, nil
}

// setMarks tells child processes and libraries whose root this is.
func setMarks() {
	os.Setenv(envConfigured, "done")
	os.Setenv(envUID, strconv.Itoa(RealUID()))
	os.Setenv(envGID, strconv.Itoa(RealGID()))
}
