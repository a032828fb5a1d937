package userns

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// idMaps are the subordinate runs that follow the user's own ID, which is 0 in
// the namespace. Empty means that there is only that.
type idMaps struct {
	uids, gids       []IDMap
	uidTool, gidTool string // newuidmap, newgidmap
}

func (m idMaps) single() bool { return len(m.uids) == 0 || len(m.gids) == 0 }

// mapError says that newuidmap or newgidmap didn't do its work.
type mapError struct{ text string }

func (e *mapError) Error() string { return e.text }

// subordinate finds the invoking user's ID ranges and the tools that map them.
// When something is missing the maps are empty and why names it.
func subordinate() (m idMaps, why string, err error) {
	name, _ := passwd(os.Getuid())
	if m.uids, err = subIDs("/etc/subuid", name, os.Getuid()); err != nil {
		return idMaps{}, "", err
	}
	if m.gids, err = subIDs("/etc/subgid", name, os.Getuid()); err != nil {
		return idMaps{}, "", err
	}
	if name == "" {
		name = strconv.Itoa(os.Getuid())
	}
	switch {
	case len(m.uids) == 0:
		return idMaps{}, fmt.Sprintf("no range for user %q in /etc/subuid", name), nil
	case len(m.gids) == 0:
		return idMaps{}, fmt.Sprintf("no range for user %q in /etc/subgid", name), nil
	}
	for tool, path := range map[string]*string{"newuidmap": &m.uidTool, "newgidmap": &m.gidTool} {
		if *path, err = exec.LookPath(tool); err != nil {
			return idMaps{}, tool + " isn't installed (package uidmap)", nil
		}
	}
	return m, "", nil
}

// subIDs reads the ranges that file (subuid(5)) gives the user, by name or by
// number, laid out from ID 1.
func subIDs(file, name string, uid int) ([]IDMap, error) {
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var maps []IDMap
	next := 1
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 || f[0] == "" || (f[0] != name && f[0] != strconv.Itoa(uid)) {
			continue
		}
		start, err1 := strconv.ParseUint(f[1], 10, 32)
		size, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 != nil || err2 != nil || size == 0 || start+size > 1<<32-1 {
			continue
		}
		maps = append(maps, IDMap{next, int(start), int(size)})
		next += int(size)
	}
	return maps, nil
}

// write gives the user namespace of process pid its maps.
func (m idMaps) write(pid int) error {
	if m.single() {
		return writeSingle(pid)
	}
	if err := runMapTool(m.uidTool, pid, os.Getuid(), m.uids); err != nil {
		return err
	}
	return runMapTool(m.gidTool, pid, os.Getgid(), m.gids)
}

func runMapTool(tool string, pid, self int, maps []IDMap) error {
	args := []string{strconv.Itoa(pid), "0", strconv.Itoa(self), "1"}
	for _, m := range maps {
		args = append(args, strconv.Itoa(m.ContainerID), strconv.Itoa(m.HostID), strconv.Itoa(m.Size))
	}
	cmd := exec.Command(tool, args...)
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		text := strings.ReplaceAll(strings.TrimSpace(out.String()), "\n", "; ")
		if text == "" {
			text = err.Error()
		}
		return &mapError{filepath.Base(tool) + ": " + strings.TrimPrefix(text, filepath.Base(tool)+": ")}
	}
	return nil
}

// writeSingle maps the user's own IDs alone, which the kernel lets everybody
// do, once the namespace has given up setgroups.
func writeSingle(pid int) error {
	dir := fmt.Sprintf("/proc/%d/", pid)
	for _, f := range []struct{ name, text string }{
		{"setgroups", "deny"},
		{"uid_map", fmt.Sprintf("0 %d 1\n", os.Getuid())},
		{"gid_map", fmt.Sprintf("0 %d 1\n", os.Getgid())},
	} {
		if err := os.WriteFile(dir+f.name, []byte(f.text), 0); err != nil {
			return fmt.Errorf("map the user's own ID: %w", err)
		}
	}
	return nil
}
