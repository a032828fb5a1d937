package monitor

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestStateOfAnEarlierBootIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	start, _ := PidStart(os.Getpid())
	s := State{Pid: os.Getpid(), PidStart: start, Boot: BootID()}
	if err := s.Write(path); err != nil {
		t.Fatal(err)
	}
	got, ok := ReadState(path)
	if !ok || got != s || !got.Alive() {
		t.Errorf("read %+v, %v, alive %v; wrote %+v", got, ok, got.Alive(), s)
	}
	s.Boot = "another"
	if err := s.Write(path); err != nil {
		t.Fatal(err)
	}
	if _, ok := ReadState(path); ok {
		t.Error("a state of another boot was taken")
	}
}

func TestAPidThatWasTakenAgainIsNotAlive(t *testing.T) {
	start, _ := PidStart(os.Getpid())
	for _, s := range []State{{Pid: os.Getpid(), PidStart: start + 1}, {Pid: 1 << 30, PidStart: 1}, {}} {
		if s.Alive() {
			t.Errorf("%+v counts as alive", s)
		}
	}
}

func TestReadExit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "exit")
	for text, want := range map[string]Exit{
		"3 1764000000000000001 1764000000000000000\n": {Code: 3, At: time.Unix(0, 1764000000000000001), Started: time.Unix(0, 1764000000000000000)},
		"137 1764000000000000001 0\n":                 {Code: 137, At: time.Unix(0, 1764000000000000001)},
		"137 1764000000000000001 0 oom\n":             {Code: 137, At: time.Unix(0, 1764000000000000001), OutOfMemory: true},
	} {
		os.WriteFile(path, []byte(text), 0o600)
		if got, ok := ReadExit(path); !ok || got != want {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "3", "3 1", "x 1 1", "3 1 1 1", "3 1 1 oo"} {
		os.WriteFile(path, []byte(text), 0o600)
		if got, ok := ReadExit(path); ok {
			t.Errorf("%q was taken: %+v", text, got)
		}
	}
}
