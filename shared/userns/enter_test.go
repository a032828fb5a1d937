package userns_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/userns"
)

// TestMain is also the program that the tests run as an ordinary user.
func TestMain(m *testing.M) {
	if os.Getenv("USERNS_TEST_CHILD") != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// child enters and says what it sees, or does what its first argument says.
func child() int {
	if os.Args[1] == "noenter" {
		fmt.Println(os.Geteuid(), userns.Rootless(), userns.RealUID())
		return 0
	}
	if err := userns.Enter(os.Getenv("USERNS_TEST_STATE"), runtime.FreePause); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 125
	}
	switch os.Args[1] {
	case "show":
		user, _ := os.Readlink("/proc/self/ns/user")
		mnt, _ := os.Readlink("/proc/self/ns/mnt")
		cwd, _ := os.Getwd()
		uids, gids, err := userns.Mappings()
		fmt.Println(os.Geteuid(), os.Getegid(), userns.Rootless(), userns.RealUID(), userns.RealGID(), user, mnt, cwd, len(uids), len(gids), err,
			os.Getenv("_PODSUITE_USERNS_TRIED"))
	case "mount":
		if err := syscall.Mount("none", os.Args[2], "tmpfs", 0, ""); err != nil {
			fmt.Println(err)
			return 1
		}
	case "mounted":
		data, _ := os.ReadFile("/proc/self/mountinfo")
		fmt.Println(strings.Contains(string(data), " "+os.Args[2]+" "))
	case "child":
		cmd := exec.Command("/proc/self/exe", "show")
		cmd.Stdout = os.Stdout
		cmd.Run()
	case "chown":
		if err := os.Chown(os.Args[2], 1000, 1000); err != nil {
			fmt.Println(err)
			return 1
		}
	case "exit":
		n, _ := strconv.Atoi(os.Args[2])
		fmt.Println(strings.Join(os.Args, "|"))
		return n
	}
	return 0
}

// person is an ordinary user of the test's.
type person struct {
	testing.TB
	uid, gid int
	home     string
	exe      string
	env      []string
}

// newPerson makes a user, with subordinate IDs if sub, who goes away with the test.
func newPerson(t testing.TB, sub bool) *person {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a user")
	}
	dir, err := os.MkdirTemp("/tmp", "userns-test-")
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o755)
	name := "ut" + strings.ToLower(filepath.Base(dir)[len("userns-test-"):])
	args := []string{"-M", "-d", dir, "-s", "/bin/sh"}
	if !sub {
		args = append(args, "-r") // a system user gets no range
	}
	if out, err := exec.Command("useradd", append(args, name)...).CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		t.Skipf("needs useradd: %v: %s", err, out)
	}
	p := &person{TB: t, home: dir, exe: filepath.Join(dir, "exe")}
	t.Cleanup(func() {
		p.stopPause(filepath.Join(dir, "run/libpod/tmp"))
		exec.Command("userdel", "-f", name).Run()
		os.RemoveAll(dir)
	})
	out, err := exec.Command("id", "-u", name).Output()
	if err == nil {
		p.uid, err = strconv.Atoi(strings.TrimSpace(string(out)))
		p.gid = p.uid
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("id", "-g", name).Output(); err == nil {
		p.gid, _ = strconv.Atoi(strings.TrimSpace(string(out)))
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(p.exe, self, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"run", "work", "m"} {
		os.Mkdir(filepath.Join(dir, d), 0o700)
		os.Chown(filepath.Join(dir, d), p.uid, p.gid)
	}
	p.env = []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + filepath.Join(dir, "run"), "PATH=" + os.Getenv("PATH"), "USERNS_TEST_CHILD=1"}
	return p
}

// stopPause ends the pause process recorded in dir, if it is the user's.
func (p *person) stopPause(dir string) {
	data, err := os.ReadFile(filepath.Join(dir, "pause.pid"))
	if err != nil {
		return
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	var st syscall.Stat_t
	if pid > 1 && syscall.Stat(fmt.Sprintf("/proc/%d", pid), &st) == nil && int(st.Uid) == p.uid {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (p *person) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.exe, args...)
	cmd.Env, cmd.Dir = p.env, filepath.Join(p.home, "work")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(p.uid), Gid: uint32(p.gid)}}
	return cmd
}

// run returns the fields of the output's last line and all of standard error.
func (p *person) run(args ...string) ([]string, string) {
	p.Helper()
	cmd := p.command(args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.Fatalf("%v: %v\n%s%s", args, err, out, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Fields(lines[len(lines)-1]), stderr.String()
}

func TestEnter(t *testing.T) {
	p := newPerson(t, true)
	first, warned := p.run("show")
	want := []string{"0", "0", "true", strconv.Itoa(p.uid), strconv.Itoa(p.gid)}
	if strings.Join(first[:5], " ") != strings.Join(want, " ") {
		t.Errorf("got %v, want %v", first[:5], want)
	}
	if warned != "" {
		t.Errorf("a warning: %s", warned)
	}
	if first[7] != filepath.Join(p.home, "work") {
		t.Errorf("the working directory is %s", first[7])
	}
	if first[8] != "2" || first[9] != "2" {
		t.Errorf("the maps have %s and %s runs, want 2 each", first[8], first[9])
	}
	again, _ := p.run("show")
	if strings.Join(first, " ") != strings.Join(again, " ") {
		t.Errorf("the second command sees %v, the first saw %v", again, first)
	}
	if inside, _ := p.run("child"); strings.Join(inside, " ") != strings.Join(first, " ") {
		t.Errorf("a child sees %v, want %v", inside, first)
	}
	if plain, _ := p.run("noenter"); plain[1] != "true" || plain[2] != strconv.Itoa(p.uid) {
		t.Errorf("without Enter: %v", plain)
	}
	m := filepath.Join(p.home, "m")
	p.run("mount", m)
	if seen, _ := p.run("mounted", m); seen[0] != "true" {
		t.Error("a later command doesn't see the mount")
	}
	if data, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(data), m) {
		t.Error("the host sees the mount")
	}
	p.run("chown", filepath.Join(p.home, "work"))
}

func TestEnterPassesOn(t *testing.T) {
	p := newPerson(t, true)
	cmd := p.command("exit", "42", "a b", "")
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 42 {
		t.Errorf("exit code %d (%v), want 42", code, err)
	}
	if want := p.exe + "|exit|42|a b|\n"; string(out) != want {
		t.Errorf("arguments %q, want %q", out, want)
	}
}

func TestEnterAtOnce(t *testing.T) {
	p := newPerson(t, true)
	var all sync.WaitGroup
	seen := make([]string, 8)
	for i := range seen {
		all.Go(func() {
			out, err := p.command("show").Output()
			seen[i] = fmt.Sprint(string(out), err)
		})
	}
	all.Wait()
	for _, s := range seen {
		if s != seen[0] {
			t.Errorf("one sees %s, another %s", s, seen[0])
		}
	}
}

// TestPauseFile puts things into the way of the pid file.
func TestPauseFile(t *testing.T) {
	p := newPerson(t, true)
	before, _ := p.run("show")
	dir := filepath.Join(p.home, "run/libpod/tmp")
	file := filepath.Join(dir, "pause.pid")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	goodPid, _ := strconv.Atoi(string(good))
	defer syscall.Kill(goodPid, syscall.SIGKILL)
	// A process of the same user in a user namespace of its own, and one that isn't.
	other := p.command("exit")
	other.Path, other.Args = "/bin/sleep", []string{"sleep", "1000"}
	other.SysProcAttr = &syscall.SysProcAttr{Credential: other.SysProcAttr.Credential}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	var boxed *exec.Cmd
	if unshare, err := exec.LookPath("unshare"); err == nil {
		boxed = p.command("exit")
		boxed.Path, boxed.Args = unshare, []string{"unshare", "-rm", "sleep", "1000"}
		if err := boxed.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { boxed.Process.Kill(); boxed.Wait() }()
	}
	write := func(text string, uid int, mode os.FileMode) {
		t.Helper()
		os.Remove(file)
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		os.Chmod(file, mode)
		os.Chown(file, uid, uid)
	}
	kept := filepath.Join(p.home, "kept") // the file that the pause process has locked
	if err := os.Link(file, kept); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		os.Remove(file)
		if err := os.Link(kept, file); err != nil {
			t.Fatal(err)
		}
	}
	tries := map[string]func(){
		"empty":      func() { write("", p.uid, 0o600) },
		"garbage":    func() { write("12x\n", p.uid, 0o600) },
		"negative":   func() { write("-1\n", p.uid, 0o600) },
		"huge":       func() { write("99999999999999999999\n", p.uid, 0o600) },
		"no process": func() { write("4194303\n", p.uid, 0o600) },
		"a copy":     func() { write(string(good), p.uid, 0o600) },
		"another's":  func() { restore(); os.Chown(file, 0, 0); os.Chmod(file, 0o644) },
		"writable":   func() { restore(); os.Chown(file, p.uid, p.uid); os.Chmod(file, 0o666) },
		"reused pid": func() { write(strconv.Itoa(other.Process.Pid), p.uid, 0o600) },
		"root's pid": func() { write(strconv.Itoa(os.Getpid()), p.uid, 0o600) },
		"symbolic link": func() {
			restore()
			os.Chown(file, p.uid, p.uid)
			os.Chmod(file, 0o600)
			os.Remove(file)
			os.Symlink(kept, file)
		},
	}
	if boxed != nil {
		tries["reused pid in a namespace"] = func() { write(strconv.Itoa(boxed.Process.Pid), p.uid, 0o600) }
	}
	for name, put := range tries {
		put()
		if plain, _ := p.run("noenter"); plain[0] != strconv.Itoa(p.uid) {
			t.Errorf("%s: joined something as %v", name, plain)
		}
		after, _ := p.run("show")
		if after[0] != "0" || after[5] == before[5] {
			t.Errorf("%s: entered %v, want a new namespace", name, after)
		}
		p.stopPause(dir)
	}
	restore()
	os.Chown(file, p.uid, p.uid)
	os.Chmod(file, 0o600)
	if after, _ := p.run("show"); after[5] != before[5] {
		t.Errorf("with everything as it was: entered %v, want %v", after, before)
	}
}

func TestSingleID(t *testing.T) {
	p := newPerson(t, false)
	seen, warned := p.run("show")
	if seen[0] != "0" || seen[3] != strconv.Itoa(p.uid) || seen[8] != "1" || seen[9] != "1" {
		t.Errorf("got %v", seen)
	}
	if strings.Count(warned, "\n") != 1 || !strings.Contains(warned, "/etc/subuid") {
		t.Errorf("warning %q", warned)
	}
	if _, warned := p.run("show"); warned != "" {
		t.Errorf("the second command warns too: %q", warned)
	}
}

func TestOtherStateDir(t *testing.T) {
	p := newPerson(t, true)
	dir := filepath.Join(p.home, "work", "state")
	p.env = append(p.env, "USERNS_TEST_STATE="+dir)
	defer p.stopPause(dir)
	a, _ := p.run("show")
	b, _ := p.run("show")
	if a[0] != "0" || a[5] != b[5] {
		t.Errorf("entered %v, then %v", a, b)
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("state directory: %v %v", st, err)
	}
}

// TestNotOurRuntimeDir has a runtime directory that belongs to somebody else.
func TestNotOurRuntimeDir(t *testing.T) {
	p := newPerson(t, true)
	os.MkdirAll(filepath.Join(p.home, "run/libpod/tmp"), 0o777)
	os.Chmod(filepath.Join(p.home, "run/libpod/tmp"), 0o777)
	cmd := p.command("show")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("not refused: %s", out)
	} else if !strings.Contains(string(out), "belongs to somebody else") {
		t.Errorf("got %s", out)
	}
}

func TestRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if userns.Rootless() || userns.RealUID() != 0 {
		t.Error("root isn't root")
	}
	t.Setenv("_CONTAINERS_USERNS_CONFIGURED", "done")
	if userns.Rootless() {
		t.Error("root in the first namespace isn't root when the variable leaks")
	}
	if err := userns.Enter("", nil); err != nil {
		t.Error(err)
	}
}
