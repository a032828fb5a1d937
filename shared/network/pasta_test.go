package network

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/podsuite/podsuite/shared/userns"
	"golang.org/x/sys/unix"
)

// TestMain is also the program that runs as an ordinary user. What root runs has
// a network namespace of its own: a keeper may be started from another thread
// than the test's, and its rules must not come to the machine's.
func TestMain(m *testing.M) {
	if dir := os.Getenv("NETWORK_TEST_CHILD"); dir != "" {
		if err := rootlessChild(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	const apart = "NETWORK_TEST_APART"
	if os.Geteuid() == 0 && os.Getenv(apart) == "" {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Env = append(os.Environ(), apart+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
		err := cmd.Run()
		if cmd.ProcessState == nil {
			fmt.Println("run the tests in a network namespace:", err)
			os.Exit(1)
		}
		os.Exit(cmd.ProcessState.ExitCode())
	}
	os.Exit(m.Run())
}

// rootlessChild connects a namespace with pasta and uses its published port.
func rootlessChild(dir string) error {
	if err := userns.Enter(filepath.Join(dir, "state"), nil); err != nil {
		return err
	}
	m, err := Open(Options{ConfigDir: dir, RunDir: dir, Rootless: userns.Rootless()})
	if err != nil {
		return err
	}
	ns := filepath.Join(dir, "ns")
	if err := NewNS(ns); err != nil {
		return err
	}
	defer RemoveNS(ns)
	ports, err := ChooseHostPorts([]PortMapping{{ContainerPort: 80, Protocol: "tcp"}})
	if err != nil {
		return err
	}
	if held, err := HoldPorts(ports); err != nil || len(held) > 0 {
		return fmt.Errorf("hold: %v, %w", held, err)
	}
	status, err := m.Setup(context.Background(), ns, Endpoint{ContainerID: "x", Ports: ports})
	if err != nil {
		return err
	}
	if ipOf(status, "pasta") == "" {
		return fmt.Errorf("no address in %v", status)
	}
	serve(silent{}, ns, "tcp4", ":80")
	text, err := ask("tcp4", fmt.Sprintf("127.0.0.1:%d", ports[0].HostPort))
	if err != nil || !strings.HasPrefix(text, "hello ") {
		return fmt.Errorf("published port: %q, %w", text, err)
	}
	if _, err := bindPorts(ports); err == nil {
		return fmt.Errorf("the published port is free")
	}
	return nil
}

// silent stands for a test where there is none.
type silent struct{ testing.TB }

func (silent) Helper()           {}
func (silent) Cleanup(func())    {}
func (silent) Fatal(args ...any) { fmt.Println(args...); os.Exit(1) }

// TestPasta runs as a user without a name and so without subordinate IDs, in
// a host that the test makes.
func TestPasta(t *testing.T) {
	w := newWorld(t)
	if _, err := exec.LookPath("pasta"); err != nil {
		t.Skip("needs pasta (package passt)")
	}
	const uid = 54321
	// pasta copies the addresses of the link with the default route.
	if err := exec.Command("sh", "-c", `ip link add wan type veth peer name wan2 && ip link set wan2 up && ip addr add 192.0.2.9/24 dev wan && ip link set wan up && ip route add default via 192.0.2.1`).Run(); err != nil {
		t.Skipf("needs ip (package iproute2): %v", err)
	}
	dir, err := os.MkdirTemp("/tmp", "pasta-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exe := filepath.Join(dir, "exe")
	self, _ := os.ReadFile("/proc/self/exe")
	os.WriteFile(exe, self, 0o755)
	os.Chown(dir, uid, uid)
	if st, err := os.Stat("/dev/net/tun"); err != nil || st.Mode()&0o006 != 0o006 {
		// A device of the test's own: the system's may be for root only.
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			t.Skip(err)
		}
		unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		tun := filepath.Join(w.dir, "tun")
		if err := unix.Mknod(tun, unix.S_IFCHR|0o666, int(unix.Mkdev(10, 200))); err != nil {
			t.Skip(err)
		}
		os.Chmod(tun, 0o666)
		if err := unix.Mount(tun, "/dev/net/tun", "", unix.MS_BIND, ""); err != nil {
			t.Skipf("needs /dev/net/tun: %v", err)
		}
	}
	cmd := exec.Command(exe)
	cmd.Dir = dir
	cmd.Env = []string{"NETWORK_TEST_CHILD=" + dir, "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if pid, readErr := os.ReadFile(filepath.Join(dir, "state/pause.pid")); readErr == nil {
		var n int
		fmt.Sscan(string(pid), &n)
		var st unix.Stat_t
		if n > 1 && unix.Stat(fmt.Sprintf("/proc/%d", n), &st) == nil && st.Uid == uid {
			unix.Kill(n, unix.SIGKILL)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestPastaArguments(t *testing.T) {
	m := &Manager{o: Options{PastaOptions: []string{"--map-gw"}}}
	ports, err := ParsePorts([]string{"127.0.0.1:8080:80", "[::1]:5000-5002:6000-6002", "53:53/udp"})
	if err != nil {
		t.Fatal(err)
	}
	args, err := m.pastaArgs("/run/ns", Endpoint{Ports: ports, PastaOptions: []string{"-T", "5201"}})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields("--config-net -t 127.0.0.1/8080:80 -t ::1/5000-5002:6000-6002 -u 53:53 -U none --dns-forward 169.254.1.1 --quiet -T 5201 --netns /run/ns")
	if !slices.Equal(args, want) {
		t.Errorf("got  %v\nwant %v", args, want)
	}
	if _, err := m.pastaArgs("/run/ns", Endpoint{Ports: []PortMapping{{Protocol: "sctp", HostPort: 1, ContainerPort: 1}}}); err == nil {
		t.Error("sctp isn't refused")
	}
}
