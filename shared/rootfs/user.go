package rootfs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// maxDatabase bounds /etc/passwd and /etc/group of a container, in bytes.
const maxDatabase = 16 << 20

// maxID is the highest user or group ID; the one above means "no change".
const maxID = 1<<32 - 2

// User is who a process in a container runs as.
type User struct {
	Name     string // empty when the container has no name for UID
	UID, GID int
	Groups   []int // supplementary groups, without those of a group asked for
	Home     string
}

// LookupUser finds "user[:group]", each a name or a number, in the container's
// own passwd and group files, which need not exist for numbers. An empty user
// is root. Where a group is asked for, the user's other groups are left out.
func LookupUser(root, spec string) (User, error) {
	user, group, hasGroup := strings.Cut(spec, ":")
	if user == "" {
		user = "0"
	}
	u, err := lookupPasswd(root, user)
	if err != nil {
		return User{}, err
	}
	if hasGroup && group != "" {
		if u.GID, err = LookupGroup(root, group); err != nil {
			return User{}, err
		}
		return u, nil
	}
	if u.Groups, err = groupsOf(root, u.Name); err != nil {
		return User{}, err
	}
	return u, nil
}

func lookupPasswd(root, user string) (User, error) {
	data, err := database(root, "/etc/passwd")
	if err != nil {
		return User{}, err
	}
	number, isNumber := parseID(user)
	for fields := range records(data, 7) {
		uid, ok := parseID(fields[2])
		gid, ok2 := parseID(fields[3])
		if !ok || !ok2 || fields[0] != user && !(isNumber && uid == number) {
			continue
		}
		return User{Name: fields[0], UID: uid, GID: gid, Home: fields[5]}, nil
	}
	if isNumber {
		u := User{UID: number, Home: "/"}
		if number == 0 {
			u.Home = "/root"
		}
		return u, nil
	}
	return User{}, errdef.Newf(errdef.ErrNotFound, "unable to find user %s: no matching entries in passwd file", user)
}

// LookupGroup finds a group, a name or a number, in the container.
func LookupGroup(root, group string) (int, error) {
	data, err := database(root, "/etc/group")
	if err != nil {
		return 0, err
	}
	for fields := range records(data, 4) {
		if gid, ok := parseID(fields[2]); ok && fields[0] == group {
			return gid, nil
		}
	}
	if gid, ok := parseID(group); ok {
		return gid, nil
	}
	return 0, errdef.Newf(errdef.ErrNotFound, "unable to find group %s: no matching entries in group file", group)
}

// HasGroup says whether the container's group file has a group with the number.
func HasGroup(root string, gid int) (bool, error) {
	data, err := database(root, "/etc/group")
	if err != nil {
		return false, err
	}
	for fields := range records(data, 4) {
		if n, ok := parseID(fields[2]); ok && n == gid {
			return true, nil
		}
	}
	return false, nil
}

// groupsOf lists the groups that name the user as a member.
func groupsOf(root, name string) ([]int, error) {
	if name == "" {
		return nil, nil
	}
	data, err := database(root, "/etc/group")
	if err != nil {
		return nil, err
	}
	var groups []int
	for fields := range records(data, 4) {
		gid, ok := parseID(fields[2])
		if ok && !slices.Contains(groups, gid) && slices.Contains(strings.Split(fields[3], ","), name) {
			groups = append(groups, gid)
		}
	}
	return groups, nil
}

// database reads a file that may be missing.
func database(root, name string) ([]byte, error) {
	data, err := ReadFile(root, name, maxDatabase)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up user: %w", err)
	}
	return data, nil
}

// records yields the lines that have n fields or more.
func records(data []byte, n int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, len(data)+1)
		for lines.Scan() {
			fields := strings.Split(strings.TrimSpace(lines.Text()), ":")
			if len(fields) >= n && fields[0] != "" && !strings.HasPrefix(fields[0], "#") && !yield(fields) {
				return
			}
		}
	}
}

// parseID reads a decimal ID that the kernel can have.
func parseID(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return int(n), err == nil && n <= maxID && s[0] != '+'
}

// HighestID is the highest user or group ID that /etc/passwd, or /etc/group, of
// the root names, nobody's apart. The file may be missing: os.ErrNotExist.
func HighestID(root, file string) (int, error) {
	data, err := ReadFile(root, file, maxDatabase)
	if err != nil {
		return 0, err
	}
	columns, last := 7, 4
	if file == "/etc/group" {
		columns, last = 4, 3
	}
	highest := 0
	for fields := range records(data, columns) {
		if fields[0] == "nobody" || fields[0] == "nogroup" {
			continue
		}
		for _, text := range fields[2:last] {
			const nobody = 65534
			if id, ok := parseID(text); ok && id != nobody {
				highest = max(highest, id)
			}
		}
	}
	return highest, nil
}
