package clitest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

const userPrefix = "podsuite-test-"

// testUser is an ordinary user that is made when a script first asks for it
// and removed when the scripts are through.
type testUser struct {
	once sync.Once
	u    *user.User
	err  error
}

func (tu *testUser) get(t *testing.T) (*user.User, error) {
	tu.once.Do(func() {
		if os.Geteuid() != 0 {
			tu.err = errors.New("needs root")
			return
		}
		defer lock(t, "user.lock")()
		removeStaleUsers()
		tu.u, tu.err = addUser(userPrefix + strconv.Itoa(os.Getpid()))
		if tu.err == nil {
			t.Cleanup(func() {
				defer lock(t, "user.lock")()
				exec.Command("userdel", tu.u.Username).Run() //nolint:errcheck // the next run tries again
			})
		}
	})
	return tu.u, tu.err
}

func addUser(name string) (*user.User, error) {
	if out, err := exec.Command("useradd", "--no-create-home", "--shell", "/bin/sh", name).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("useradd: %w: %s", err, out)
	}
	subuid, _ := os.ReadFile("/etc/subuid")
	if !strings.Contains("\n"+string(subuid), "\n"+name+":") {
		if out, err := exec.Command("usermod", "--add-subuids", "1000000-1065535", "--add-subgids", "1000000-1065535", name).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("usermod: %w: %s", err, out)
		}
	}
	return user.Lookup(name)
}

// removeStaleUsers removes the users of test processes that were killed.
func removeStaleUsers() {
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return
	}
	for line := range strings.SplitSeq(string(passwd), "\n") {
		name, _, _ := strings.Cut(line, ":")
		owner, ours := strings.CutPrefix(name, userPrefix)
		pid, err := strconv.Atoi(owner)
		if ours && err == nil && unix.Kill(pid, 0) != nil {
			exec.Command("userdel", name).Run() //nolint:errcheck // only tidying
		}
	}
}

// writeUser gives a script whose name begins with "user" its program "user".
// The others don't wait for a user to be made.
func (h *harness) writeUser(env *testscript.Env) error {
	dir := filepath.Join(env.WorkDir, ".bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if os.Geteuid() != 0 || !strings.HasPrefix(filepath.Base(env.WorkDir), "script-user") {
		return nil
	}
	u, err := h.user.get(h.t)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	home := filepath.Join(env.WorkDir, "user")
	runtimeDir := filepath.Join(home, ".runtime")
	if err := os.MkdirAll(runtimeDir, 0o700); err != nil {
		return err
	}
	for _, d := range []string{home, runtimeDir} {
		if err := os.Chown(d, uid, gid); err != nil {
			return err
		}
	}
	env.Setenv("USER_HOME", home)
	env.Setenv("USER_ID", u.Uid)
	script := fmt.Sprintf(`#!/bin/sh
# Runs a command as an ordinary user who has just logged in.
unset CONTAINERS_STORAGE_CONF CONTAINERS_CONF REGISTRY_AUTH_FILE
export HOME=%[1]s XDG_RUNTIME_DIR=%[2]s USER=%[3]s LOGNAME=%[3]s TMPDIR=/tmp
exec setpriv --reuid %[4]s --regid %[5]s --clear-groups --inh-caps=-all -- "$@"
`, home, runtimeDir, u.Username, u.Uid, u.Gid)
	return os.WriteFile(filepath.Join(dir, "user"), []byte(script), 0o755)
}

// isUsers tells whether a process runs as the given user ID.
func isUsers(pid int, uid string) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return strings.Contains(string(status), "\nUid:\t"+uid+"\t")
}
