package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/shared/errdef"
)

const maxUserFile = 4 << 20

// userInfo is a user of the working container.
type userInfo struct {
	uid, gid uint32
	groups   []uint32
	home     string
}

// user looks up "user[:group]", names or numbers, in the working container.
func (s *stage) user(text string) (userInfo, error) {
	root, err := fscopy.OpenRoot(s.root)
	if err != nil {
		return userInfo{}, err
	}
	defer root.Close()
	name, group, hasGroup := strings.Cut(text, ":")
	passwd, err := records(root, "/etc/passwd")
	if err != nil {
		return userInfo{}, err
	}
	groups, err := records(root, "/etc/group")
	if err != nil {
		return userInfo{}, err
	}
	u, err := findUser(passwd, name)
	if err != nil {
		return u, err
	}
	login := name
	for _, r := range passwd {
		if len(r) > 6 && r[2] == strconv.Itoa(int(u.uid)) {
			login = r[0]
			break
		}
	}
	if hasGroup && group != "" {
		u.gid, err = findGroup(groups, group)
		return u, err
	}
	for _, r := range groups {
		if len(r) > 3 && slices.Contains(strings.Split(r[3], ","), login) {
			if gid, err := strconv.ParseUint(r[2], 10, 32); err == nil {
				u.groups = append(u.groups, uint32(gid))
			}
		}
	}
	return u, nil
}

// records reads a file of lines with fields between colons.
func records(root *os.File, name string) ([][]string, error) {
	data, err := fscopy.ReadFile(root, name, maxUserFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all [][]string
	for line := range strings.Lines(string(data)) {
		all = append(all, strings.Split(strings.TrimRight(line, "\n"), ":"))
	}
	return all, nil
}

func findUser(passwd [][]string, name string) (userInfo, error) {
	if name == "" {
		name = "0"
	}
	number, numErr := strconv.ParseUint(name, 10, 32)
	for _, r := range passwd {
		if len(r) < 6 || r[0] != name && (numErr != nil || r[2] != name) {
			continue
		}
		uid, err1 := strconv.ParseUint(r[2], 10, 32)
		gid, err2 := strconv.ParseUint(r[3], 10, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		return userInfo{uid: uint32(uid), gid: uint32(gid), home: r[5]}, nil
	}
	if numErr == nil {
		return userInfo{uid: uint32(number), home: "/"}, nil
	}
	return userInfo{}, errdef.As(errdef.ErrNotFound,
		fmt.Errorf("determining run uid: user: unknown user error looking up user %q", name))
}

func findGroup(groups [][]string, name string) (uint32, error) {
	number, numErr := strconv.ParseUint(name, 10, 32)
	if numErr == nil {
		return uint32(number), nil
	}
	for _, r := range groups {
		if len(r) > 2 && r[0] == name {
			if gid, err := strconv.ParseUint(r[2], 10, 32); err == nil {
				return uint32(gid), nil
			}
		}
	}
	return 0, errdef.As(errdef.ErrNotFound,
		fmt.Errorf("determining run gid: group: unknown group error looking up group %q", name))
}
