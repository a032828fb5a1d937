package runtime_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

func TestLifecycle(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		ctx := context.Background()
		out := newCapture(t)
		id, started := b.create("life", b.spec("sh", "-c", "echo out; echo err >&2; exit 7"), runtime.IO{Stdout: out.w, Stderr: out.w})
		state, err := b.rt.State(ctx, id)
		must(t, err)
		if state.Status != specs.StateCreated || state.Pid != started.Pid || state.Bundle != b.bundle {
			t.Errorf("after create: %+v", state)
		}
		if _, err := b.rt.Create(ctx, id, b.bundle, b.spec("true"), runtime.IO{}); !errors.Is(err, errdef.ErrConflict) {
			t.Errorf("create with a taken ID: %v", err)
		}
		must(t, b.rt.Start(ctx, id))
		if code := wait(t, started.Pid); code != 7 {
			t.Errorf("exit status %d", code)
		}
		if text := out.text(); text != "out\nerr\n" {
			t.Errorf("output %q", text)
		}
		if state, err = b.rt.State(ctx, id); err != nil || state.Status != specs.StateStopped {
			t.Errorf("after exit: %+v, %v", state, err)
		}
		if err := b.rt.Start(ctx, id); !errors.Is(err, errdef.ErrConflict) {
			t.Errorf("second start: %v", err)
		}
		if len(cgroupsOf(t, id)) == 0 {
			t.Error("the container had no control groups")
		}
		must(t, b.rt.Delete(ctx, id, false))
		must(t, b.rt.Delete(ctx, id, false))
		if left := cgroupsOf(t, id); len(left) > 0 {
			t.Errorf("control groups left: %v", left)
		}
		if _, err := b.rt.State(ctx, id); !errors.Is(err, errdef.ErrNotFound) {
			t.Errorf("state after delete: %v", err)
		}
		if err := b.rt.Start(ctx, id); !errors.Is(err, errdef.ErrNotFound) {
			t.Errorf("start after delete: %v", err)
		}
	})
}

// cgroupsOf finds a container's control groups in all hierarchies.
func cgroupsOf(t *testing.T, id string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/libpod_parent/*" + id, "/sys/fs/cgroup/*/libpod_parent/*" + id} {
		m, err := filepath.Glob(pattern)
		must(t, err)
		found = append(found, m...)
	}
	return found
}

func TestStandardInput(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		r, w, err := os.Pipe()
		must(t, err)
		out := newCapture(t)
		id, started := b.create("stdin", b.spec("cat"), runtime.IO{Stdin: r, Stdout: out.w})
		r.Close()
		must(t, b.rt.Start(context.Background(), id))
		_, err = w.WriteString("through")
		must(t, err)
		w.Close()
		wait(t, started.Pid)
		if text := out.text(); text != "through" {
			t.Errorf("output %q", text)
		}
	})
}

func TestMissingCommand(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		for _, c := range []struct {
			arg, text string
			code      int
		}{
			{"nosuchcmd", "executable file `nosuchcmd` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found", 127},
			{"/nosuch/cmd", "executable file `/nosuch/cmd` not found: No such file or directory: OCI runtime attempted to invoke a command that was not found", 127},
			{`["a`, "executable file `[\"a` not found in $PATH", 127},
			{"/etc", ": Operation not permitted: OCI permission denied", 126},
			{"/etc/noexec", "the path `/etc/noexec` exists but it is not executable: Operation not permitted: OCI permission denied", 126},
		} {
			id := b.id("missing")
			_, err := b.rt.Create(context.Background(), id, b.bundle, b.spec(c.arg), runtime.IO{})
			if err == nil || !strings.Contains(err.Error(), c.text) || runtime.ExitCode(err, 125) != c.code {
				t.Errorf("create %q: %v (%d), want %q", c.arg, err, runtime.ExitCode(err, 125), c.text)
			}
			if left := cgroupsOf(t, id); len(left) > 0 {
				t.Errorf("%q left control groups %v", c.arg, left)
			}
			must(t, b.rt.Delete(context.Background(), id, true))
		}
	})
}

func TestExec(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		ctx := context.Background()
		id, started := b.create("exec", b.spec("sleep", "1000"), runtime.IO{})
		must(t, b.rt.Start(ctx, id))
		proc := specs.Process{Args: []string{"sh", "-c", "echo $WHO in $PWD as $(id -u):$(id -g); exit 5"}, Env: []string{runtime.DefaultPath, "WHO=me"},
			Cwd: "/tmp", User: specs.User{UID: 12, GID: 34}}
		text, code := b.exec(id, proc)
		if text != "me in /tmp as 12:34\n" || code != 5 {
			t.Errorf("exec: %q, %d", text, code)
		}
		for _, c := range []struct {
			arg, cwd, text string
			code           int
		}{
			{"nosuchcmd", "/", "executable file `nosuchcmd` not found in $PATH", 127},
			{"/etc", "/", ": Operation not permitted: OCI permission denied", 126},
			{"true", "/nosuch", "chdir to `/nosuch`: No such file or directory: OCI runtime attempted to invoke a command that was not found", 127},
		} {
			bad := proc
			bad.Args, bad.Cwd = []string{c.arg}, c.cwd
			_, err := b.rt.Exec(ctx, id, runtime.Process{Process: &bad})
			if err == nil || !strings.Contains(err.Error(), c.text) || runtime.ExitCode(err, 125) != c.code {
				t.Errorf("exec %q: %v (%d), want %q", c.arg, err, runtime.ExitCode(err, 125), c.text)
			}
		}
		must(t, b.rt.Kill(ctx, id, unix.SIGKILL, false))
		if code := wait(t, started.Pid); code != 137 {
			t.Errorf("killed with %d", code)
		}
		if _, err := b.rt.Exec(ctx, id, runtime.Process{Process: &proc}); !errors.Is(err, errdef.ErrConflict) {
			t.Errorf("exec in a stopped container: %v", err)
		}
		if _, err := b.rt.Exec(ctx, b.id("none"), runtime.Process{Process: &proc}); !errors.Is(err, errdef.ErrNotFound) {
			t.Errorf("exec in no container: %v", err)
		}
	})
}

func TestExtraFiles(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		ctx := context.Background()
		id, _ := b.create("extra", b.spec("sleep", "1000"), runtime.IO{})
		must(t, b.rt.Start(ctx, id))
		path := filepath.Join(t.TempDir(), "extra")
		must(t, os.WriteFile(path, []byte("passed on"), 0o600))
		f, err := os.Open(path)
		must(t, err)
		defer f.Close()
		out := newCapture(t)
		proc := specs.Process{Args: []string{"sh", "-c", "cat <&3; echo; ls /proc/$$/fd; true"}, Env: []string{runtime.DefaultPath}, Cwd: "/"}
		started, err := b.rt.Exec(ctx, id, runtime.Process{Process: &proc, IO: runtime.IO{Stdout: out.w, ExtraFiles: []*os.File{f}}})
		must(t, err)
		wait(t, started.Pid)
		if text := strings.Join(strings.Fields(out.text()), " "); text != "passed on 0 1 2 3" {
			t.Errorf("descriptors: %q", text)
		}
	})
}

// TestManyExtraFiles: what the command gets must not push aside what it is
// started from.
func TestManyExtraFiles(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		ctx := context.Background()
		id, _ := b.create("many", b.spec("sleep", "1000"), runtime.IO{})
		must(t, b.rt.Start(ctx, id))
		null, err := os.Open(os.DevNull)
		must(t, err)
		defer null.Close()
		files := slices.Repeat([]*os.File{null}, 60) // low numbers stay free here
		proc := specs.Process{Args: []string{"test", "-e", "/proc/self/fd/62"}, Env: []string{runtime.DefaultPath}, Cwd: "/"}
		started, err := b.rt.Exec(ctx, id, runtime.Process{Process: &proc, IO: runtime.IO{ExtraFiles: files}})
		must(t, err)
		if code := wait(t, started.Pid); code != 0 {
			t.Errorf("status %d: the last file is missing", code)
		}
	})
}

func TestTerminal(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		spec := b.spec("sh", "-c", "test -t 0 && test -t 2 && stty size && tty")
		spec.Process.Terminal = true
		spec.Process.ConsoleSize = &specs.Box{Height: 31, Width: 99}
		id, started := b.create("tty", spec, runtime.IO{Terminal: true})
		if started.Console == nil {
			t.Fatal("no console")
		}
		defer started.Console.Close()
		if flags, err := unix.FcntlInt(started.Console.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("the console is not close-on-exec: %v", err)
		}
		must(t, b.rt.Start(context.Background(), id))
		var text strings.Builder
		buf := make([]byte, 1000)
		for {
			n, err := started.Console.Read(buf)
			text.Write(buf[:n])
			if err != nil {
				break // EIO: the last user is gone
			}
		}
		if code := wait(t, started.Pid); code != 0 {
			t.Errorf("exit status %d", code)
		}
		contains(t, text.String(), "31 99", "/dev/")
	})
}

func TestStartByAnotherProcess(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		out := newCapture(t)
		id, started := b.create("other", b.spec("sh", "-c", "echo started"), runtime.IO{Stdout: out.w})
		cmd := exec.Command("/proc/self/exe", b.engine, b.state, id)
		cmd.Env = append(os.Environ(), helperEnv+"=start")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		wait(t, started.Pid)
		if text := out.text(); text != "started\n" {
			t.Errorf("output %q", text)
		}
	})
}

func startHelper(engine, state, id string) error {
	rt, err := runtime.Open(engine, state, runtime.Options{})
	if err != nil {
		return err
	}
	return rt.Start(context.Background(), id)
}

func TestPauseKillPidsUpdate(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		ctx := context.Background()
		id, started := b.create("pause", b.spec("sh", "-c", "sleep 1000 & sleep 1000 & wait"), runtime.IO{})
		must(t, b.rt.Start(ctx, id))
		waitFor(t, "three processes", func() bool {
			pids, err := b.rt.Pids(ctx, id)
			must(t, err)
			return len(pids) == 3 && slices.Contains(pids, started.Pid)
		})
		must(t, b.rt.Pause(ctx, id))
		if s, err := b.rt.State(ctx, id); err != nil || s.Status != "paused" {
			t.Errorf("paused: %+v, %v", s, err)
		}
		must(t, b.rt.Resume(ctx, id))
		if s, err := b.rt.State(ctx, id); err != nil || s.Status != specs.StateRunning {
			t.Errorf("resumed: %+v, %v", s, err)
		}
		limit := int64(55)
		must(t, b.rt.Update(ctx, id, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}))
		if got := pidsLimit(t, id); got != "55" {
			t.Errorf("pids limit %q after update", got)
		}
		if text, code := b.exec(id, specs.Process{Args: []string{"true"}, Env: []string{runtime.DefaultPath}, Cwd: "/"}); code != 0 {
			t.Errorf("exec after update: %d %s", code, text)
		}
		if err := b.rt.Delete(ctx, id, false); err == nil {
			t.Error("a running container was deleted")
		}
		must(t, b.rt.Delete(ctx, id, true))
		if code := wait(t, started.Pid); code != 137 {
			t.Errorf("status %d", code)
		}
	})
}

func pidsLimit(t *testing.T, id string) string {
	t.Helper()
	for _, dir := range cgroupsOf(t, id) {
		if data, err := os.ReadFile(filepath.Join(dir, "pids.max")); err == nil {
			return strings.TrimSpace(string(data))
		}
	}
	return ""
}

func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for range 500 {
		if ready() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

func TestDeleteCreated(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		id, started := b.create("created", b.spec("true"), runtime.IO{})
		must(t, b.rt.Delete(context.Background(), id, true))
		if code := wait(t, started.Pid); code != 137 {
			t.Errorf("status %d", code)
		}
	})
}

func TestDeleteWhatIsHalfMade(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		ctx := context.Background()
		id := b.id("half")
		groups := []string{"/sys/fs/cgroup/libpod_parent/libpod-" + id}
		if _, err := os.Stat("/sys/fs/cgroup/pids"); err == nil {
			groups = []string{"/sys/fs/cgroup/pids/libpod_parent/libpod-" + id + "/sub", "/sys/fs/cgroup/memory/libpod_parent/libpod-" + id}
		}
		for _, g := range groups {
			must(t, os.MkdirAll(g, 0o755))
		}
		if b.engine == "builtin" {
			must(t, os.MkdirAll(filepath.Join(b.state, id), 0o711))
			must(t, os.WriteFile(filepath.Join(b.state, id, "state.json"), []byte(`{"id":`), 0o600))
		}
		must(t, b.rt.Delete(ctx, id, true))
		if left := cgroupsOf(t, id); len(left) > 0 {
			t.Errorf("control groups left: %v", left)
		}
		if _, err := os.Stat(filepath.Join(b.state, id)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("state left: %v", err)
		}
	})
}

func TestInvalidIDs(t *testing.T) {
	for _, engine := range []string{"builtin", "/bin/true"} {
		rt, err := runtime.Open(engine, t.TempDir(), runtime.Options{})
		must(t, err)
		for _, id := range []string{"", ".", "..", "a/b", "../x", "a b", "-\n"} {
			if err := rt.Delete(context.Background(), id, true); !errors.Is(err, errdef.ErrInvalid) {
				t.Errorf("%s: delete %q: %v", engine, id, err)
			}
			if err := rt.Start(context.Background(), id); !errors.Is(err, errdef.ErrInvalid) {
				t.Errorf("%s: start %q: %v", engine, id, err)
			}
		}
	}
}

func TestOpenUnknown(t *testing.T) {
	_, err := runtime.Open("nosuch", t.TempDir(), runtime.Options{})
	if !errors.Is(err, errdef.ErrInvalid) || err.Error() != `default OCI runtime "nosuch" not found: invalid argument` {
		t.Error(err)
	}
}

// TestSideBySide: one program runs several containers at once.
func TestSideBySide(t *testing.T) {
	engines(t, func(t *testing.T, b *box) {
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				ctx, id := context.Background(), b.id("side"+strconv.Itoa(i))
				r, w, err := os.Pipe()
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Close()
				started, err := b.rt.Create(ctx, id, t.TempDir(), b.spec("sh", "-c", "echo "+id), runtime.IO{Stdout: w})
				w.Close()
				if err == nil {
					err = b.rt.Start(ctx, id)
				}
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(r)
				if string(text) != id+"\n" || err != nil {
					t.Errorf("%s wrote %q, %v", id, text, err)
				}
				var status unix.WaitStatus
				if _, err := unix.Wait4(started.Pid, &status, 0, nil); err != nil || status.ExitStatus() != 0 {
					t.Errorf("%s: %v, %v", id, status, err)
				}
				if err := b.rt.Delete(ctx, id, false); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})
}
