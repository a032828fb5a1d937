package userns_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPauseOutlivesGroup ends all of the control group that the first command
// was in, as a service manager does.
func TestPauseOutlivesGroup(t *testing.T) {
	p := newPerson(t, true)
	// Processes that are started see cgroup v2 as this thread does, which ends
	// with the test.
	runtime.LockOSThread()
	const mount = "/sys/fs/cgroup"
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		t.Skipf("needs a mount namespace: %v", err)
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", mount, "cgroup2", 0, ""); err != nil {
		t.Skipf("needs cgroup v2: %v", err)
	}
	users := fmt.Sprintf("%s/userns-test-%d", mount, p.uid)
	service := filepath.Join(users, "service")
	for _, dir := range []string{users, service} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(dir)
		for _, path := range []string{dir, filepath.Join(dir, "cgroup.procs")} {
			os.Chown(path, p.uid, p.gid)
		}
	}
	defer func() {
		p.stopPause(filepath.Join(p.home, "run/libpod/tmp"))
		waitEmpty(t, users)
		os.Remove(filepath.Join(users, "podman-pause"))
	}()
	group, err := os.Open(service)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	show := p.command("show")
	show.SysProcAttr.UseCgroupFD, show.SysProcAttr.CgroupFD = true, int(group.Fd())
	first, err := show.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(service, "cgroup.kill"), []byte("1"), 0); err != nil {
		t.Skipf("needs cgroup.kill: %v", err)
	}
	waitEmpty(t, service)
	if again, err := p.command("show").Output(); err != nil || !slices.Equal(again, first) {
		t.Errorf("a later command sees %s (%v), the first saw %s", again, err, first)
	}
}

// waitEmpty waits until nothing runs in a control group or below it.
func waitEmpty(t *testing.T, dir string) {
	t.Helper()
	for range 500 {
		data, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		if err != nil || len(data) >= 11 && string(data[:11]) == "populated 0" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s: processes don't end", dir)
}
