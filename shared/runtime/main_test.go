package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/runtime/internal/filter"
)

// helperEnv makes the test binary another program: the name says which.
const helperEnv = "RUNTIME_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "start":
		exitOn(startHelper(os.Args[1], os.Args[2], os.Args[3]))
	case "rootless":
		exitOn(rootlessHelper(os.Args[1], os.Args[2]))
	default:
		os.Exit(m.Run())
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// box is one engine with a root file system to run.
type box struct {
	t      *testing.T
	rt     runtime.Runtime
	engine string
	state  string
	root   string
	bundle string
	opts   runtime.Options
}

// engines runs a test for each engine that can be had here.
func engines(t *testing.T, f func(t *testing.T, b *box)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, name := range []string{"builtin", "runc"} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); name != "builtin" && err != nil {
				t.Skipf("%s is not installed", name)
			}
			f(t, newBox(t, name))
		})
	}
}

func newBox(t *testing.T, engine string) *box {
	t.Helper()
	b := &box{t: t, engine: engine, state: t.TempDir(), root: filepath.Join(t.TempDir(), "root"), bundle: t.TempDir()}
	makeRoot(t, b.root)
	var err error
	b.rt, err = runtime.Open(engine, b.state, b.opts)
	must(t, err)
	return b
}

// makeRoot fills a root file system with busybox.
func makeRoot(t *testing.T, root string) {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("needs /bin/busybox (package busybox-static)")
	}
	for _, d := range []string{"bin", "etc", "tmp", "proc", "dev", "sys"} {
		must(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(root, "bin/busybox"), busybox, 0o755))
	for _, applet := range strings.Fields("sh cat ls sleep true id grep test kill mount chroot stat touch readlink tty env pwd ulimit stty dd") {
		must(t, os.Symlink("busybox", filepath.Join(root, "bin", applet)))
	}
	must(t, os.WriteFile(filepath.Join(root, "etc/noexec"), []byte("x"), 0o644))
}

func (b *box) spec(args ...string) *specs.Spec {
	b.t.Helper()
	spec, err := runtime.DefaultSpec(runtime.Profile{NoSeccomp: !filter.Supported, PidsLimit: 100})
	must(b.t, err)
	spec.Root.Path = b.root
	spec.Process.Args = args
	return spec
}

// id is unique on this machine, as control groups are.
func (b *box) id(name string) string {
	return fmt.Sprintf("rttest-%d-%s-%s", os.Getpid(), b.engine, name)
}

// create makes a container and sees to its end.
func (b *box) create(name string, spec *specs.Spec, stdio runtime.IO) (string, runtime.Started) {
	b.t.Helper()
	id := b.id(name)
	b.t.Cleanup(func() {
		if err := b.rt.Delete(context.Background(), id, true); err != nil {
			b.t.Errorf("clean up: %v", err)
		}
	})
	started, err := b.rt.Create(context.Background(), id, b.bundle, spec, stdio)
	must(b.t, err)
	return id, started
}

// run runs a container to its end and gives its output and exit status.
func (b *box) run(name string, spec *specs.Spec) (string, int) {
	b.t.Helper()
	out := newCapture(b.t)
	id, started := b.create(name, spec, runtime.IO{Stdout: out.w, Stderr: out.w})
	must(b.t, b.rt.Start(context.Background(), id))
	code := wait(b.t, started.Pid)
	must(b.t, b.rt.Delete(context.Background(), id, false))
	return out.text(), code
}

// exec runs a further process and gives its output and exit status.
func (b *box) exec(id string, p specs.Process) (string, int) {
	b.t.Helper()
	out := newCapture(b.t)
	started, err := b.rt.Exec(context.Background(), id, runtime.Process{Process: &p, IO: runtime.IO{Stdout: out.w, Stderr: out.w}})
	must(b.t, err)
	code := wait(b.t, started.Pid)
	return out.text(), code
}

// wait waits for a child as the monitor does: by its pid alone.
func wait(t *testing.T, pid int) int {
	t.Helper()
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		must(t, err)
		if status.Signaled() {
			return 128 + int(status.Signal())
		}
		return status.ExitStatus()
	}
}

// capture collects output through a pipe.
type capture struct {
	t    *testing.T
	w    *os.File
	done chan []byte
}

func newCapture(t *testing.T) *capture {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	c := &capture{t: t, w: w, done: make(chan []byte, 1)}
	go func() {
		var b bytes.Buffer
		_, _ = io.Copy(&b, r)
		r.Close()
		c.done <- b.Bytes()
	}()
	return c
}

func (c *capture) text() string {
	c.t.Helper()
	c.w.Close()
	select {
	case b := <-c.done:
		return string(b)
	case <-time.After(20 * time.Second):
		c.t.Fatal("the output did not end")
		return ""
	}
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if !strings.Contains(text, w) {
			t.Errorf("want %q in:\n%s", w, text)
		}
	}
}
