package clitest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// setup makes the world of one script.
func (h *harness) setup(env *testscript.Env) error {
	work := env.WorkDir
	// The ordinary user has to get in, too.
	for _, dir := range []string{work, filepath.Dir(work)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	if os.Geteuid() == 0 {
		if err := isolate(); err != nil {
			return err
		}
	}
	if err := configure(env); err != nil {
		return err
	}
	if err := copyFile(h.base, filepath.Join(work, "base.tar")); err != nil {
		return err
	}
	registry, garbage, nobody, hostile := "127.0.0.1:5000", "127.0.0.1:5001", "127.0.0.1:5002", "127.0.0.1:5003"
	if os.Geteuid() != 0 {
		registry, garbage, nobody, hostile = freePort(), freePort(), freePort(), freePort()
	}
	env.Setenv("BASE_TAR", filepath.Join(work, "base.tar"))
	env.Setenv("REGISTRY", registry)
	env.Setenv("GARBAGE", garbage)
	env.Setenv("NOBODY", nobody)
	env.Setenv("HOSTILE", hostile)
	env.Setenv("TOP", h.top)
	env.Setenv("PATH", strings.Join([]string{filepath.Join(work, ".bin"), h.bin, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, ":"))
	if err := h.writeUser(env); err != nil {
		return err
	}
	env.Defer(func() { h.leave(env) })
	return nil
}

// isolate gives the script a network and a mount namespace. The script's
// goroutine keeps its thread to the end, and every process it starts inherits
// the thread's namespaces; the thread ends with the goroutine.
func isolate() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	// The machine's own containers and settings are out of sight.
	for _, dir := range []string{"/run", "/etc/containers", "/var/cache", "/sys"} {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		if err := hide(dir); err != nil {
			return err
		}
	}
	if err := openTun(); err != nil {
		return err
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("set up the loopback interface: %w: %s", err, out)
	}
	return nil
}

// openTun opens /dev/net/tun to ordinary users, as it is on most machines, in
// the script's mount namespace alone. A machine without it is left so.
func openTun() error {
	const device, node = "/dev/net/tun", "/run/.tun"
	if !exists(device) {
		return nil
	}
	if err := unix.Mknod(node, unix.S_IFCHR, int(unix.Mkdev(10, 200))); err != nil {
		return fmt.Errorf("make a node of %s: %w", device, err)
	}
	if err := os.Chmod(node, 0o666); err != nil {
		return err
	}
	if err := unix.Mount(node, device, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount over %s: %w", device, err)
	}
	return nil
}

// hide mounts something fresh on dir. A network namespace needs its own /sys,
// which loses the cgroups below it: they are moved over.
func hide(dir string) error {
	if dir != "/sys" {
		return unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755")
	}
	const keep = "/run/.cgroup"
	if err := os.MkdirAll(keep, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("/sys/fs/cgroup", keep, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("keep the cgroups: %w", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return fmt.Errorf("mount sysfs: %w", err)
	}
	if err := unix.Mount(keep, "/sys/fs/cgroup", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the cgroups: %w", err)
	}
	return nil
}

// configure writes the configuration files and points the tools to them.
func configure(env *testscript.Env) error {
	work := env.WorkDir
	conf := filepath.Join(work, ".conf")
	registries := filepath.Join(work, "registries.conf")
	files := map[string]string{
		filepath.Join(conf, "storage.conf"): fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n",
			filepath.Join(work, "store"), filepath.Join(work, "run")),
		filepath.Join(conf, "containers.conf"): fmt.Sprintf("[network]\nnetwork_config_dir = %q\n", filepath.Join(work, ".networks")),
		filepath.Join(conf, "policy.json"):     `{"default":[{"type":"insecureAcceptAnything"}]}`,
		registries:                             "",
	}
	for path, text := range files {
		if _, err := os.Stat(path); err == nil {
			continue // the script brought its own
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	home := filepath.Join(work, "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("XDG_RUNTIME_DIR", "")
	env.Setenv("REGISTRIES", registries)
	env.Setenv("CONTAINERS_STORAGE_CONF", filepath.Join(conf, "storage.conf"))
	env.Setenv("CONTAINERS_CONF", filepath.Join(conf, "containers.conf"))
	env.Setenv("CONTAINERS_REGISTRIES_CONF", registries)
	env.Setenv("REGISTRY_AUTH_FILE", filepath.Join(conf, "auth.json"))
	return nil
}

// leave removes what the script left running and fails it for processes that
// the removal of its containers should have ended.
func (h *harness) leave(env *testscript.Env) {
	if os.Geteuid() != 0 {
		return
	}
	uid := getenv(env, "USER_ID")
	h.removeContainers(env, "store", h.podman())
	if uid != "" {
		h.removeContainers(env, "user/.local", filepath.Join(env.WorkDir, ".bin", "user"), h.podman())
	}
	deadline := time.Now().Add(5 * time.Second)
	left := h.leftOver(env.WorkDir, uid)
	for len(left) > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
		left = h.leftOver(env.WorkDir, uid)
	}
	if tb, ok := env.T().(testing.TB); ok {
		for _, command := range left {
			tb.Errorf("still running at the end: %s", command)
		}
	}
	for pid := range processesOf(env.WorkDir) {
		unix.Kill(pid, unix.SIGKILL) //nolint:errcheck // it may be gone
	}
	unmountBelow(env.WorkDir)
}

func (h *harness) podman() string { return filepath.Join(h.bin, "podman") }

// removeContainers removes all containers of a store that the script used.
func (h *harness) removeContainers(env *testscript.Env, store string, podman ...string) {
	if !exists(filepath.Join(env.WorkDir, store)) || !exists(h.podman()) {
		return
	}
	rm := exec.Command(podman[0], append(podman[1:], "rm", "--force", "--all", "--time", "0")...)
	rm.Env = env.Vars
	rm.Run() //nolint:errcheck // what it leaves is seen
}

// leftOver are the processes of the script's directory, without the one that
// keeps the ordinary user's namespaces between commands.
func (h *harness) leftOver(dir, uid string) map[int]string {
	left := processesOf(dir)
	for pid, command := range left {
		if uid != "" && isUsers(pid, uid) && strings.Contains(command, "pause") {
			delete(left, pid)
		}
	}
	return left
}

func getenv(env *testscript.Env, name string) string {
	for i := len(env.Vars) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env.Vars[i], name+"="); ok {
			return v
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// processesOf finds the processes that name the directory in their command
// line, environment or mounts.
func processesOf(dir string) map[int]string {
	found := map[int]string{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil || pid == os.Getpid() {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil || len(cmdline) == 0 {
			continue
		}
		for _, file := range []string{"cmdline", "environ", "mountinfo"} {
			text, _ := os.ReadFile(filepath.Join("/proc", e.Name(), file))
			if strings.Contains(string(text), dir+"/") {
				found[pid] = e.Name() + " " + strings.ReplaceAll(string(cmdline), "\x00", " ")
				break
			}
		}
	}
	return found
}

// unmountBelow detaches what is mounted below dir, innermost first.
func unmountBelow(dir string) {
	info, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return
	}
	lines := strings.Split(string(info), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if fields := strings.Fields(lines[i]); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			unix.Unmount(fields[4], unix.MNT_DETACH) //nolint:errcheck // the removal of dir tells
		}
	}
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// freePort is a loopback address nobody listens on at the moment.
func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:5000"
	}
	defer l.Close()
	return l.Addr().String()
}
