package config

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"

	"github.com/podsuite/podsuite/shared/errdef"
)

// runtimeDir is the user's directory for volatile files. Without
// XDG_RUNTIME_DIR it is /run/user/UID if that is there and the user's, else a
// private directory in /tmp that is made here.
func (c *Config) runtimeDir() (string, error) {
	if !c.Rootless {
		return c.system("/run"), nil
	}
	if dir := c.env("XDG_RUNTIME_DIR"); dir != "" {
		return dir, nil
	}
	uid := strconv.Itoa(c.UID)
	if dir := filepath.Join(c.system("/run/user"), uid); c.ownDir(dir) {
		return dir, nil
	}
	dir := filepath.Join(os.TempDir(), "storage-run-"+uid)
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return "", fmt.Errorf("make runtime directory: %w", err)
	}
	if !c.ownDir(dir) {
		return "", errdef.Newf(errdef.ErrDenied, "use runtime directory %q: it is not a directory that only user %s can write (set XDG_RUNTIME_DIR)", dir, uid)
	}
	return dir, nil
}

// ownDir tells whether path is a directory of the user's that nobody else can
// write. Inside a user namespace the owner shows as the mapped ID, which is
// the process's own.
func (c *Config) ownDir(path string) bool {
	fi, err := os.Lstat(path)
	if err != nil || !fi.IsDir() || fi.Mode().Perm()&0o022 != 0 {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && (int(st.Uid) == c.UID || int(st.Uid) == os.Geteuid())
}

// dropIns lists the *.conf files of a directory in the order of their names.
// A directory that is not there has none.
func dropIns(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) || os.IsPermission(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list configuration directory: %w", err)
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), ".conf") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	sort.Strings(files)
	return files, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// firstExisting gives the first of the files that exists, or the last one.
func firstExisting(paths ...string) string {
	for _, p := range paths {
		if exists(p) {
			return p
		}
	}
	return paths[len(paths)-1]
}
