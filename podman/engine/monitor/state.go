package monitor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// writeState records the run, atomically: a reader sees all of it or none.
func writeState(req *Request, pid int) (State, error) {
	start, _ := PidStart(pid)
	s := State{Pid: pid, PidStart: start, Monitor: os.Getpid(), Boot: BootID()}
	if !req.CreateOnly {
		s.StartedAt = time.Now().UnixNano()
	}
	return s, s.Write(req.State)
}

// Write replaces the state file at path.
func (s *State) Write(path string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

// ReadState reads the state file at path. ok is false when there is none, or
// it is of an earlier boot.
func ReadState(path string) (s State, ok bool) {
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &s) != nil {
		return State{}, false
	}
	return s, s.Boot == BootID()
}

// Alive says whether the container's init is the process that was started:
// the start time tells it from a later process of the same number. A zombie,
// which its monitor has yet to collect, counts as dead.
func (s *State) Alive() bool {
	start, zombie := PidStart(s.Pid)
	return start != 0 && start == s.PidStart && !zombie
}

// PidStart is the start time of a process in clock ticks since boot, 0 when
// there is no such process, and whether it is a zombie.
func PidStart(pid int) (start uint64, zombie bool) {
	if pid <= 0 {
		return 0, false
	}
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	// The command's name stands in parentheses and may hold anything.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 20 {
		return 0, false
	}
	start, _ = strconv.ParseUint(string(fields[19]), 10, 64)
	return start, fields[0][0] == 'Z' || fields[0][0] == 'X'
}

// BootID is the kernel's name for this boot.
func BootID() string {
	data, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data))
}

// Exit is a container's exit record.
type Exit struct {
	Code    int
	At      time.Time
	Started time.Time // zero where it was started by another command than the one that created it
	// OutOfMemory says that the kernel killed a process of the container for
	// want of memory. The monitor sees it on cgroup v2 only.
	OutOfMemory bool
}

// ReadExit reads an exit record; ok is false when there is none.
func ReadExit(path string) (e Exit, ok bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Exit{}, false
	}
	text, oom := strings.CutSuffix(string(data), " oom\n")
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return Exit{}, false
	}
	code, err1 := strconv.Atoi(fields[0])
	at, err2 := strconv.ParseInt(fields[1], 10, 64)
	started, err3 := strconv.ParseInt(fields[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return Exit{}, false
	}
	e = Exit{Code: code, At: time.Unix(0, at), OutOfMemory: oom}
	if started != 0 {
		e.Started = time.Unix(0, started)
	}
	return e, true
}
