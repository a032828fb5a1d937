package engine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/podsuite/podsuite/podman/engine/monitor"
)

// endedRun makes the state of a container whose process is gone.
func endedRun(t *testing.T, e *Engine, id string, recorder int) monitor.State {
	t.Helper()
	process := exec.Command("sleep", "1000")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	s := monitor.State{Pid: process.Process.Pid, Monitor: recorder, StartedAt: time.Now().UnixNano(), Boot: monitor.BootID()}
	s.PidStart, _ = monitor.PidStart(s.Pid)
	process.Process.Kill()
	process.Wait()
	for _, dir := range []string{e.Store.ContainerDir(id), e.Store.ContainerRunDir(id)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Write(filepath.Join(e.Store.ContainerRunDir(id), stateFile)); err != nil {
		t.Fatal(err)
	}
	return s
}

func exitRecord(s monitor.State, code int) []byte {
	return fmt.Appendf(nil, "%d %d %d\n", code, time.Now().UnixNano(), s.StartedAt)
}

func TestStatusWhileTheExitIsRecorded(t *testing.T) {
	e := openEngine(t)
	s := endedRun(t, e, "a", os.Getpid())
	go func() {
		time.Sleep(20 * time.Millisecond)
		os.WriteFile(filepath.Join(e.Store.ContainerRunDir("a"), exitFile), exitRecord(s, 6), 0o600)
	}()
	if got := e.status("a"); got.State != Exited || got.ExitCode != 6 {
		t.Errorf("have %s %d, want exited 6", got.State, got.ExitCode)
	}
}

func TestStatusWhileARunIsCleanedUp(t *testing.T) {
	e := openEngine(t)
	s := endedRun(t, e, "a", 0)
	kept := filepath.Join(e.Store.ContainerDir("a"), exitFile)
	os.WriteFile(kept, exitRecord(s, 6), 0o600)
	if got := e.status("a"); got.ExitCode != 6 {
		t.Errorf("have %d, want 6", got.ExitCode)
	}
	os.WriteFile(kept, fmt.Appendf(nil, "6 %d %d\n", s.StartedAt-1, s.StartedAt-2), 0o600) // of the run before
	if got := e.status("a"); got.ExitCode != exitCodeLost {
		t.Errorf("have %d, want %d", got.ExitCode, exitCodeLost)
	}
}
