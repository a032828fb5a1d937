package engine

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/monitor"
)

func TestTheServiceManagerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv(notifyEnv, path)
	said := func() string {
		socket.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		buf := make([]byte, 100)
		n, _ := socket.Read(buf)
		return string(buf[:n])
	}
	for mode, want := range map[string][2]string{
		container.NotifyContainer: {"MAINPID=42", ""},
		container.NotifyMonitor:   {"MAINPID=42", "READY=1"},
		container.NotifyIgnore:    {"", ""},
	} {
		c := &container.Config{SdNotify: mode}
		notifyMain(c, &monitor.Launcher{Pid: 42})
		if got := said(); got != want[0] {
			t.Errorf("%s: first %q, want %q", mode, got, want[0])
		}
		if err := new(Engine).notifyReady(context.Background(), c); err != nil {
			t.Error(err)
		}
		if got := said(); got != want[1] {
			t.Errorf("%s: then %q, want %q", mode, got, want[1])
		}
	}
}
