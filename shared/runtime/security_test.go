package runtime_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/runtime/internal/filter"
)

const statusScript = "grep -E 'Cap|Groups|NoNewPrivs|Seccomp:' /proc/self/status; ls /proc/$$/fd; true"

// TestConfinement looks at what a container's process has, and must not have.
func TestConfinement(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		leak, err := os.Open("/")
		must(t, err)
		defer leak.Close()
		// A descriptor that the caller forgot to mark.
		_, err = unix.FcntlInt(leak.Fd(), unix.F_SETFD, 0)
		must(t, err)
		for _, inherited := range [][]uint32{nil, {5, 6}} {
			spec := b.spec("sh", "-c", statusScript)
			spec.Process.NoNewPrivileges = inherited != nil
			spec.Process.User.AdditionalGids = inherited
			text, code := b.run("confined", spec)
			if code != 0 {
				t.Errorf("status %d: %s", code, text)
			}
			checkConfined(t, text, spec)
		}
	})
}

func checkConfined(t *testing.T, text string, spec *specs.Spec) {
	t.Helper()
	fields := map[string]string{}
	var fds []string
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok {
			fields[k] = strings.Join(strings.Fields(v), " ")
		} else {
			fds = append(fds, strings.TrimSpace(line))
		}
	}
	groups, nnp := "", "0"
	if spec.Process.NoNewPrivileges {
		groups, nnp = "5 6", "1"
	}
	want := map[string]string{
		"CapInh": "0000000000000000", "CapAmb": "0000000000000000", "Groups": groups, "NoNewPrivs": nnp,
		"CapEff": "00000000800405fb", "CapPrm": "00000000800405fb", "CapBnd": "00000000800405fb",
	}
	if filter.Supported {
		want["Seccomp"] = "2"
	}
	for k, v := range want {
		if fields[k] != v {
			t.Errorf("%s is %q, want %q", k, fields[k], v)
		}
	}
	if got := strings.Join(fds, " "); got != "0 1 2" {
		t.Errorf("open descriptors: %s", got)
	}
}

func TestExecIsConfined(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		id, _ := b.create("execconf", b.spec("sleep", "1000"), runtime.IO{})
		must(t, b.rt.Start(context.Background(), id))
		for _, nnp := range []bool{false, true} {
			caps := runtime.CapabilitySets(runtime.DefaultCapabilities(), 0)
			proc := specs.Process{Args: []string{"sh", "-c", statusScript}, Env: []string{runtime.DefaultPath}, Cwd: "/", Capabilities: caps, NoNewPrivileges: nnp}
			if nnp {
				proc.User.AdditionalGids = []uint32{5, 6}
			}
			text, _ := b.exec(id, proc)
			checkConfined(t, text, &specs.Spec{Process: &proc})
		}
	})
}

func TestNonRootUserHasNoCapabilities(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		spec := b.spec("grep", "-E", "Cap|Uid", "/proc/self/status")
		spec.Process.User = specs.User{UID: 1000, GID: 1000}
		spec.Process.Capabilities = runtime.CapabilitySets(runtime.DefaultCapabilities(), 1000)
		text, _ := b.run("nonroot", spec)
		contains(t, text, "Uid:\t1000\t1000\t1000\t1000", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "CapInh:\t0000000000000000", "CapAmb:\t0000000000000000")
	})
}

func TestMaskedAndReadonlyPaths(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		text, _ := b.run("masked", b.spec("sh", "-c",
			"cat /proc/timer_list /proc/interrupts | dd bs=1 count=1 2>/dev/null; ls /sys/firmware; echo 1 >/proc/sys/kernel/hostname; touch /sys/x; touch /sys/fs/cgroup/x"))
		want := 3
		if b.engine != "builtin" {
			want = 2 // runc leaves the directory of the v1 hierarchies writable
		}
		if n := strings.Count(text, "Read-only file system"); n != want {
			t.Errorf("%d of %d refused as read-only:\n%s", n, want, text)
		}
		if len(strings.Split(strings.TrimSpace(text), "\n")) != want {
			t.Errorf("a masked path shows something:\n%s", text)
		}
	})
}

func TestSeccompRefuses(t *testing.T) {
	if !filter.Supported {
		t.Skip("needs a build with seccomp")
	}
	engines(t, func(t *testing.T, b *box) {
		all, err := runtime.AllCapabilities()
		must(t, err)
		// Allowed by capability, refused by the filter alone.
		script := "chroot / true || echo refused"
		for _, c := range []struct {
			seccomp *specs.LinuxSeccomp
			want    bool
		}{
			{runtime.Seccomp(all), false}, {runtime.Seccomp(nil), true}, {denyChroot(specs.ActErrno, nil), true}, {nil, false},
		} {
			spec := b.spec("sh", "-c", script)
			spec.Process.Capabilities = runtime.CapabilitySets(all, 0)
			spec.Linux.Seccomp = c.seccomp
			text, _ := b.run("seccomp", spec)
			if strings.Contains(text, "refused") != c.want {
				t.Errorf("refused is not %v: %s", c.want, text)
			}
		}
	})
}

// denyChroot is a profile that has to be compiled by the engine's library: its
// default is an error other than ENOSYS.
func denyChroot(action specs.LinuxSeccompAction, errno *uint) *specs.LinuxSeccomp {
	s := runtime.Seccomp(nil)
	out := *s
	out.DefaultAction, out.DefaultErrnoRet = action, errno
	return &out
}

// TestLostFilterStopsContainer: without the stored program nothing may run.
func TestLostFilterStopsContainer(t *testing.T) {
	if os.Geteuid() != 0 || !filter.Supported {
		t.Skip("needs root and a build with seccomp")
	}
	b := newBox(t, "builtin")
	id, _ := b.create("lost", b.spec("sleep", "1000"), runtime.IO{})
	must(t, b.rt.Start(context.Background(), id))
	own := filepath.Join(b.state, id, "seccomp.bpf")
	data, err := os.ReadFile(own)
	must(t, err)
	must(t, os.Remove(own))
	proc := specs.Process{Args: []string{"true"}, Env: []string{runtime.DefaultPath}, Cwd: "/"}
	if _, err := b.rt.Exec(context.Background(), id, runtime.Process{Process: &proc}); err == nil {
		t.Error("exec without a filter")
	}
	data[len(data)-1] ^= 1
	must(t, os.WriteFile(own, data, 0o600))
	if _, err := b.rt.Exec(context.Background(), id, runtime.Process{Process: &proc}); err == nil {
		t.Error("exec with a damaged filter")
	}
}

// TestOwnProgramIsSealed: a container's init is our program until it executes
// the user's, and must not be a way to write to it.
func TestOwnProgramIsSealed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	b := newBox(t, "builtin")
	_, started := b.create("sealed", b.spec("true"), runtime.IO{})
	exe := "/proc/" + strconv.Itoa(started.Pid) + "/exe"
	f, err := os.Open(exe)
	must(t, err)
	defer f.Close()
	var fs unix.Statfs_t
	must(t, unix.Fstatfs(int(f.Fd()), &fs))
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	sealed := err == nil && seals&unix.F_SEAL_WRITE != 0
	if fs.Flags&unix.ST_RDONLY == 0 && !sealed {
		t.Error("init runs a program that is neither read-only nor sealed")
	}
	var own, its unix.Stat_t
	must(t, unix.Stat("/proc/self/exe", &own))
	must(t, unix.Fstat(int(f.Fd()), &its))
	if own.Dev == its.Dev && own.Ino == its.Ino {
		t.Error("init runs the very file that this process runs")
	}
}

// TestCallerKeepsNothingOpen: all that stays open after Create goes away when
// the caller executes another program.
func TestCallerKeepsNothingOpen(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		b.create("cloexec", b.spec("true"), runtime.IO{})
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		for _, e := range entries {
			fd, err := strconv.Atoi(e.Name())
			must(t, err)
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && fd > 2 && flags&unix.FD_CLOEXEC == 0 {
				target, _ := os.Readlink("/proc/self/fd/" + e.Name())
				if b.engine == "builtin" {
					t.Errorf("descriptor %d (%s) would be inherited", fd, target)
				}
			}
		}
	})
}

func TestLimitsAreClamped(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		if b.engine != "builtin" {
			t.Skip("an external runtime sets them itself")
		}
		var own unix.Rlimit
		must(t, unix.Getrlimit(unix.RLIMIT_MEMLOCK, &own))
		spec := b.spec("sh", "-c", "ulimit -n; cat /proc/self/oom_score_adj")
		spec.Process.Rlimits = []specs.POSIXRlimit{
			{Type: "RLIMIT_NOFILE", Hard: 64, Soft: 32}, {Type: "RLIMIT_MEMLOCK", Hard: own.Max*2 + 1, Soft: own.Max*2 + 1},
			{Type: "RLIMIT_NPROC", Hard: 1 << 40, Soft: 1 << 40},
		}
		low := -999
		spec.Process.OOMScoreAdj = &low
		text, code := b.run("limits", spec)
		if code != 0 || !strings.HasPrefix(text, "32\n") {
			t.Errorf("%d: %s", code, text)
		}
		bad := 99999
		spec.Process.OOMScoreAdj = &bad
		if _, err := b.rt.Create(context.Background(), b.id("oom"), b.bundle, spec, runtime.IO{}); runtime.ExitCode(err, 125) != 126 {
			t.Errorf("oom_score_adj out of range: %v", err)
		}
	})
}

// TestRootless runs the built-in engine in a user namespace of an ordinary
// user's rights.
func TestRootless(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to map IDs")
	}
	dir, err := os.MkdirTemp("", "rootless-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	makeRoot(t, filepath.Join(dir, "root"))
	must(t, os.Mkdir(filepath.Join(dir, "state"), 0o700))
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "program"), self, 0o755))
	must(t, exec.Command("chown", "-R", "200000:200000", dir).Run())
	for _, name := range []string{"plain", "hostnet"} {
		t.Run(name, func(t *testing.T) { runRootless(t, dir, name) })
	}
}

func runRootless(t *testing.T, dir, name string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, "program"), dir, name)
	cmd.Env = append(os.Environ(), helperEnv+"=rootless")
	cmd.Dir = "/"
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 200000, Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{Uid: 0, Gid: 0},
	}
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	contains(t, string(text), "uid=0 gid=0", "dev ok", "kernel", "exec 3")
	if filter.Supported {
		contains(t, string(text), "Seccomp:\t2")
	}
}

func rootlessHelper(dir, name string) error {
	ctx := context.Background()
	rt, err := runtime.Open("builtin", filepath.Join(dir, "state"), runtime.Options{})
	if err != nil {
		return err
	}
	spec, err := runtime.DefaultSpec(runtime.Profile{Rootless: true, HostNetwork: name == "hostnet", NoSeccomp: !filter.Supported, PidsLimit: 2048})
	if err != nil {
		return err
	}
	spec.Root.Path = filepath.Join(dir, "root")
	spec.Process.Args = []string{"sh", "-c", "id; echo x >/dev/null && echo dev ok; ls /sys; grep Seccomp: /proc/self/status; sleep 1000"}
	bundle, err := os.MkdirTemp(dir, "bundle")
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	started, err := rt.Create(ctx, name, bundle, spec, runtime.IO{Stdout: w, Stderr: w})
	if err != nil {
		return err
	}
	w.Close()
	if err := rt.Start(ctx, name); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for seen := ""; !strings.Contains(seen, "Seccomp:"); {
		n, err := r.Read(buf)
		if err != nil {
			break
		}
		seen += string(buf[:n])
		os.Stdout.Write(buf[:n])
	}
	proc := specs.Process{Args: []string{"sh", "-c", "exit 3"}, Env: []string{runtime.DefaultPath}, Cwd: "/"}
	p, err := rt.Exec(ctx, name, runtime.Process{Process: &proc})
	if err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(p.Pid, &status, 0, nil); err != nil {
		return err
	}
	os.Stdout.WriteString("exec " + strconv.Itoa(status.ExitStatus()) + "\n")
	if err := rt.Delete(ctx, name, true); err != nil {
		return err
	}
	_, err = unix.Wait4(started.Pid, &status, 0, nil)
	return err
}
