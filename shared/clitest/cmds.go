package clitest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// patience is how long retry and the start of a server may take.
const patience = 20 * time.Second

func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}

// cmdStatus: status N CMD ARG…
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "status N cmd [arg...]")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("status %d, want %d", got, want)
	}
}

// cmdRetry: retry CMD ARG…
func cmdRetry(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) >= 1, "[!] retry cmd [arg...]")
	deadline := time.Now().Add(patience)
	for {
		err := ts.Exec(args[0], args[1:]...)
		if (err == nil) != neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("still after %s: %v", patience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// cmdTTY: tty FILE CMD ARG…
func cmdTTY(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) >= 2, "[!] tty file cmd [arg...]")
	typed := ts.ReadFile(args[0])
	program := lookPath(ts, args[1])
	cmd := exec.Command(program, args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environ(ts)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 33, Cols: 101})
	ts.Check(err)
	defer terminal.Close()
	go io.WriteString(terminal, typed) //nolint:errcheck // the terminal may be closed by then
	var shown bytes.Buffer
	copied := make(chan struct{})
	go func() {
		io.Copy(&shown, terminal) //nolint:errcheck // a terminal ends with EIO
		close(copied)
	}()
	err = waitAtMost(cmd, 3*patience)
	select {
	case <-copied:
	case <-time.After(time.Second):
		// Something kept the terminal open; what came so far must do.
		terminal.Close()
		<-copied
	}
	ts.Stdout().Write(shown.Bytes()) //nolint:errcheck // a buffer
	if (err != nil) != neg {
		ts.Fatalf("%s: %v\n%s", strings.Join(args[1:], " "), err, shown.String())
	}
}

func waitAtMost(cmd *exec.Cmd, d time.Duration) error {
	timer := time.AfterFunc(d, func() { cmd.Process.Kill() }) //nolint:errcheck // it may be gone
	defer timer.Stop()
	return cmd.Wait()
}

// environ is the script's environment as far as the tools look at it.
func environ(ts *testscript.TestScript) []string {
	env := []string{"TERM=xterm"}
	for _, name := range []string{
		"PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF",
		"CONTAINERS_REGISTRIES_CONF", "REGISTRY_AUTH_FILE", "WORK",
	} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func lookPath(ts *testscript.TestScript, program string) string {
	if strings.Contains(program, "/") {
		return program
	}
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), ":") {
		path := filepath.Join(dir, program)
		if unix.Access(path, unix.X_OK) == nil {
			return path
		}
	}
	ts.Fatalf("%s: not found in %s", program, ts.Getenv("PATH"))
	return ""
}

// running is the registry server of one script.
type running struct{ cmd *exec.Cmd }

func (r *running) stop() {
	if r.cmd == nil {
		return
	}
	r.cmd.Process.Kill() //nolint:errcheck // it may be gone
	r.cmd.Wait()         //nolint:errcheck // killed
	r.cmd = nil
}

// cmdRegistry: registry start|stop, registry copy FILE
func (h *harness) cmdRegistry(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && (len(args) == 1 && (args[0] == "start" || args[0] == "stop") || len(args) == 2 && args[0] == "copy"),
		"registry start|stop|copy file")
	if args[0] == "copy" {
		program, err := registryServer(h.top)
		ts.Check(err)
		ts.Check(copyFile(program, ts.MkAbs(args[1])))
		ts.Check(os.Chmod(ts.MkAbs(args[1]), 0o755))
		return
	}
	work := ts.Getenv("WORK")
	h.mu.Lock()
	r := h.registries[work]
	if r == nil {
		r = &running{}
		h.registries[work] = r
	}
	h.mu.Unlock()
	if args[0] == "stop" {
		r.stop()
		return
	}
	program, err := registryServer(h.top)
	ts.Check(err)
	address := ts.Getenv("REGISTRY")
	config := filepath.Join(work, ".conf", "registry.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\nhttp: {addr: %q}\n",
		filepath.Join(work, ".registry"), address)
	ts.Check(os.WriteFile(config, []byte(text), 0o644))
	r.cmd = exec.Command(program, "serve", config)
	r.cmd.Env = []string{"OTEL_TRACES_EXPORTER=none", "HOME=" + work}
	var log bytes.Buffer
	r.cmd.Stderr = &log
	ts.Check(r.cmd.Start())
	ts.Defer(r.stop)
	if !answers(address) {
		r.stop()
		ts.Fatalf("the registry server doesn't answer on %s: %s", address, log.String())
	}
}

func registryServer(top string) (string, error) {
	cmd := exec.Command(filepath.Join(top, "hack/registry"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("hack/registry: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// answers waits until something listens on the address. It dials from the
// calling thread, the one in the script's network namespace.
func answers(address string) bool {
	addr, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return false
	}
	to := &unix.SockaddrInet4{Port: addr.Port}
	copy(to.Addr[:], addr.IP.To4())
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return false
		}
		err = unix.Connect(fd, to)
		unix.Close(fd)
		if err == nil {
			return true
		}
	}
	return false
}

// cmdGarbage: garbage start
func cmdGarbage(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1 && args[0] == "start", "garbage start")
	l, err := net.Listen("tcp4", ts.Getenv("GARBAGE"))
	ts.Check(err)
	server := &http.Server{
		ReadHeaderTimeout: patience,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>\x00\xff this is no registry") //nolint:errcheck // the client may go
		}),
	}
	go server.Serve(l) //nolint:errcheck // ends with Close
	ts.Defer(func() { server.Close() })
}

// cmdInsecure: insecure HOST
func cmdInsecure(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "insecure host[:port]")
	path := ts.Getenv("REGISTRIES")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	ts.Check(err)
	defer f.Close()
	_, err = fmt.Fprintf(f, "[[registry]]\nlocation = %q\ninsecure = true\n", args[0])
	ts.Check(err)
}

// cmdOCIImage: oci-image DIR TAG
func cmdOCIImage(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "oci-image dir tag")
	layer, err := tarball.LayerFromFile(ts.Getenv("BASE_TAR"))
	ts.Check(err)
	image, err := mutate.AppendLayers(empty.Image, layer)
	ts.Check(err)
	config, err := image.ConfigFile()
	ts.Check(err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Cmd = []string{"/bin/sh"}
	image, err = mutate.ConfigFile(image, config)
	ts.Check(err)
	dir, err := layout.Write(ts.MkAbs(args[0]), empty.Index)
	ts.Check(err)
	ts.Check(dir.AppendImage(image, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": args[1],
	})))
}
