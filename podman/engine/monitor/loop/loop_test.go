package loop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"golang.org/x/sys/unix"
)

func TestWhoComesLateHearsOfTheEnd(t *testing.T) {
	dir := t.TempDir()
	at := &unix.SockaddrUnix{Name: filepath.Join(dir, "attach")}
	var fds [2]int // of the monitor and of who waits
	for i := range fds {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
	}
	if err := unix.Bind(fds[0], at); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fds[0], 8); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "exit 6")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(dir, "exit")
	m := newMonitor(wire.Spec{ID: "a", Pid: cmd.Process.Pid, Listen: fds[0], Exit: []string{record},
		Control: -1, Out: -1, Err: -1, In: -1, Log: -1, OOM: -1, OOMAbove: -1, Notify: -1, Check: -1})
	m.collect()
	if err := unix.Connect(fds[1], at); err != nil {
		t.Fatal(err)
	}
	m.finish()
	kind, body, err := wire.Receive(fds[1], make([]byte, 64), 0)
	if kind != wire.Exited || string(body) != "6" || err != nil {
		t.Errorf("have %q %q (%v)", kind, body, err)
	}
	if data, err := os.ReadFile(record); err != nil || string(data[:2]) != "6 " {
		t.Errorf("the record is %q (%v)", data, err)
	}
}
